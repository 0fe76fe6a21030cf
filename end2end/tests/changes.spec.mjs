// Changes to keys, service accounts, members and profiles, with JavaScript and without.
import { PASSWORD, alive, expect, isValid, test } from '../support/test.mjs';
import { nameField, press, row, said } from '../support/steps.mjs';

/** Opens a row's menu and selects one of its items. */
async function choose(page, name, word, scripted) {
  await page.locator(`button[aria-label="More for ${name}"]`).click();
  await press(page, word, scripted);
}

test('a key is suspended, resumed and renamed @both', async ({ page, open, team, signIn, scripted, watch }) => {
  watch.expect(/status of 422/);
  const ada = team.person('USER');
  const token = team.key(ada, 'laptop');
  await signIn(ada);
  await choose(page, 'laptop', 'Suspend', scripted);
  await expect(page.getByRole('heading', { name: 'Suspend “laptop”?' })).toBeVisible();
  await page.getByRole('button', { name: 'Suspend', exact: true }).click();
  await said(page, '“laptop” suspended.');
  expect(await isValid(token)).toBe(false);
  // With JavaScript the row stays in sight, although the list shows active keys.
  if (scripted) await expect(row(page, 'laptop')).toContainText('Suspended');
  else await expect(row(page, 'laptop')).toHaveCount(0);

  await open('/user/api-keys?state=suspended');
  await expect(row(page, 'laptop')).toContainText('Suspended');
  await choose(page, 'laptop', 'Resume', scripted);
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await said(page, '“laptop” resumed.');
  expect(await isValid(token)).toBe(true);

  await open('/user/api-keys');
  await choose(page, 'laptop', 'Rename', scripted);
  await nameField(page).fill(' ');
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await expect(page.getByText('Enter a name.')).toBeVisible();
  await nameField(page).fill('notebook');
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await said(page, 'Renamed to “notebook”.');
  await expect(row(page, 'notebook')).toBeVisible();
  expect(await isValid(token)).toBe(true);
});

test('a service account is suspended with its keys, resumed, renamed and given another role @both', async ({ page, open, team, signIn, scripted }) => {
  const token = team.key(team.account('deployer'), 'agent');
  await signIn(team.person(), '/team/service-accounts');
  await choose(page, 'deployer', 'Suspend', scripted);
  await page.getByRole('button', { name: 'Suspend', exact: true }).click();
  await said(page, '“deployer” suspended.');
  await expect(row(page, 'deployer')).toContainText('Suspended');
  expect(await isValid(token)).toBe(false);
  await open('/team/service-accounts');
  await choose(page, 'deployer', 'Resume', scripted);
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await said(page, '“deployer” resumed.');
  expect(await isValid(token)).toBe(true);

  await open('/team/service-accounts');
  await choose(page, 'deployer', 'Change role', scripted);
  await page.getByRole('radio', { name: 'Read only', exact: true }).check();
  await page.getByRole('button', { name: 'Change role', exact: true }).click();
  await said(page, 'Role of “deployer” changed.');
  await expect(row(page, 'deployer')).toContainText('Read only');
  await open('/team/service-accounts');
  await choose(page, 'deployer', 'Rename', scripted);
  await nameField(page).fill('shipper');
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await said(page, 'Renamed to “shipper”.');
  await expect(row(page, 'shipper')).toBeVisible();
});

test('a key that an administrator suspended can not be resumed by its owner, who is told so @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 409/);
  const ben = team.person('USER', 'Ben');
  team.key(ben, 'laptop');
  const admin = team.key(team.person('TENANT_ADMIN', 'Ada'), 'admin');
  const { api_keys: keys } = await team.ask(admin, '{ api_keys { items { id } } }');
  expect(keys.items).toHaveLength(1);
  await signIn(ben);
  const id = (await page.getByRole('link', { name: 'laptop', exact: true }).getAttribute('href')).split('/').pop();
  await team.ask(admin, `mutation { suspend_api_key(id: "${id}") { state } }`);
  await open(`/user/api-keys/${id}`);
  await expect(page.getByRole('main')).toContainText('by Ada');
  await expect(page.getByText('Only an administrator can resume it.', { exact: true })).toBeVisible();
  await page.locator('button[aria-label="More for laptop"]').click();
  await expect(page.getByRole('link', { name: 'Rename', exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Resume', exact: true })).toHaveCount(0);
  await open(`/user/api-keys/${id}/resume`);
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'This key was suspended by Ada. Only an administrator can resume it.' })).toBeVisible();
});

test('a member is given another role, and removed together with the listed keys @both', async ({ page, open, team, signIn, scripted, watch }) => {
  watch.expect(/status of 4(03|09)/);
  const ben = team.person('USER', 'Ben Bitdiddle');
  const token = team.key(ben, 'laptop');
  await signIn(team.person('TENANT_ADMIN', 'Ada Lovelace'), '/team/members');
  await choose(page, 'Ben Bitdiddle', 'Change role', scripted);
  await page.getByRole('radio', { name: 'Read only', exact: true }).check();
  await page.getByRole('button', { name: 'Change role', exact: true }).click();
  await said(page, 'Role of Ben Bitdiddle changed.');
  await expect(row(page, 'Ben Bitdiddle')).toContainText('Read only');
  expect(await isValid(token)).toBe(true);

  await open('/team/members');
  await press(page, 'Remove member Ben Bitdiddle', scripted);
  await expect(page.getByRole('listitem').filter({ hasText: 'laptop' })).toBeVisible();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await said(page, 'Ben Bitdiddle removed, and their keys in this tenant revoked.');
  await expect(row(page, 'Ben Bitdiddle')).toHaveCount(0);
  expect(await isValid(token)).toBe(false);

  await open('/team/members');
  await expect(page.getByRole('link', { name: 'Remove member Ada Lovelace' })).toHaveCount(0);
  await choose(page, 'Ada Lovelace', 'Leave tenant', scripted);
  await page.getByRole('button', { name: 'Leave tenant', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'last administrator' })).toBeVisible();
});

test('everyone can see the members, but only administrators can change them @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 403/);
  const ada = team.person('TENANT_ADMIN', 'Ada Lovelace');
  await signIn(team.person('READ_ONLY_USER', 'Eve'), '/team/members');
  await expect(row(page, 'Ada Lovelace')).toContainText('Administrator');
  await expect(page.getByRole('link', { name: /^Remove member/ })).toHaveCount(0);
  expect((await open(`/team/members/${ada.id}/remove`)).status()).toBe(403);
});

test('a user changes their name and their password @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 4(22|01)/);
  const ada = team.person('USER', 'Ada Lovelace');
  await signIn(ada, '/user/profile');
  await page.getByRole('link', { name: 'Change name' }).click();
  await page.getByLabel('Your name', { exact: true }).fill('Ada King');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await said(page, 'Your name was changed.');
  await expect(page.getByRole('main')).toContainText('Ada King');

  const fresh = 'nine quiet herons at noon';
  await open('/user/profile');
  await page.getByRole('link', { name: 'Change password' }).click();
  await page.getByLabel('Current password', { exact: true }).fill('not the password at all');
  await page.getByLabel('New password', { exact: true }).fill(fresh);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Incorrect password.')).toBeVisible();
  await page.getByLabel('Current password', { exact: true }).fill(PASSWORD);
  await page.getByLabel('New password', { exact: true }).fill(fresh);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await said(page, 'Password changed. You were signed out everywhere else.');
  await open('/user/profile');
  await expect(page.getByRole('heading', { level: 1, name: 'Profile' })).toBeVisible();
});

test('the forms to delete and revoke list the keys in use and the agents that use them @both', async ({ page, team, signIn, scripted }) => {
  const account = team.account('deployer');
  const token = team.key(account, 'frankfurt key');
  team.key(account, 'spare');
  await team.ask(token, 'mutation { register_agent(input: { type: "DockerAgent", name: "frankfurt" }) { id } }');
  await signIn(team.person(), '/team/service-accounts');
  await press(page, 'Delete service account deployer', scripted);
  await expect(page.getByRole('listitem').filter({ hasText: 'frankfurt key' })).toContainText('Agent: frankfurt');
  await expect(page.getByRole('listitem').filter({ hasText: 'spare' })).toHaveCount(0);
  await page.getByRole('link', { name: 'Cancel' }).click();
  await page.getByRole('link', { name: 'deployer', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'deployer' })).toBeVisible();
  if (scripted) await alive(page);
  await press(page, 'Revoke API key frankfurt key', scripted);
  await expect(page.locator('.use-facts')).toContainText(/Agents?\s*frankfurt/);
});
