// The list of all keys of a tenant, bulk actions, and the tenant's key policies.
import { alive, expect, isValid, test } from '../support/test.mjs';
import { nameField, press, row, said } from '../support/steps.mjs';

test('an administrator finds keys by filter and search, and the URL keeps both @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  const ben = team.person('USER', 'Ben');
  const account = team.account('deployer');
  team.key(ada, 'laptop of Ada', '2031-01-31T00:00:00Z');
  team.key(ben, 'laptop of Ben');
  team.key(account, 'agent');
  await signIn(ada, '/team/keys');
  for (const name of ['laptop of Ada', 'laptop of Ben', 'agent']) await expect(row(page, name)).toBeVisible();
  await expect(row(page, 'agent')).toContainText('deployer');

  const filter = async (menu, name) => {
    await page.getByText(menu, { exact: true }).click();
    await page.getByRole('link', { name, exact: true }).click();
  };
  await filter('Owner ▾', 'People');
  await expect(row(page, 'agent')).toHaveCount(0);
  await filter('Issue ▾', 'Never expires');
  await expect(row(page, 'laptop of Ada')).toHaveCount(0);
  await expect(row(page, 'laptop of Ben')).toBeVisible();
  await expect(page).toHaveURL(/kind=user/);
  await expect(page).toHaveURL(/show=never_expires/);
  await expect(page.getByRole('link', { name: 'Remove filter Owner: People' })).toBeVisible();
  const search = async (text) => {
    await page.getByLabel('Search keys').fill(text);
    if (!scripted) await page.getByRole('button', { name: 'Search' }).click();
  };
  await search('apto');
  await expect(page).toHaveURL(/q=apto/);
  await expect(page).toHaveURL(/show=never_expires/);
  await expect(row(page, 'laptop of Ben')).toBeVisible();
  const address = page.url();
  await open('/user/api-keys');
  await open(address);
  await expect(row(page, 'laptop of Ben')).toBeVisible();
  await expect(row(page, 'laptop of Ada')).toHaveCount(0);
  await search('zebra');
  await expect(page.getByText('No keys match “zebra” and these filters.')).toBeVisible();
  await page.getByRole('link', { name: 'Clear filters' }).click();
  await expect(row(page, 'agent')).toBeVisible();
});

test('what is selected stays selected while the list is searched and sorted', async ({ page, team, signIn }) => {
  const account = team.account('deployer');
  for (const name of ['one', 'two', 'twelve']) team.key(account, name);
  await signIn(team.person(), '/team/keys?kind=service_account');
  await page.getByLabel('Select one').check();
  await page.getByLabel('Select two').check();
  await page.getByRole('searchbox').fill('tw');
  await expect(row(page, 'one')).toHaveCount(0);
  await expect(page.locator('[data-selected-count]')).toHaveText('1 selected');
  await page.getByRole('link', { name: 'Name' }).click();
  await expect(page).toHaveURL(/sort=/);
  await expect(page.getByLabel('Select two')).toBeChecked();
  await expect(page.getByLabel('Select twelve')).not.toBeChecked();
});

test('selected keys are revoked together, after a page that shows the effect @both', async ({ page, open, team, signIn }) => {
  const ada = team.person();
  const account = team.account('deployer');
  const [one, two, kept] = ['one', 'two', 'kept'].map((name) => team.key(account, name));
  expect(await isValid(one)).toBe(true);
  await signIn(ada, '/team/keys?kind=service_account&show=never_expires');
  await expect(page.getByRole('button', { name: 'Suspend…' })).toBeHidden();
  await open(`/team/keys/bulk?act=suspend&back=${encodeURIComponent('/team/keys?kind=service_account&show=never_expires')}`);
  await expect(page.getByRole('heading', { name: 'Select at least one key.' })).toBeVisible();
  await page.getByRole('link', { name: 'Back to the list' }).click();
  await expect(page).toHaveURL(/\/team\/keys\?kind=service_account&show=never_expires$/);
  await page.getByLabel('Select one').check();
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await page.getByRole('link', { name: 'Cancel' }).click();
  await expect(page).toHaveURL(/\/team\/keys\?kind=service_account&show=never_expires$/);
  await page.getByLabel('Select one').check();
  await page.getByLabel('Select two').check();
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await expect(page.getByRole('heading', { name: 'Revoke 2 API keys?' })).toBeVisible();
  const chosen = page.locator('li').filter({ has: page.getByRole('link', { name: 'one', exact: true }) });
  await expect(chosen.locator('code')).toHaveText(`${one.slice(0, 8)}…`);
  await expect(page.getByText(/1 of them was used in the past 24 hours\./)).toBeVisible();
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await said(page, '2 keys revoked.');
  await expect(page).toHaveURL(/\/team\/keys\?kind=service_account&show=never_expires$/);
  expect(await Promise.all([one, two, kept].map(isValid))).toEqual([false, false, true]);
  await open('/team/keys?state=revoked');
  await expect(row(page, 'one')).toContainText('Revoked');
  await expect(page.getByLabel('Select one')).toHaveCount(0);
});

/** Enters the days of a policy. Their preview follows by itself, and without JavaScript with a button. */
async function preview(page, scripted, days) {
  await expect(page.getByLabel('Days').or(page.getByRole('link', { name: 'Change', exact: true })).first()).toBeVisible();
  if (scripted) await alive(page);
  const change = page.getByRole('link', { name: 'Change', exact: true });
  if (!scripted && (await change.isVisible())) await change.click();
  await page.getByLabel('Days').fill(days);
  if (!scripted) await page.getByRole('button', { name: 'Preview' }).click();
}

test('a policy lists the affected keys, applies to new keys, and is turned off @both', async ({ page, open, team, signIn, scripted, watch }) => {
  watch.expect(/status of 4\d\d/);
  const ada = team.person();
  team.key(ada, 'endless');
  await signIn(ada, '/team/settings');
  await page.getByRole('link', { name: 'Configure the policy Maximum lifetime' }).click();
  await preview(page, scripted, '0');
  await expect(page.getByText('Choose 1 to 3,650 days.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Turn on', disabled: false })).toHaveCount(0);
  await preview(page, scripted, '30');
  await expect(page.getByText('1 existing key would be flagged:')).toBeVisible();
  await expect(page.getByRole('link', { name: 'endless' })).toBeVisible();
  await page.getByRole('button', { name: 'Turn on' }).click();
  await expect(row(page, 'Maximum lifetime')).toContainText('On · 30 days');

  await open('/user/api-keys');
  await press(page, 'Create an API key', scripted);
  await expect(page.getByText('Keys in this tenant must expire within 30 days.')).toBeVisible();
  await nameField(page).fill('too long');
  await expect(page.getByLabel('90 days')).toHaveCount(0);
  await expect(page.getByRole('radio', { name: '30 days' })).toBeChecked();
  await page.getByLabel('Custom…').check();
  await page.getByLabel(/^Expiry date/).fill('2100-01-01T00:00');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('alert').first()).toContainText('requires an expiry within 30 days');
  await expect(nameField(page)).toHaveValue('too long');
  await open('/team/keys?show=against_policy');
  await expect(row(page, 'endless')).toContainText('Violates policy: Maximum lifetime');

  await open('/team/settings');
  await press(page, 'Turn off', scripted);
  await page.getByRole('button', { name: 'Turn off', exact: true }).click();
  await expect(row(page, 'Maximum lifetime')).toContainText('Off');

  await open('/team/settings/policies/service_accounts_only?from=2100-01-01&preview=yes');
  await page.getByRole('button', { name: 'Turn on' }).click();
  await expect(row(page, 'Service accounts only')).toContainText('From 1 Jan 2100');
  await open('/user/api-keys');
  await expect(row(page, 'endless')).toContainText('Will violate a policy from 1 Jan 2100: Service accounts only');
});

test('a list whose keys are all revoked says so and links to them @both', async ({ page, team, signIn }) => {
  const ada = team.person();
  team.key(ada, 'gone');
  await signIn(ada, '/team/keys');
  await page.getByLabel('Select gone').check();
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page.getByText('No active keys.')).toBeVisible();
  await page.getByRole('link', { name: 'Show all keys' }).click();
  await expect(row(page, 'gone')).toContainText('Revoked');
});

test('a policy is set with the previewed values, and the address of a preview holds only these @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  team.key(ada, 'endless');
  await signIn(ada, '/team/settings/policies/max_lifetime');
  await expect(page.getByLabel('Days')).toHaveValue('90');
  await preview(page, scripted, '45');
  await expect(page).toHaveURL(scripted ? /[?]days=45&from=$/ : /[?]days=45&from=&preview=yes$/);
  await expect(page.getByText('1 existing key would be flagged:')).toBeVisible();
  await expect(page.getByText('never expires')).toBeVisible();
  const address = page.url();
  await open('/team/settings');
  await expect(row(page, 'Maximum lifetime')).toContainText('Off');

  await open(address);
  await expect(page.getByLabel('Days')).toHaveValue('45');
  if (!scripted) {
    // The values can't be changed below their own preview.
    await expect(page.getByLabel('Days')).toBeHidden();
    await page.getByRole('link', { name: 'Change', exact: true }).click();
    await expect(page.getByLabel('Days')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Turn on' })).toBeHidden();
    await preview(page, scripted, '45');
  }
  await page.getByRole('button', { name: 'Turn on' }).click();
  await said(page, 'Policy “Maximum lifetime” turned on.');
  await expect(row(page, 'Maximum lifetime')).toContainText('On · 45 days');
});

test('only administrators see all keys and the settings @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 403/);
  await signIn(team.person('USER'));
  for (const [path, name, words] of [
    ['/team/keys', 'All keys', 'Only administrators can view and manage all keys in the tenant.'],
    ['/team/settings', 'Settings', "Only administrators can manage the tenant's settings."],
  ]) {
    await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name })).toHaveCount(0);
    const answer = await open(path);
    expect(answer.status()).toBe(403);
    await expect(page.getByRole('alert')).toContainText(words);
  }
});
