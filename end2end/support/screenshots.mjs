// Takes screenshots of each page and dialog with demo data, into end2end/screenshots: in four widths, each light and
// dark, and without JavaScript. The names begin with the page, so that its looks are next to each other.
//
//     node support/screenshots.mjs [FOLDER [LOOK...]]
import { chromium } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchOptions } from './browser.mjs';
import { latchkey, start } from './server.mjs';

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

/** The steps to reach what each screenshot shows. */
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
    await page.getByRole('heading', { name: 'Extend' }).waitFor();
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
    await page.waitForTimeout(200);
    await page.unroute('**/new');
  },
  offline: async (page) => {
    await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
    await page.context().setOffline(true);
    await byName(page, 'Create an API key').click();
    await page.waitForTimeout(500);
    await page.context().setOffline(false);
  },
  'ended-session': async (page) => {
    await page.goto('/user/api-keys', { waitUntil: 'networkidle' });
    const cookies = await page.context().cookies();
    await page.context().clearCookies();
    await byName(page, 'Create an API key').click();
    await page.getByLabel('Email').waitFor();
    await page.context().addCookies(cookies);
  },
  'not-found': (page) => page.goto('/no-such-page', { waitUntil: 'networkidle' }),
};

async function signIn(page, picture) {
  await page.goto('/sign-in', { waitUntil: 'networkidle' });
  await picture('sign-in');
  await page.getByLabel('Email').fill('ada@example.org');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/overview/);
}

async function photograph(browser, url, look, options) {
  const context = await browser.newContext({ baseURL: url, locale: 'en-GB', timezoneId: 'Europe/Berlin', reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(8_000);
  const picture = (name) => page.screenshot({ path: join(folder, `${name}-${look}.png`), animations: 'disabled', fullPage: true });
  await signIn(page, picture);
  let missed = 0;
  for (const [name, come] of Object.entries(PAGES)) {
    try {
      await come(page);
    } catch (error) {
      missed += 1;
      console.error(`${name}-${look}: ${error.message.split('\n')[0]}`);
    }
    await picture(name);
  }
  await context.close();
  return missed;
}

mkdirSync(folder, { recursive: true });
const server = await start({ prepare: (database) => latchkey(database, ['fill-demo']), log: 'warn' });
const browser = await chromium.launch(launchOptions());
try {
  let missed = 0;
  const wanted = process.argv.slice(3);
  const looks = Object.entries(LOOKS).filter(([look]) => !wanted.length || wanted.includes(look));
  for (const [look, options] of looks) missed += await photograph(browser, server.url, look, options);
  console.log(`${folder}: ${looks.length * (Object.keys(PAGES).length + 1)} screenshots, ${missed} failed`);
  process.exitCode = missed ? 1 : 0;
} finally {
  await browser.close();
  await server.stop();
}
