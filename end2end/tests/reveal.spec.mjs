// The dialogs of a hydrated page: nothing is lost or done by accident.
import { execFileSync } from 'node:child_process';
import { TOKEN, alive, expect, expectNowhere, isValid, test } from '../support/test.mjs';
import { createKey, nameField, press, revealed, row, storeIt } from '../support/steps.mjs';

const corner = { x: 5, y: 5 };

/** Creates a key and returns the token that is shown, without using it. */
async function createToken(page, name, watch) {
  await press(page, 'Create an API key', true);
  await nameField(page).fill(name);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  const field = page.getByLabel('API key', { exact: true });
  await expect(field).toHaveValue(TOKEN);
  const token = await field.inputValue();
  watch.shown(token);
  return token;
}

const dialog = (page) => page.getByRole('dialog').or(page.getByRole('alertdialog'));

test('a double click on Create creates one key', async ({ page, open, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  await press(page, 'Create an API key', true);
  await nameField(page).fill('twice');
  await page.getByRole('button', { name: 'Create', exact: true }).dblclick();
  const token = await revealed(page, watch);
  await storeIt(page, true);
  await open('/user/api-keys?state=all');
  await expect(row(page, 'twice')).toHaveCount(1);
  expect(await isValid(token)).toBe(true);
});

test('submitting the same form twice creates one key @plain', async ({ page, open, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  await press(page, 'Create an API key', false);
  await nameField(page).fill('twice');
  // Sent once outside the page, like a click whose response was lost.
  const form = await page.locator('form:has([name=idempotency_key])').evaluate((form) => Object.fromEntries(new FormData(form)));
  const headers = { origin: process.env.LATCHKEY_URL, accept: 'text/html' };
  expect((await page.request.post('/fn/create_api_key', { form, headers })).status()).toBe(200);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await revealed(page, watch);
  await storeIt(page, false);
  await open('/user/api-keys?state=all');
  await expect(row(page, 'twice')).toHaveCount(1);
});

test('Escape and a click outside never lose a revealed token', async ({ page, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  const token = await createKey(page, watch, true, 'safe');
  for (let press = 0; press < 3; press += 1) await page.keyboard.press('Escape');
  await page.mouse.click(corner.x, corner.y);
  await page.mouse.click(1275, 795);
  await expect(page.getByRole('heading', { name: 'Your API key has been created' })).toBeVisible();
  await expect(page.getByLabel('API key', { exact: true })).toHaveValue(token);
  await storeIt(page, true);
  await expect(row(page, 'safe')).toBeVisible();
  await expectNowhere(page, token);
});

test('Escape and a click outside never revoke a key', async ({ page, open, team, signIn, watch }) => {
  const ada = team.person('USER');
  const token = team.key(ada, 'alive');
  watch.shown(token);
  await signIn(ada);
  for (const leave of [() => page.keyboard.press('Escape'), () => page.mouse.click(corner.x, corner.y)]) {
    await press(page, 'Revoke API key alive', true);
    await expect(page.getByRole('button', { name: 'Cancel' }).or(page.getByRole('link', { name: 'Cancel' }))).toBeFocused();
    await leave();
    await expect(dialog(page)).toHaveCount(0);
    expect(await isValid(token)).toBe(true);
  }
  await press(page, 'Revoke API key alive', true);
  await page.keyboard.press('Enter');
  await expect(dialog(page)).toHaveCount(0);
  expect(await isValid(token)).toBe(true);
  await open('/user/api-keys');
  await expect(row(page, 'alive')).toContainText('Active');
});

test('the copied token is the one shown, and every example contains it', async ({ page, context, team, signIn, watch }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(team.person('USER'));
  const token = await createKey(page, watch, true, 'copied');
  await page.getByRole('button', { name: 'Copy', exact: true }).first().click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(token);
  const examples = page.getByRole('group', { name: 'How to use this key' });
  const shown = examples.locator('pre').filter({ visible: true });
  await expect(examples.getByRole('radio', { name: 'Verify' })).toBeChecked();
  for (const name of ['Verify', 'Header', 'Node.js', 'Python', 'Go', 'Rust', '.env', 'Kubernetes']) {
    await examples.getByText(name, { exact: true }).click();
    await expect(shown).toHaveCount(1);
    await expect(shown).toContainText(token);
  }
  await expect(examples.getByText('Agent', { exact: true }), 'a personal key is not for agents').toHaveCount(0);
});

test('the examples have tabs without JavaScript too @plain', async ({ page, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  const token = await createKey(page, watch, false, 'plain');
  const examples = page.getByRole('group', { name: 'How to use this key' });
  await examples.getByText('Python', { exact: true }).click();
  await expect(examples.locator('pre').filter({ visible: true })).toContainText(`{"token": "${token}"}`);
  await expect(page.getByText('Waiting for the first verification…')).toBeHidden();
});

test('the example verifies the key, and the card says so', async ({ page, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  const token = await createToken(page, 'verified', watch);
  const sign = page.locator('#first-request');
  await expect(sign).toHaveText('Waiting for the first verification…');
  const command = await page.getByRole('group', { name: 'How to use this key' }).locator('pre').first().textContent();
  expect(command).toContain(token);
  const answer = JSON.parse(execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  expect(answer).toMatchObject({ valid: true, key: { name: 'verified' }, role: 'USER' });
  await expect(sign).toHaveText(/^✓ Verified \d\d:\d\d:\d\d\b.* from 127\.0\.0\.1$/, { timeout: 10_000 });
  await storeIt(page, true);
});

test('a hidden token can be shown', async ({ page, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  await createKey(page, watch, true, 'shown');
  const field = page.getByLabel('API key', { exact: true });
  const before = await field.getAttribute('type');
  await page.getByRole('button', { name: /^(Show|Hide)$/ }).click();
  expect(await field.getAttribute('type')).not.toBe(before);
});

test('the name field has the focus, and a failed request keeps the input', async ({ page, team, signIn, watch }) => {
  watch.expect(/Failed to load resource/);
  await signIn(team.person('USER'));
  await press(page, 'Create an API key', true);
  await expect(nameField(page)).toBeFocused();
  await nameField(page).fill('kept');
  const broken = (route) => (route.request().method() === 'POST' ? route.abort() : route.continue());
  await page.route('**/fn/create_api_key', broken);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('alert').first()).toBeVisible();
  await expect(nameField(page)).toHaveValue('kept');
  await expect(page.getByRole('button', { name: 'Create', exact: true })).toBeEnabled();
  await page.unroute('**/fn/create_api_key', broken);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await revealed(page, watch);
  await storeIt(page, true);
  await alive(page);
  await expect(row(page, 'kept')).toHaveCount(1);
});

test('a key can be created and revoked with only the keyboard', async ({ page, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  await page.getByRole('link', { name: 'Create an API key' }).or(page.getByRole('button', { name: 'Create an API key' })).first().focus();
  await page.keyboard.press('Enter');
  await expect(nameField(page)).toBeFocused();
  await page.keyboard.type('typed');
  await page.keyboard.press('Enter');
  const token = await revealed(page, watch);
  await page.getByRole('link', { name: "I've saved it", exact: true }).focus();
  await page.keyboard.press('Enter');
  await expect(row(page, 'typed')).toBeVisible();
  const trash = page.getByRole('link', { name: 'Revoke API key typed' }).or(page.getByRole('button', { name: 'Revoke API key typed' }));
  await trash.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Cancel' }).or(page.getByRole('link', { name: 'Cancel' }))).toBeFocused();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').filter({ hasText: '“typed” revoked.' })).toBeVisible();
  expect(await isValid(token)).toBe(false);
});
