// A key whose token another system has made: how lists and its page show it, and how it is rotated.
import { expectAccessible } from '../support/accessible.mjs';
import { expect, expectNowhere, isValid, test } from '../support/test.mjs';
import { revoke, roll, row } from '../support/steps.mjs';

const NOTE = 'Its token has its own format: leak scans and secret scanners can\'t recognize it.';
const ADVICE = 'Rotate the key to replace it with a Latchkey token.';

test('an imported key is marked, and rotated to a token of Latchkey @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const old = team.import(ada, 'billing');
  team.key(ada, 'laptop');
  expect(await isValid(old)).toBe(true);
  await signIn(ada);
  await expect(row(page, 'billing')).toContainText('Imported');
  await expect(row(page, 'billing')).toContainText(`${old.slice(0, 10)}…`);
  await expect(row(page, 'laptop')).not.toContainText('Imported');

  const path = await row(page, 'billing').getByRole('link', { name: 'billing', exact: true }).getAttribute('href');
  await open(path);
  await expect(page.getByText(NOTE)).toBeVisible();
  await expect(page.getByText(ADVICE)).toBeVisible();
  await expect(page.getByRole('region', { name: 'History' })).toContainText('imported');
  if (scripted) await expectAccessible(page, 'an imported key');
  await expectNowhere(page, old);

  const token = await roll(page, watch, scripted, 'Until the new key is first used');
  expect(await isValid(old)).toBe(true);
  expect([await isValid(token), await isValid(old)]).toEqual([true, false]);
  await open(path);
  await expect(page.getByText(NOTE)).toBeVisible();
  await expect(page.getByText(ADVICE)).toHaveCount(0);
  await open('/user/api-keys');
  await expect(row(page, 'billing')).toHaveCount(1);
  await expect(row(page, 'billing')).not.toContainText('Imported');
});

test('an administrator sees imported keys in the inventory, and revokes one @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  team.account('robot');
  const token = team.import('robot', 'nightly');
  expect(await isValid(token)).toBe(true);
  await signIn(ada, '/team/keys');
  await expect(row(page, 'nightly')).toContainText('Imported');
  await revoke(page, scripted, 'nightly');
  expect(await isValid(token)).toBe(false);
  await open('/team/keys?state=revoked');
  await expect(row(page, 'nightly')).toContainText('Imported');
});
