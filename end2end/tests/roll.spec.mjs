// Rotating a key, its usage, and the keys that were created with it.
import { expectAccessible } from '../support/accessible.mjs';
import { expect, expectNowhere, isValid, test } from '../support/test.mjs';
import { press, roll, row, said } from '../support/steps.mjs';

/** Opens the page of one of the user's own keys and returns its path. */
async function keyPage(page, open, name) {
  await open('/user/api-keys');
  const path = await row(page, name).first().getByRole('link', { name, exact: true }).getAttribute('href');
  await open(path);
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
  return path;
}

const rotation = (page) => page.getByRole('region', { name: /^(Rotation in progress|Rotated on)/ });

test('a key is rotated with a grace period, which is extended and ended early @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const old = team.key(ada, 'ci');
  await signIn(ada);
  const path = await keyPage(page, open, 'ci');
  const token = await roll(page, watch, scripted, '24 hours');
  expect([await isValid(old), await isValid(token)]).toEqual([true, true]);
  await open('/user/api-keys');
  await expect(page.getByText('Being replaced by')).toBeVisible();
  await open(path);
  await expect(rotation(page)).toContainText('Both keys work.');
  await expect(rotation(page)).toContainText('from 127.0.0.1');
  if (scripted) await expectAccessible(page, 'a key in its grace period');
  await expectNowhere(page, token);

  await press(page, 'Extend', scripted);
  await page.getByLabel('7 days').check();
  await page.getByRole('button', { name: 'Extend', exact: true }).click();
  await said(page, 'Grace period of “ci” extended.');
  await open(path);
  await expect(rotation(page)).toContainText(/in (6|7) days/);
  await press(page, 'End old key now', scripted);
  await expect(page.getByText('from 1 IP address').first()).toBeVisible();
  await expect(page.getByText('It stops working immediately and permanently.')).toHaveCount(1);
  await page.getByRole('button', { name: 'End old key now' }).click();
  await said(page, 'Rotation complete: the old “ci” key no longer works.');
  expect([await isValid(old), await isValid(token)]).toEqual([false, true]);

  await open('/user/api-keys');
  await expect(page.getByText('is still being used.')).toBeVisible();
  await open(path);
  await expect(rotation(page)).toContainText('Rejected');
});

test('the old key stops immediately, or when the new key is first used, as selected @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const [abrupt, patient] = ['abrupt', 'patient'].map((name) => team.key(ada, name));
  await signIn(ada);
  await keyPage(page, open, 'abrupt');
  await roll(page, watch, scripted, 'Stop it now');
  expect(await isValid(abrupt)).toBe(false);
  await keyPage(page, open, 'patient');
  const token = await roll(page, watch, scripted, 'Until the new key is first used');
  expect(await isValid(patient)).toBe(true);
  expect(await isValid(token)).toBe(true);
  expect(await isValid(patient)).toBe(false);
});

test('undoing a rotation revokes the new key and restores the old one @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const old = team.key(ada, 'ci');
  await signIn(ada);
  const path = await keyPage(page, open, 'ci');
  const token = await roll(page, watch, scripted, '1 hour');
  await open(path);
  await press(page, 'Undo rotation', scripted);
  await page.getByRole('button', { name: 'Undo rotation' }).click();
  await said(page, 'Rotation of “ci” undone.');
  expect([await isValid(old), await isValid(token)]).toEqual([true, false]);
  await open(path);
  await expect(page.getByText('Never', { exact: true })).toBeVisible();
});

test('a key page shows its clients and created keys, which can be revoked with it @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  const maker = team.key(ada, 'maker');
  const made = 'mutation($id: String!) { create_api_key(input: { user_id: $id, name: "made" }) { id token } }';
  const { create_api_key: child } = await team.ask(maker, made, { id: ada.id });
  await signIn(ada);
  await keyPage(page, open, 'maker');
  const clients = page.getByRole('table', { name: 'Clients' });
  await expect(clients).toContainText('127.0.0.1');
  await page.getByText('Show as table').first().click();
  await expect(page.getByRole('table', { name: 'Requests per day in the last 30 days (UTC)' })).toBeVisible();
  await expect(page.getByRole('table', { name: 'Keys created with this key' })).toContainText('made');
  await expect(page.getByRole('table', { name: 'History' })).toContainText('created the key');
  await open(`/user/api-keys/${child.id}`);
  await expect(page.getByText('GraphQL, with the key')).toBeVisible();

  await open('/user/api-keys');
  await press(page, 'Revoke API key maker', scripted);
  await expect(page.getByText('from 1 IP address').first()).toBeVisible();
  await page.getByLabel('Also revoke the key it created: made').check();
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await said(page, '“maker” revoked.');
  expect([await isValid(maker), await isValid(child.token)]).toEqual([false, false]);
});
