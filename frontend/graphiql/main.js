// GraphiQL over Latchkey's own schema, with the rights of the person who is signed in: requests go with the session's
// cookie, from the same origin.
import { GraphiQL } from 'graphiql';
import { setNonce } from 'get-nonce';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';

// The stylesheets that its menus write carry the page's nonce, without which they are refused.
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

/** The example that the address names after `#`: never sent to the server, and kept by a reload. */
function example() {
  const chosen = new URLSearchParams(location.hash.slice(1));
  return { query: chosen.get('query') ?? undefined, variables: chosen.get('variables') ?? undefined };
}

const theme = () => document.documentElement.dataset.theme ?? null;

function render() {
  const { query, variables } = example();
  // Another key makes another editor: an example replaces what stood there.
  root.render(createElement(GraphiQL, { key: location.hash, fetcher, query, variables, defaultQuery: place.dataset.query, forcedTheme: theme() ?? undefined }));
}

window.addEventListener('hashchange', render);
render();
