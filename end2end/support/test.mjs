// The `test` of the browser tests: a separate tenant for each, and a watch on the output of the browser and the server.
import { test as base, expect } from '@playwright/test';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PASSWORD, TOKEN, Team } from './team.mjs';

export { PASSWORD, TOKEN, expect };

/** Records console messages, requests and responses during a test, to find problems and leaked tokens. */
class Watch {
  constructor(context, url) {
    this.url = url;
    this.complaints = [];
    this.expected = [];
    this.requests = [];
    this.answers = [];
    this.tokens = [];
    context.on('weberror', (error) => this.complaints.push(`uncaught: ${error.error().message}`));
    context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(`${message.type()}: ${message.text()}`);
    });
    context.on('request', (request) => {
      this.requests.push(`${request.method()} ${request.url()} ${request.headers().referer ?? ''} ${request.postData() ?? ''}`);
    });
    // Not on 'response': the text of a response that the page has left half-way would never arrive.
    context.on('requestfinished', (request) => {
      if (!request.url().startsWith(url) || request.url().includes('/pkg/')) return;
      this.answers.push(wholeAnswer(request));
    });
  }

  /** Declares complaints that a test provokes on purpose. */
  expect(pattern) {
    this.expected.push(pattern);
  }

  /** Remembers a token that was shown, to search for it later. */
  shown(token) {
    this.tokens.push(token);
  }

  async verdict() {
    const surprising = this.complaints.filter((said) => !this.expected.some((pattern) => pattern.test(said)));
    expect(surprising, 'complaints of the browser').toEqual([]);
    const answers = await Promise.all(this.answers);
    for (const token of this.tokens) {
      expect(this.requests.filter((request) => request.includes(token)), 'requests with the token').toEqual([]);
      expect(answers.filter((answer) => answer.includes(token)).length, 'answers with the token').toBeLessThanOrEqual(1);
      expect(filesWith(process.env.LATCHKEY_FOLDER, token), 'files with the token').toEqual([]);
    }
  }
}

async function wholeAnswer(request) {
  // A page that has been closed has no response to read.
  const response = await request.response().catch(() => null);
  const headers = JSON.stringify(response?.headers() ?? {});
  return (response?.text() ?? Promise.reject()).then((text) => `${headers} ${text}`, () => headers);
}

/** Returns the names of the server's files (its log and database) that contain a token. */
function filesWith(folder, token) {
  return readdirSync(folder).filter((name) => {
    const path = join(folder, name);
    return statSync(path).isFile() && readFileSync(path).includes(token);
  });
}

export const test = base.extend({
  baseURL: async ({}, use) => use(process.env.LATCHKEY_URL),
  team: async ({}, use) => use(new Team()),
  newTeam: async ({}, use) => use(() => new Team()),

  watch: [
    async ({ context, baseURL, scripted }, use) => {
      const watch = new Watch(context, baseURL);
      // Without JavaScript, nothing runs the module that the page preloads.
      if (!scripted) watch.expect(/preloaded using link preload but not used/);
      await context.addInitScript(noteHydration);
      await use(watch);
      await watch.verdict();
    },
    { auto: true },
  ],

  /** Opens a page in another browser context with the same settings. */
  elsewhere: async ({ browser, baseURL, javaScriptEnabled }, use) => {
    const contexts = [];
    await use(async () => {
      const context = await browser.newContext({ baseURL, javaScriptEnabled });
      contexts.push(context);
      return context.newPage();
    });
    for (const context of contexts) await context.close();
  },

  /** Whether this project runs JavaScript. */
  scripted: async ({ javaScriptEnabled }, use) => use(javaScriptEnabled !== false),

  /** Opens a path and waits for hydration, if there is any. */
  open: async ({ page, scripted }, use) =>
    use(async (path) => {
      const response = await page.goto(path);
      if (scripted) await alive(page);
      return response;
    }),

  signIn: async ({ page, open, scripted }, use) =>
    use(async (person, path = '/user/api-keys') => {
      await open(path);
      await page.getByLabel('Email').fill(person.email);
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      // Not the path in the query of the sign-in page.
      await expect(page).toHaveURL(new RegExp(`^[^?]*${path.replace(/[?]/g, '\\?')}$`));
      if (scripted) await alive(page);
    }),
});

/** Runs in the page before any other script. A page answers to clicks once the script listens for the last of its events. */
function noteHydration() {
  window.unhydrated = true;
  const real = window.addEventListener;
  window.addEventListener = function (type, ...rest) {
    real.call(this, type, ...rest);
    if (type === 'submit') window.unhydrated = false;
  };
}

/** Waits until the islands of a page are hydrated. */
export async function alive(page) {
  await page.waitForLoadState('load');
  // The state of a page that was just left may still be reported, so the new page is asked too.
  await page.waitForFunction(() => document.readyState === 'complete' && (!window.unhydrated || !document.querySelector('leptos-island')));
}

/** Verifies a token as an API would, outside the browser. */
export async function isValid(token) {
  const answer = await fetch(`${process.env.LATCHKEY_URL}/api/v1/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()).valid;
}

/** Checks that a token is nowhere in a page: its URL, HTML, fields, storage, cookies or history. */
export async function expectNowhere(page, token) {
  expect(page.url()).not.toContain(token);
  const held = await page.evaluate(() => [
    document.documentElement.outerHTML,
    ...[...document.querySelectorAll('input, textarea, select')].map((field) => field.value),
    JSON.stringify({ ...localStorage }),
    JSON.stringify({ ...sessionStorage }),
    document.cookie,
    JSON.stringify(history.state),
    document.title,
  ]);
  expect(held.filter((text) => text?.includes(token))).toEqual([]);
  const stored = JSON.stringify(await page.context().storageState());
  expect(stored).not.toContain(token);
}
