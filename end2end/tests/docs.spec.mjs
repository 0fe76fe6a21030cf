// The documentation inside the product, the test of a key, and the way of a new user from the setup link to a verified key.
import { execFileSync } from 'node:child_process';
import { expectAccessible } from '../support/accessible.mjs';
import { start } from '../support/server.mjs';
import { PASSWORD, TOKEN, alive, expect, test } from '../support/test.mjs';
import { SAVED, nameField } from '../support/steps.mjs';

const GUIDES = ['get-started', 'verify', 'rotate', 'service-accounts-and-agents', 'graphql', 'forward-auth', 'gateway'];
const run = (command) => execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const block = (page, text) => page.locator('.guide pre').filter({ hasText: text }).first();

test('every guide is readable without signing in, with the address of this server @both', async ({ page, open, scripted }) => {
  await open('/docs');
  await expect(page.getByRole('heading', { level: 1, name: 'Documentation' })).toBeVisible();
  await expect(page.locator('.guides a')).toHaveCount(GUIDES.length);
  for (const guide of GUIDES) {
    const answer = await open(`/docs/${guide}`);
    expect(answer.status(), guide).toBe(200);
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
    await expect(page).toHaveTitle(`${await page.getByRole('heading', { level: 1 }).textContent()} · Latchkey`);
    await expect(page.getByRole('navigation', { name: 'Guides' }).locator('[aria-current=page]')).toHaveCount(1);
    expect(await page.content()).not.toContain('keys.example.com');
    // Without JavaScript, axe takes ten times as long to say the same.
    if (scripted) await expectAccessible(page, guide);
  }
  await open('/docs/verify');
  await expect(block(page, 'curl -X POST')).toContainText(`${process.env.LATCHKEY_URL}/api/v1/verify`);
});

test('a guide that does not exist is not found', async ({ page, open, watch }) => {
  watch.expect(/status of 404/);
  expect((await open('/docs/nothing')).status()).toBe(404);
});

test('a signed-in person reads the guides in the frame, with the hint of a key', async ({ page, context, open, team, signIn }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const ada = team.person('USER');
  const token = team.key(ada, 'laptop');
  await signIn(ada);
  await open('/docs/get-started');
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await expect(block(page, 'TOKEN=')).toHaveText(`TOKEN=${token.slice(0, 8)}…`);
  await expect(page.getByText('The examples contain the beginning of your key “laptop”')).toBeVisible();
  await page.locator('.guide .copied-text').nth(1).getByRole('button').click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('/api/v1/verify');
});

test('the copy buttons work for people who are not signed in', async ({ page, context, open }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open('/docs/verify');
  await page.locator('.guide .copied-text').first().getByRole('button').click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('/api/v1/verify');
});

test('a pasted key is tested, and never shown again @both', async ({ page, open, team, signIn }) => {
  const ada = team.person('USER');
  const token = team.key(ada, 'laptop');
  await signIn(ada);
  await open('/user/api-keys/test');
  const field = page.getByLabel('API key', { exact: true });
  for (const [pasted, answer] of [
    [` ${token} `, '"valid": true'],
    ['lku_wrong', '"valid": false'],
  ]) {
    await field.fill(pasted);
    await page.getByRole('button', { name: 'Test key', exact: true }).click();
    await expect(page.getByRole('status').locator('pre')).toContainText(answer);
    await expect(field).toHaveValue('');
    expect(await page.content()).not.toContain(pasted.trim());
  }
});

/** How long a new user may need from the setup link to the first verified key. */
const FIRST_KEY_WITHIN_MS = 60_000;

test('a new user comes from the setup link to a verified key within a minute', async ({ page }) => {
  test.slow();
  const server = await start();
  // A person types about six characters a second, and looks at each page before a press.
  const type = (label, text) => page.getByLabel(label, { exact: true }).pressSequentially(text, { delay: 150 });
  const press = async (button) => {
    await page.waitForTimeout(2_000);
    await button.click();
  };
  try {
    const began = Date.now();
    await page.goto(/http:\S+\/set-up\/\S+/.exec(server.said)[0]);
    await type('Tenant name', 'Acme');
    await type('Your name', 'Ada Lovelace');
    await type('Email', 'ada@example.org');
    await type('Password', PASSWORD);
    await press(page.getByRole('button', { name: 'Create tenant' }));
    await alive(page);
    await press(page.getByRole('link', { name: 'Create a key', exact: true }));
    await nameField(page).pressSequentially('first', { delay: 150 });
    await press(page.getByRole('button', { name: 'Create', exact: true }));
    const field = page.getByLabel('API key', { exact: true });
    await expect(field).toHaveValue(TOKEN);
    const example = page.getByRole('group', { name: 'How to use this key' });
    await press(example.getByRole('button', { name: /^Copy/ }).first());
    const command = await example.locator('pre').first().textContent();
    expect(JSON.parse(run(command))).toMatchObject({ valid: true, key: { name: 'first' }, owner: { name: 'Ada Lovelace' } });
    await expect(page.locator('#first-request')).toHaveText(/^✓ Verified/, { timeout: 10_000 });
    const took = Date.now() - began;
    console.log(`from the setup link to the first verified key: ${(took / 1_000).toFixed(1)} s`);
    expect(took).toBeLessThan(FIRST_KEY_WITHIN_MS);
    const token = await field.inputValue();
    await page.getByRole('button', { name: 'Copy', exact: true }).first().click();
    await page.getByRole('link', { name: SAVED }).click();
    await expect(page.getByRole('heading', { name: 'Your API key has been created' })).toHaveCount(0);

    // The commands of the first guide, with the key pasted in place of its beginning.
    await page.goto(`${server.url}/docs/get-started`);
    const variable = (await block(page, 'TOKEN=').textContent()).replace(/=.*$/, `=${token}`);
    const verify = await block(page, 'curl -X POST').textContent();
    expect(JSON.parse(run(`${variable}\n${verify}`))).toMatchObject({ valid: true, key: { name: 'first' } });
  } finally {
    await server.stop();
  }
});
