// GraphiQL for Latchkey's API, with the permissions of the signed-in person: requests are sent to the same origin, with
// the session cookie.
import { GraphiQL } from 'graphiql';
import { setNonce } from 'get-nonce';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';

// GraphiQL's menus add stylesheets, which the page's Content-Security-Policy allows only with its nonce.
setNonce(document.querySelector('script[nonce]').nonce);

const place = document.getElementById('graphiql');
const root = createRoot(place);

async function fetcher({ query, variables, operationName }) {
  const answer = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: variables ?? null, operationName: operationName ?? null }),
  });
  return answer.json();
}

/** The example in the URL's fragment, which isn't sent to the server and survives a reload. */
function example() {
  const chosen = new URLSearchParams(location.hash.slice(1));
  return { query: chosen.get('query') ?? undefined, variables: chosen.get('variables') ?? undefined };
}

const theme = () => document.documentElement.dataset.theme ?? null;

function render() {
  const { query, variables } = example();
  // A new key creates a new editor, so that an example replaces the previous contents.
  root.render(createElement(GraphiQL, { key: location.hash, fetcher, query, variables, defaultQuery: place.dataset.query, forcedTheme: theme() ?? undefined }));
}

window.addEventListener('hashchange', render);
render();
