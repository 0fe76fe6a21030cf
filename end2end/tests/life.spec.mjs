// The complete lifecycle of a key, with JavaScript and without.
import { alive, expect, expectNowhere, isValid, test } from '../support/test.mjs';
import { createKey, nameField, press, revealed, revoke, row, said, storeIt } from '../support/steps.mjs';

test('a user creates, uses and revokes their own key @both @life', async ({ page, open, team, signIn, scripted, watch }) => {
  await signIn(team.person('USER'));
  await expect(page.getByRole('heading', { level: 1, name: 'API Keys' })).toBeVisible();

  const token = await createKey(page, watch, scripted, 'laptop', () => page.getByLabel('30 days').check());
  await storeIt(page, scripted);
  await open('/user/api-keys');
  await expect(row(page, 'laptop')).toContainText(token.slice(0, 8));
  await expect(row(page, 'laptop')).toContainText('Active');
  await expectNowhere(page, token);

  await press(page, 'Revoke API key laptop', scripted);
  await page.getByRole('button', { name: 'Cancel' }).or(page.getByRole('link', { name: 'Cancel' })).click();
  expect(await isValid(token)).toBe(true);
  await open('/user/api-keys');
  await revoke(page, scripted, 'laptop');
  expect(await isValid(token)).toBe(false);

  await open('/user/api-keys?state=active');
  await expect(row(page, 'laptop')).toHaveCount(0);
  await open('/user/api-keys?state=revoked');
  await expect(row(page, 'laptop')).toContainText('Revoked');
  await expect(page.getByRole('link', { name: 'Revoke API key laptop' })).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Revoke API key laptop' })).toHaveCount(0);
});

test('an administrator creates a service account and its keys, and deletes it @both @life', async ({ page, open, team, signIn, scripted, watch }) => {
  await signIn(team.person(), '/team/service-accounts');
  await press(page, 'Add service account', scripted);
  await nameField(page).fill('deployer');
  await page.getByRole('radio', { name: 'Administrator', exact: true }).check();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'deployer' })).toBeVisible();
  await said(page, '“deployer” created.');

  await open('/team/service-accounts');
  await page.getByRole('link', { name: 'deployer', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'deployer' })).toBeVisible();
  if (scripted) await alive(page);
  const account = page.url();

  const kept = await createKey(page, watch, scripted, 'agent', () => page.getByLabel(/^No expiration/).check());
  expect(kept).toMatch(/^lks_/);
  await storeIt(page, scripted);
  await open(account);
  await expect(row(page, 'agent')).toContainText(/never/i);

  const spare = await createKey(page, watch, scripted, 'spare');
  await storeIt(page, scripted);
  await open(account);
  await revoke(page, scripted, 'spare');
  expect(await isValid(spare)).toBe(false);
  expect(await isValid(kept)).toBe(true);

  await open('/team/service-accounts');
  await expect(row(page, 'deployer')).toContainText('Administrator');
  await press(page, 'Delete service account deployer', scripted);
  await expect(page.getByRole('heading', { name: 'Delete “deployer”?' })).toBeVisible();
  // The key was used a moment ago, so the name must be typed.
  const confirmation = page.getByLabel('Type “deployer” to confirm');
  if (await confirmation.isVisible()) await confirmation.fill('deployer');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await said(page, '“deployer” deleted.');
  expect(await isValid(kept)).toBe(false);
  await open('/team/service-accounts');
  await expect(row(page, 'deployer')).toHaveCount(0);
  await expectNowhere(page, kept);
});

test('once saved, a token is in no later page, tab, history or storage @both @life', async ({ page, context, open, team, signIn, scripted, watch }) => {
  await signIn(team.person('USER'));
  // The browser refuses to go back to the response of a form, and logs that to the console.
  watch.expect(/ERR_CACHE_MISS/);
  const token = await createKey(page, watch, scripted, 'once');
  await storeIt(page, scripted);
  await expectNowhere(page, token);
  await page.reload();
  await expectNowhere(page, token);
  for (let step = 0; step < 3; step += 1) {
    await page.goBack({ timeout: 5_000 }).catch(() => {});
    await page.waitForLoadState();
    await expect(async () => expect(await page.content()).not.toContain(token)).toPass({ timeout: 5_000 });
  }
  const tab = await context.newPage();
  await tab.goto('/user/api-keys');
  await expect(row(tab, 'once')).toBeVisible();
  await expectNowhere(tab, token);
  await open('/user/api-keys/new');
  await expectNowhere(page, token);
});

test('an error is shown at its field, and no input is lost @both', async ({ page, open, team, signIn, scripted, watch }) => {
  watch.expect(/status of 4\d\d/);
  await signIn(team.person('USER'));
  await press(page, 'Create an API key', scripted);
  await nameField(page).fill('too late');
  await page.getByLabel('Custom…').check();
  await page.getByLabel(/^Expiry date/).fill('2020-01-01T00:00');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('alert').first()).toBeVisible();
  await expect(nameField(page)).toHaveValue('too late');
  await expect(page.getByLabel(/^Expiry date/)).toHaveValue('2020-01-01T00:00');
  await expect(page.getByLabel(/^Expiry date/)).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByLabel(/^Expiry date/)).toHaveAccessibleDescription(/time in the future/);
  if (scripted) await expect(page.getByLabel(/^Expiry date/)).toBeFocused();
  await page.getByLabel('7 days', { exact: true }).check();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await revealed(page, watch);
  await storeIt(page, scripted);
  await open('/user/api-keys');
  await expect(row(page, 'too late')).toHaveCount(1);
});

test('a date and time is read in the UTC offset of that day @both', async ({ page, open, team, signIn, scripted, watch }) => {
  await signIn(team.person('USER'));
  // Without JavaScript, the user's time zone is unknown, so the page uses UTC.
  const instants = scripted
    ? { '2031-01-15T12:00': '2031-01-15T11:00:00', '2031-07-15T12:00': '2031-07-15T10:00:00' }
    : { '2031-07-15T12:00': '2031-07-15T12:00:00' };
  for (const [typed, instant] of Object.entries(instants)) {
    const name = `until ${typed}`;
    await open('/user/api-keys');
    await createKey(page, watch, scripted, name, async () => {
      await page.getByLabel('Custom…').check();
      await page.getByLabel(/^Expiry date/).fill(typed);
    });
    await storeIt(page, scripted);
    await open('/user/api-keys');
    await expect(row(page, name).locator(`time[data-as=date][datetime^="${instant}"]`)).toHaveCount(1);
  }
});
