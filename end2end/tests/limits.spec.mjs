// The limits of keys: allowed addresses, and requests per window.
import { expectAccessible } from '../support/accessible.mjs';
import { createKey, nameField, press, row, said, storeIt } from '../support/steps.mjs';
import { expect, isValid, test } from '../support/test.mjs';

/** Asks as a proxy would whether a key may pass. */
async function forward(token) {
  const answer = await fetch(`${process.env.LATCHKEY_URL}/auth/forward`, { headers: { authorization: `Bearer ${token}` } });
  return [answer.status, answer.headers.get('retry-after')];
}

/** Opens the menu of a row and selects one of its items. */
async function choose(page, name, item, scripted) {
  await page.locator(`button[aria-label="More for ${name}"]`).click();
  await press(page, item, scripted);
}

const addresses = (page) => page.getByLabel('Allowed addresses');
const requests = (page) => page.getByRole('textbox', { name: 'Rate limit' });
const anyway = (page) => page.getByRole('checkbox', { name: /^Allow a list without my own address/ });
const details = (page, name) => row(page, name).first().getByRole('link', { name, exact: true }).click();

test('a key is created with limits, which hold at once @both', async ({ page, team, signIn, scripted, watch }) => {
  await signIn(team.person('USER'));
  const token = await createKey(page, watch, scripted, 'limited', async () => {
    await expect(addresses(page)).toBeHidden();
    await page.locator('summary').filter({ hasText: 'Limits' }).click();
    await addresses(page).fill('203.0.113.0/24\n127.0.0.0/8\n::1, 127.0.0.0/8');
    await requests(page).fill('2');
    await page.getByLabel('Window').selectOption('per day');
    if (scripted) await expectAccessible(page, 'the form with limits');
  });
  await storeIt(page, scripted);
  // The test has verified the key once.
  expect(await forward(token)).toEqual([200, null]);
  const [status, wait] = await forward(token);
  expect([status, Number(wait) > 43_000]).toEqual([403, true]);
  await details(page, 'limited');
  await expect(page.getByText('Only from 127.0.0.0/8, 203.0.113.0/24, ::1/128')).toBeVisible();
  await expect(page.getByText('2 requests a day, per server')).toBeVisible();
});

test('limits are changed, with a warning before the person locks out themselves @both', async ({ page, open, team, signIn, scripted, watch }) => {
  watch.expect(/status of (422|409)/);
  const ada = team.person('USER');
  const token = team.key(ada, 'laptop');
  await signIn(ada);
  await choose(page, 'laptop', 'Change limits', scripted);
  await expect(page.getByRole('heading', { name: 'Change limits of “laptop”' })).toBeVisible();
  const save = () => page.getByRole('button', { name: 'Change limits', exact: true }).click();
  await addresses(page).fill('203.0.113.9/24');
  await requests(page).fill('many');
  await save();
  await expect(page.getByRole('alert').filter({ hasText: 'Use 203.0.113.0/24 for the whole network' })).toBeVisible();
  await expect(page.getByRole('alert').filter({ hasText: 'Enter a whole number of requests' })).toBeVisible();
  await expect(addresses(page)).toHaveValue('203.0.113.9/24');
  await expect(requests(page)).toHaveValue('many');

  await addresses(page).fill('203.0.113.0/24');
  await requests(page).fill('600');
  await page.getByLabel('Window').selectOption('per minute');
  await save();
  await expect(page.getByRole('alert').filter({ hasText: /Your own address, (127\.0\.0\.1|::1), isn't in the list/ })).toBeVisible();
  await expect(addresses(page)).toHaveValue('203.0.113.0/24');
  if (scripted) await expectAccessible(page, 'the form that changes limits');
  expect(await isValid(token)).toBe(true);

  await anyway(page).check();
  await save();
  await said(page, 'Limits of “laptop” changed.');
  expect(await isValid(token)).toBe(false);
  await open('/user/api-keys');
  await details(page, 'laptop');
  await expect(page.getByText('Only from 203.0.113.0/24')).toBeVisible();
  await expect(page.getByText('600 requests a minute, per server')).toBeVisible();
  await expect(page.getByText('changed the limits of the key')).toBeVisible();

  await page.getByRole('button', { name: 'More for laptop' }).click();
  await press(page, 'Change limits', scripted);
  await expect(addresses(page)).toHaveValue('203.0.113.0/24');
  await expect(requests(page)).toHaveValue('600');
  await addresses(page).fill('');
  await requests(page).fill('');
  await save();
  await said(page, 'Limits of “laptop” changed.');
  expect(await isValid(token)).toBe(true);
});

test('the form of a new key keeps the limits after an error @both', async ({ page, team, signIn, scripted, watch }) => {
  watch.expect(/status of (422|409)/);
  await signIn(team.person('USER'));
  await press(page, 'Create an API key', scripted);
  await nameField(page).fill('later');
  await page.locator('summary').filter({ hasText: 'Limits' }).click();
  await addresses(page).fill('203.0.113.0/24');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'isn\'t in the list' })).toBeVisible();
  await expect(addresses(page)).toHaveValue('203.0.113.0/24');
  await expect(nameField(page)).toHaveValue('later');
  await addresses(page).fill('127.0.0.1 ::1');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Your API key has been created' })).toBeVisible();
});
