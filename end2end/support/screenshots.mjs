// Takes screenshots of each page and dialog with demo data, into end2end/screenshots: in four widths, each light and
// dark, and without JavaScript. The names begin with the page, so that its looks are next to each other. After the pages
// and states that are listed here come all others that links lead to.
//
//     node support/screenshots.mjs [FOLDER [LOOK...]]
import { chromium } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchOptions } from './browser.mjs';
import { latchkey, start } from './server.mjs';
import { kind } from './site.mjs';

const folder = process.argv[2] ?? fileURLToPath(new URL('../screenshots', import.meta.url));
const PASSWORD = 'seven lamps under the pier';

const SCREENS = {
  wide: { viewport: { width: 1440, height: 900 } },
  medium: { viewport: { width: 1024, height: 768 } },
  small: { viewport: { width: 780, height: 1024 } },
  narrow: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true },
};

/** The name and the browser options of each look. */
const LOOKS = Object.fromEntries([
  ...Object.entries(SCREENS).flatMap(([name, options]) => [
    [name, options],
    [`${name}-dark`, { ...options, colorScheme: 'dark' }],
  ]),
  ['plain', { ...SCREENS.wide, javaScriptEnabled: false }],
]);

const byName = (page, name) => page.getByRole('link', { name }).or(page.getByRole('button', { name })).first();

async function account(page) {
  await page.goto('/team/service-accounts');
  await page.getByRole('link', { name: 'Deployer', exact: true }).click();
  await page.waitForLoadState('networkidle');
}

async function create(page) {
  await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
  await byName(page, 'Create an API key').click();
  await page.getByLabel('Name', { exact: true }).fill('Release robot');
}

/** What only script shows. */
const SCRIPTED = ['slow-dialog', 'offline', 'ended-session'];

/** The steps to reach what each screenshot shows. They may return what has to follow the screenshot. */
const PAGES = {
  keys: (page) => page.goto('/user/api-keys', { waitUntil: 'networkidle' }),
  'keys-all': (page) => page.goto('/user/api-keys?state=all', { waitUntil: 'networkidle' }),
  'keys-no-hit': (page) => page.goto('/user/api-keys?q=zebra', { waitUntil: 'networkidle' }),
  create,
  'create-date': async (page) => {
    await create(page);
    await page.getByLabel('Custom…').check();
  },
  reveal: async (page) => {
    await create(page);
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'Your API key has been created' }).waitFor();
  },
  revoke: async (page) => {
    await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
    await byName(page, 'Revoke API key Laptop').click();
    await page.getByRole('heading', { name: 'Revoke “Laptop”?' }).waitFor();
  },
  key: async (page) => {
    await account(page);
    await page.getByRole('link', { name: 'Agent, Frankfurt' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'Agent, Frankfurt' }).waitFor();
  },
  accounts: (page) => page.goto('/team/service-accounts', { waitUntil: 'networkidle' }),
  'add-account': async (page) => {
    await page.goto('/team/service-accounts', { waitUntil: 'networkidle' });
    await byName(page, 'Add service account').click();
    await page.getByLabel('Name', { exact: true }).waitFor();
  },
  account,
  'delete-account': async (page) => {
    await page.goto('/team/service-accounts', { waitUntil: 'networkidle' });
    await byName(page, 'Delete service account Deployer').click();
    await page.getByRole('heading', { name: 'Delete “Deployer”?' }).waitFor();
  },
  members: (page) => page.goto('/team/members', { waitUntil: 'networkidle' }),
  profile: (page) => page.goto('/user/profile', { waitUntil: 'networkidle' }),
  sessions: (page) => page.goto('/user/sessions', { waitUntil: 'networkidle' }),
  'second-factor': (page) => page.goto('/user/second-factor/begin', { waitUntil: 'networkidle' }),
  'all-keys': (page) => page.goto('/team/keys', { waitUntil: 'networkidle' }),
  'audit-log': (page) => page.goto('/team/audit-log', { waitUntil: 'networkidle' }),
  settings: (page) => page.goto('/team/settings', { waitUntil: 'networkidle' }),
  policy: (page) => page.goto('/team/settings/policies/max_lifetime', { waitUntil: 'networkidle' }),
  invite: async (page) => {
    await page.goto('/team/members', { waitUntil: 'networkidle' });
    await byName(page, 'Invite a member').click();
    await page.getByRole('heading', { name: 'Invite a member' }).waitFor();
  },
  rolled: async (page) => {
    await account(page);
    await page.getByRole('link', { name: 'Agent, Oregon' }).first().click();
    await page.getByRole('region', { name: /^Rotat/ }).waitFor();
  },
  roll: async (page) => {
    await account(page);
    await page.getByRole('link', { name: 'Agent, Frankfurt' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'Agent, Frankfurt' }).waitFor();
    await page.locator('button[aria-label="More for Agent, Frankfurt"]').click();
    await byName(page, 'Rotate').click();
    await page.getByRole('heading', { name: 'Rotate “Agent, Frankfurt”' }).waitFor();
  },
  'extend-roll': async (page) => {
    await account(page);
    await page.getByRole('link', { name: 'Agent, Oregon' }).first().click();
    await byName(page, 'Extend').click();
    await page.getByRole('heading', { name: 'Extend the grace period' }).waitFor();
  },
  graphiql: async (page) => {
    await page.goto('/graphiql', { waitUntil: 'networkidle' });
  },
  menu: async (page) => {
    await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
    await page.locator('button[aria-label="More for Laptop"]').click();
  },
  overview: (page) => page.goto('/team/overview', { waitUntil: 'networkidle' }),
  docs: (page) => page.goto('/docs/verify', { waitUntil: 'networkidle' }),
  search: async (page) => {
    await page.goto('/search?q=agent', { waitUntil: 'networkidle' });
  },
  shortcuts: (page) => page.goto('/shortcuts', { waitUntil: 'networkidle' }),
  navigation: async (page) => {
    await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
    const button = page.getByRole('button', { name: 'Menu', exact: true });
    if (await button.isVisible()) await button.click();
  },
  'slow-dialog': async (page) => {
    await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
    await page.route('**/new', () => {});
    await byName(page, 'Create an API key').click();
    await page.locator('dialog[open] .skeleton').waitFor();
    return () => page.unroute('**/new');
  },
  offline: async (page) => {
    await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
    await page.context().setOffline(true);
    await byName(page, 'Create an API key').click();
    await page.getByRole('alert').or(page.getByRole('status')).filter({ visible: true }).first().waitFor();
    return () => page.context().setOffline(false);
  },
  'ended-session': async (page) => {
    await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
    const cookies = await page.context().cookies();
    await page.context().clearCookies();
    await byName(page, 'Create an API key').click();
    await page.getByLabel('Email').waitFor();
    return () => page.context().addCookies(cookies);
  },
  'not-found': (page) => page.goto('/no-such-page', { waitUntil: 'networkidle' }),
};

/** Links that aren't pages, or have their picture already. */
const NO_PAGE = /^\/(sign-out|graphql|graphiql|pkg|api|team\/audit-log\/export|user\/calendar\/[^/]*\.ics)|\.(csv|jsonl|ics|xml)$/;
/** Where the search for pages begins. */
const SEEDS = ['/user/api-keys', '/team/overview', '/team/service-accounts', '/team/keys', '/team/members', '/team/settings', '/docs'];

/** Takes a picture of one page or dialog of each kind that a link leads to. */
async function crawl(page, picture, isScripted) {
  const seen = new Set();
  const queue = SEEDS.map((href) => ({ href }));
  let missed = 0;
  while (queue.length) {
    const { href, from } = queue.shift();
    if (seen.has(kind(href))) continue;
    seen.add(kind(href));
    try {
      await page.goto(from ?? href, { waitUntil: 'networkidle' });
      // The link itself may be in a closed menu, where a click by the script opens the dialog too.
      if (from) await page.locator(`a[data-dialog][href="${href}"]`).first().evaluate((link) => link.click());
      if (from) await page.locator('dialog[open] .card:not(.skeleton)').waitFor();
    } catch (error) {
      missed += 1;
      console.error(`${href} (${from ?? 'page'}): ${error.message.split('\n')[0]}`);
    }
    await picture(`page${kind(href).replaceAll('/', '-').replaceAll('*', 'id')}`);
    // Not what the dialog leads to: it is closed when the page is opened again.
    const links = await page.locator('a[href^="/"]').evaluateAll((all) =>
      all.filter((link) => !link.closest('dialog')).map((link) => ({ href: link.getAttribute('href'), isDialog: link.dataset.dialog !== undefined })),
    );
    const here = new URL(page.url());
    for (const { href: to, isDialog } of links) {
      if (NO_PAGE.test(to) || seen.has(kind(to))) continue;
      queue.push({ href: to, from: isDialog && isScripted ? here.pathname + here.search : undefined });
    }
  }
  return missed;
}

/** Takes pictures of a new server: its first page, and the form that the printed link opens. */
async function photographSetUp(context, picture) {
  const server = await start({ log: 'warn' });
  const page = await context.newPage();
  try {
    await page.goto(server.url, { waitUntil: 'networkidle' });
    await picture('before-set-up', page);
    await page.goto(/http:\S+\/set-up\/\S+/.exec(server.said)[0], { waitUntil: 'networkidle' });
    await picture('set-up', page);
  } finally {
    await page.close();
    await server.stop();
  }
}

/** Invites somebody, and takes pictures of the link and of the page that it opens for who is not signed in. */
async function photographInvitation(page, elsewhere, picture) {
  await page.goto('/team/members/invite', { waitUntil: 'networkidle' });
  await page.getByLabel('Email').fill(`new.${Date.now()}@example.org`);
  await page.getByRole('radio', { name: 'User', exact: true }).check();
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  const link = page.getByLabel('Link', { exact: true });
  await link.waitFor();
  await picture('invited');
  const guest = await elsewhere.newPage();
  await guest.goto(await link.inputValue(), { waitUntil: 'networkidle' });
  await picture('invitation', guest);
  await elsewhere.close();
}

async function signIn(page, picture) {
  await page.goto('/sign-in', { waitUntil: 'networkidle' });
  await picture('sign-in');
  await page.getByLabel('Email').fill('ada@example.org');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/overview/);
}

async function photograph(browser, url, look, options) {
  const newContext = () =>
    browser.newContext({ baseURL: url, locale: 'en-GB', timezoneId: 'Europe/Berlin', reducedMotion: 'reduce', ...options });
  const context = await newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(8_000);
  let count = 0;
  const picture = async (name, of = page) => {
    await of.screenshot({ path: join(folder, `${name}-${look}.png`), animations: 'disabled', fullPage: true });
    count += 1;
  };
  await photographSetUp(context, picture);
  await signIn(page, picture);
  await photographInvitation(page, await newContext(), picture);
  let missed = 0;
  const isScripted = options.javaScriptEnabled !== false;
  for (const [name, come] of Object.entries(PAGES).filter(([name]) => isScripted || !SCRIPTED.includes(name))) {
    let leave;
    try {
      leave = await come(page);
    } catch (error) {
      missed += 1;
      console.error(`${name}-${look}: ${error.message.split('\n')[0]}`);
    }
    await page.mouse.move(0, 0);
    await picture(name);
    if (typeof leave === 'function') await leave();
  }
  missed += await crawl(page, picture, isScripted);
  await context.close();
  return { missed, count };
}

mkdirSync(folder, { recursive: true });
const server = await start({ prepare: (database) => latchkey(database, ['fill-demo']), log: 'warn' });
const browser = await chromium.launch(launchOptions());
try {
  const [all, wanted] = [{ missed: 0, count: 0 }, process.argv.slice(3)];
  const looks = Object.entries(LOOKS).filter(([look]) => !wanted.length || wanted.includes(look));
  for (const [look, options] of looks) {
    const { missed, count } = await photograph(browser, server.url, look, options);
    all.missed += missed;
    all.count += count;
  }
  console.log(`${folder}: ${all.count} screenshots, ${all.missed} failed`);
  process.exitCode = all.missed ? 1 : 0;
} finally {
  await browser.close();
  await server.stop();
}
