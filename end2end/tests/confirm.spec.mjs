// Creating keys, accounts and tenants requires a recent sign-in or a confirmation. Each of these tests has a server of its
// own, where a sign-in is old after a few seconds: enough for a form and the next page on a slow machine.
import { expectAccessible } from '../support/accessible.mjs';
import { start } from '../support/server.mjs';
import { nameField, revealed, row, press, storeIt, tenantButton } from '../support/steps.mjs';
import { PASSWORD, expect, isValid, test as base } from '../support/test.mjs';
import { Team } from '../support/team.mjs';
import { codeAt } from '../support/totp.mjs';

const test = base.extend({
  baseURL: async ({}, use) => {
    const server = await start({ env: { LATCHKEY_CONFIRM_AFTER: '3' } });
    const { LATCHKEY_URL, LATCHKEY_DATABASE, LATCHKEY_FOLDER } = process.env;
    Object.assign(process.env, { LATCHKEY_URL: server.url, LATCHKEY_DATABASE: server.database, LATCHKEY_FOLDER: server.folder });
    await use(server.url);
    Object.assign(process.env, { LATCHKEY_URL, LATCHKEY_DATABASE, LATCHKEY_FOLDER });
    await server.stop();
  },
  // Belongs to the server, so it is created after it.
  team: async ({ baseURL }, use) => use(baseURL && new Team()),
});

const confirmation = (page) => page.getByRole('group', { name: "Confirm it's you" });
const password = (page) => page.getByLabel('Your password');

/** Requests a form separately until it asks for confirmation, because the sign-in is old. */
const untilOld = (page, path) =>
  expect(async () => {
    const form = await page.request.get(path);
    expect(await form.text()).toContain('confirm_password');
  }).toPass();

test('an old sign-in is confirmed before a key is created or rolled, and no input is lost @both', async ({ page, team, signIn, scripted, watch }) => {
  watch.expect(/status of 4\d\d/);
  const ada = team.person('USER');
  await signIn(ada);
  await press(page, 'Create an API key', scripted);
  await page.evaluate(() => (window.isSamePage = true));
  await nameField(page).fill('made after all');
  await page.getByLabel('90 days').check();
  await untilOld(page, '/user/api-keys/new');
  const create = page.getByRole('button', { name: 'Create', exact: true });
  const expectAsked = async () => {
    await expect(confirmation(page)).toBeVisible();
    await expect(nameField(page)).toHaveValue('made after all');
    await expect(page.getByLabel('90 days')).toBeChecked();
    await expect(password(page)).toHaveValue('');
    if (!scripted) return;
    // The same dialog stays open on the same page.
    await expect(page.getByRole('dialog').and(page.locator(':has(fieldset.confirm)'))).toBeVisible();
    expect(await page.evaluate(() => window.isSamePage)).toBe(true);
    expect(new URL(page.url()).pathname).toBe('/user/api-keys');
  };
  await create.click();
  await expectAsked();
  if (scripted) await expectAccessible(page, 'asked to confirm');
  await password(page).fill('not the password of Ada');
  await create.click();
  await expect(password(page)).toHaveAttribute('aria-invalid', 'true');
  await expectAsked();
  await password(page).fill(PASSWORD);
  await create.click();
  const token = await revealed(page, watch);
  await storeIt(page, scripted);

  const details = await row(page, 'made after all').getByRole('link', { name: 'made after all', exact: true }).getAttribute('href');
  await untilOld(page, `${details}/roll`);
  await page.goto(`${details}/roll`);
  await page.getByLabel('Stop it now').check();
  await password(page).fill(PASSWORD);
  await page.getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Your API key has been rotated' })).toBeVisible();
  expect(await isValid(token)).toBe(false);
});

test('a confirmed user is not asked again when the form is refused for another reason @both', async ({ page, team, signIn, scripted, watch }) => {
  watch.expect(/status of 4\d\d/);
  team.account('deployer');
  await signIn(team.person(), '/team/service-accounts');
  await untilOld(page, '/team/service-accounts/new');
  await press(page, 'Add service account', scripted);
  await nameField(page).fill('deployer');
  await page.getByRole('radio', { name: 'User', exact: true }).check();
  await password(page).fill(PASSWORD);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(nameField(page)).toHaveAttribute('aria-invalid', 'true');
  await expect(nameField(page)).toHaveValue('deployer');
  await expect(confirmation(page)).toHaveCount(0);
});

test('creating a service account or a tenant requires confirmation too @both', async ({ page, team, signIn }) => {
  await signIn(team.person());
  for (const [path, field, button] of [
    ['/team/service-accounts/new', 'Name', 'Create'],
    ['/tenants/new', 'Tenant name', 'Create tenant'],
  ]) {
    await untilOld(page, path);
    await page.goto(path);
    await page.getByLabel(field, { exact: true }).fill('made by Ada');
    const role = page.getByRole('radio', { name: 'Administrator', exact: true });
    if (await role.count()) await role.check();
    const slug = page.getByLabel('Slug');
    if (await slug.count()) await slug.fill(`${team.slug}-2`);
    await password(page).fill(PASSWORD);
    await page.getByRole('button', { name: button, exact: true }).click();
    await expect(page).not.toHaveURL(new RegExp(`${path}$`));
  }
  await expect(tenantButton(page)).toContainText('made by Ada');
});

test('two-factor authentication is turned on even if the sign-in is no longer recent @both', async ({ page, team, signIn, watch }) => {
  watch.expect(/status of 4\d\d/);
  await signIn(team.person('USER'));
  await untilOld(page, '/user/second-factor/begin');
  await page.goto('/user/second-factor/begin');
  await password(page).fill(PASSWORD);
  await page.getByRole('button', { name: 'Continue' }).click();
  const shown = page.getByText(/^Secret: /);
  await expect(shown).toBeVisible();
  const secret = (await shown.innerText()).replace('Secret: ', '').replaceAll(' ', '');
  await untilOld(page, '/user/second-factor/enable');
  await page.goto('/user/second-factor/enable');
  await expect(shown).toHaveCount(0);
  await page.getByLabel('Code', { exact: true }).fill(codeAt(secret, Date.now()));
  await password(page).fill(PASSWORD);
  await page.getByRole('button', { name: 'Turn on' }).click();
  await expect(page.getByRole('heading', { name: 'Your recovery codes' })).toBeVisible();
});

test('revoking a key requires no confirmation @both', async ({ page, team, signIn, scripted }) => {
  const ada = team.person('USER');
  const token = team.key(ada, 'ci');
  await signIn(ada);
  await untilOld(page, '/user/api-keys/new');
  await press(page, 'Revoke API key ci', scripted);
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page.getByRole('status').filter({ hasText: '“ci” revoked.' })).toBeVisible();
  expect(await isValid(token)).toBe(false);
});
