// The words of all pages: none of those that the product has replaced, and a title for every page. And their HTML, as
// the server sends it.
import { HtmlValidate, StaticConfigLoader } from 'html-validate';
import { expect, test } from '../support/test.mjs';

const html = new HtmlValidate(new StaticConfigLoader({ extends: ['html-validate:standard'] }));

/** What html-validate finds in a page. Without the empty comments by which Leptos marks its views: it can't read them. */
async function invalid(source) {
  const { results } = await html.validateString(source.replaceAll('<!>', ''));
  return results.flatMap(({ messages }) => messages.map(({ line, ruleId, message }) => `${line}: ${ruleId}: ${message}`));
}

/** Words that were replaced by the field's terms. Commands and codes aren't prose, and may contain them. */
const REPLACED = [
  /\bstands? (for|in|as)\b/i,
  /\b(by hand|anew|at once|for good|in any case|by itself|by themselves|of (its|their) own)\b/i,
  /\b(goes|go|went) on\b/i,
  /\bthe same by program\b/i,
  /\b(take|takes|taken|took) (it )?back\b/i,
  /\btouch(es|ed)?\b/i,
  /\broll(ed|s|ing)?\b/i,
  /\bholds (at|from|in)\b/i,
  /\b(is|are) over\b/i,
  /\bcomes? of\b/i,
  /\b(living|lives now|live now)\b/i,
  /\b(all about it|by whom|take these lines out|to the start|short name|second factor|e-mail|somebody|chosen)\b/i,
  /\bthere is (no such|nothing)\b/i,
  /\bis(n't| not) (right|yours)\b/i,
  /\bREAD_ONLY_USER\b|\bTENANT_ADMIN\b/,
];

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** How many pages of one kind are opened, such as the pages of a key. */
const OF_A_KIND = 2;

/** Creates something of each kind, so that each page exists. */
async function furnish(team) {
  const ada = team.person('TENANT_ADMIN', 'Ada Lovelace');
  team.person('USER', 'Alan Turing');
  const other = team.key(ada, 'Laptop', '2090-01-01T00:00:00Z');
  team.key(ada, 'Notebook');
  const account = team.account('Deployer');
  const token = team.key(account, 'Frankfurt');
  team.account('Reports', 'READ_ONLY_USER');
  await team.ask(token, 'mutation { register_agent(input: { type: "LocalAgent", name: "night" }) { id } }');
  await team.ask(other, 'mutation { invite_member(email: "eve@example.org", role: USER) { __typename } }');
  const { auth_api_key: keys } = await team.ask(other, '{ auth_api_key { id name } }');
  const notebook = keys.find(({ name }) => name === 'Notebook').id;
  await team.ask(other, `mutation { suspend_api_key(id: "${notebook}") { id } }`);
  return ada;
}

/** Everything that a page says, also in closed parts and to screen readers, without code. */
function prose() {
  const body = document.body.cloneNode(true);
  body.querySelectorAll('script, style, code, pre, textarea, #graphiql, template').forEach((element) => element.remove());
  const attributes = ['title', 'aria-label', 'placeholder', 'data-busy'];
  const said = [...body.querySelectorAll(attributes.map((name) => `[${name}]`).join(', '))];
  const words = said.flatMap((element) => attributes.map((name) => element.getAttribute(name)));
  // A space between elements, so that the last word of one isn't joined to the first of the next.
  const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) words.push(texts.currentNode.textContent);
  const links = [...document.querySelectorAll('a[href^="/"]')].map((link) => link.getAttribute('href'));
  const paragraphs = [...body.querySelectorAll('p, li, td, th, h1, h2, h3, label, legend, dd, dt, summary, button')];
  words.push(...paragraphs.map((element) => element.textContent));
  return { words: words.filter(Boolean).map((text) => text.replace(/\s+/g, ' ').trim()), links };
}

test('no page uses a replaced word, each has a title of its own and valid HTML @plain', async ({ page, team, signIn, watch }) => {
  test.setTimeout(900_000);
  watch.expect(/status of 4\d\d/);
  const ada = await furnish(team);
  const waiting = ['/sign-in', '/no-such-page'];
  await page.goto('/sign-in');
  const faults = new Set();
  const titles = new Map();
  const kinds = new Map();
  const visited = new Set();
  const visit = async (path) => {
    const answer = await page.goto(path);
    if (!answer?.headers()['content-type']?.startsWith('text/html')) return;
    for (const message of await invalid(await answer.text())) faults.add(`${path}: ${message}`);
    const { words, links } = await page.evaluate(prose);
    for (const text of words) {
      for (const word of REPLACED) if (word.test(text)) faults.add(`${path}: ${text}`);
    }
    const title = await page.title();
    const here = new URL(page.url()).pathname;
    if (titles.has(title) && titles.get(title) !== here) faults.add(`${here} and ${titles.get(title)}: both are ${title}`);
    titles.set(title, here);
    waiting.push(...links);
  };
  for (const path of waiting.splice(0)) await visit(path);
  await signIn(ada);
  waiting.push('/user/api-keys', '/team/keys?q=nothing', '/team/audit-log?actor=nobody', '/user/api-keys?state=revoked');
  while (waiting.length > 0) {
    const path = waiting.shift().replace(/#.*/, '');
    const kind = path.replace(ID, '…').replace(/(after|before|from|until|q)=[^&]*/g, '$1=…');
    const seen = kinds.get(kind) ?? 0;
    // Every filter and every order, but not all their combinations.
    const settings = path.match(/=/g) ?? [];
    if (visited.has(path) || seen >= OF_A_KIND || settings.length > 2 || path.startsWith('/api/') || path.startsWith('/pkg/')) continue;
    visited.add(path);
    kinds.set(kind, seen + 1);
    await visit(path);
  }
  expect(visited.size, 'pages').toBeGreaterThan(40);
  expect([...faults]).toEqual([]);
});
