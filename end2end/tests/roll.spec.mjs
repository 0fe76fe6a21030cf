// Rolling a key, the evidence of its use, and the keys that a key has made.
import { expectAccessible } from '../support/accessible.mjs';
import { TOKEN, expect, expectNowhere, isValid, test } from '../support/test.mjs';
import { press, row, said } from '../support/steps.mjs';

/** Opens the page of a key of one's own; returns its path. */
async function keyPage(page, open, name) {
  await open('/user/api-keys');
  const path = await row(page, name).first().getByRole('link', { name, exact: true }).getAttribute('href');
  await open(path);
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
  return path;
}

/** Follows a word of the menu of the key's page. */
async function choose(page, scripted, name, word) {
  await page.locator(`summary[aria-label="More for ${name}"]`).first().click();
  await press(page, word, scripted);
}

/** Rolls the key whose page is open; returns the new token. */
async function roll(page, watch, scripted, name, overlap) {
  await choose(page, scripted, name, 'Rotate');
  await page.getByLabel(overlap).check();
  await page.getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Your API key has been rotated' })).toBeVisible();
  const token = await page.getByLabel('API key', { exact: true }).inputValue();
  expect(token).toMatch(TOKEN);
  watch.shown(token);
  await page.getByRole('link', { name: 'I have stored it' }).click();
  await expect(page.getByRole('heading', { name: 'Your API key has been rotated' })).toHaveCount(0);
  return token;
}

const rotation = (page) => page.getByRole('region', { name: 'Rotation' });

test('a key is rolled with an overlap, seen in use, and finished @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const old = team.key(ada, 'ci');
  await signIn(ada);
  const path = await keyPage(page, open, 'ci');
  const token = await roll(page, watch, scripted, 'ci', '24 hours');
  expect([await isValid(old), await isValid(token)]).toEqual([true, true]);
  await open('/user/api-keys');
  await expect(page.getByText('Being replaced by')).toBeVisible();
  await open(path);
  await expect(rotation(page)).toContainText('Both keys work.');
  await expect(rotation(page)).toContainText('from 127.0.0.1');
  if (scripted) await expectAccessible(page, 'a key in its overlap');
  await expectNowhere(page, token);

  await press(page, 'Extend', scripted);
  await page.getByLabel('7 days').check();
  await page.getByRole('button', { name: 'Extend', exact: true }).click();
  await said(page, 'Grace period of “ci” extended.');
  await open(path);
  await expect(rotation(page)).toContainText(/in (6|7) days/);
  await press(page, 'End old key now', scripted);
  await expect(page.getByText('from 1 address').first()).toBeVisible();
  await page.getByRole('button', { name: 'End old key now' }).click();
  await said(page, 'Rotation complete: the old “ci” key no longer works.');
  expect([await isValid(old), await isValid(token)]).toEqual([false, true]);

  await open('/user/api-keys');
  await expect(page.getByText('Something still uses a token that was rolled out.')).toBeVisible();
  await open(path);
  await expect(rotation(page)).toContainText('Rejected');
});

test('without overlap the old token stops at once, and with the first use of the new one it stops then @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const [abrupt, patient] = ['abrupt', 'patient'].map((name) => team.key(ada, name));
  await signIn(ada);
  await keyPage(page, open, 'abrupt');
  await roll(page, watch, scripted, 'abrupt', 'Stop it now');
  expect(await isValid(abrupt)).toBe(false);
  await keyPage(page, open, 'patient');
  const token = await roll(page, watch, scripted, 'patient', 'Until the new key is first used');
  expect(await isValid(patient)).toBe(true);
  expect(await isValid(token)).toBe(true);
  expect(await isValid(patient)).toBe(false);
});

test('a roll is taken back: the new token stops, the old one is as it was @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const old = team.key(ada, 'ci');
  await signIn(ada);
  const path = await keyPage(page, open, 'ci');
  const token = await roll(page, watch, scripted, 'ci', '1 hour');
  await open(path);
  await press(page, 'Undo rotation', scripted);
  await page.getByRole('button', { name: 'Undo rotation' }).click();
  await said(page, 'Rotation of “ci” undone.');
  expect([await isValid(old), await isValid(token)]).toEqual([true, false]);
  await open(path);
  await expect(page.getByText('Never', { exact: true })).toBeVisible();
});

test('a key tells who used it, what it made, and takes that along when it is revoked @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  const maker = team.key(ada, 'maker');
  const made = 'mutation($id: String!) { create_api_key(input: { user_id: $id, name: "made" }) { id token } }';
  const { create_api_key: child } = await team.ask(maker, made, { id: ada.id });
  await signIn(ada);
  await keyPage(page, open, 'maker');
  const clients = page.getByRole('table', { name: 'Clients' });
  await expect(clients).toContainText('127.0.0.1');
  await page.getByText('Hour by hour').click();
  await expect(page.getByRole('table', { name: 'Hours' })).toBeVisible();
  await expect(page.getByRole('table', { name: 'Keys created with this key' })).toContainText('made');
  await expect(page.getByRole('table', { name: 'History' })).toContainText('Create API key');
  await open(`/user/api-keys/${child.id}`);
  await expect(page.getByText('GraphQL, with the key')).toBeVisible();

  await open('/user/api-keys');
  await press(page, 'Revoke API key maker', scripted);
  await expect(page.getByText('from 1 address').first()).toBeVisible();
  await page.getByLabel('Also revoke the key it created: made').check();
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await said(page, '“maker” revoked.');
  expect([await isValid(maker), await isValid(child.token)]).toEqual([false, false]);
});
