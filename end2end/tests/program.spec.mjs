// Using the API instead of the dashboard: GraphiQL, and the code snippets of the forms.
import { expect, test } from '../support/test.mjs';
import { nameField, press } from '../support/steps.mjs';

test('GraphiQL queries with the rights of the user, and examples replace the current query', async ({ page, open, team, signIn }) => {
  const ada = team.person('TENANT_ADMIN', 'Ada Lovelace');
  team.account('deployer');
  await signIn(ada);
  await page.getByRole('link', { name: 'GraphiQL' }).first().click();
  await expect(page.locator('#graphiql .graphiql-container')).toBeVisible();
  const answer = page.locator('#graphiql .result-window');
  // The button does nothing until the editors are loaded.
  await expect(answer.locator('.CodeMirror')).toBeVisible();
  await page.getByRole('button', { name: /Execute query/ }).click();
  await expect(answer).toContainText('"name": "Ada Lovelace"');
  await page.getByRole('link', { name: 'Service accounts and agents' }).click();
  await expect(page.locator('#graphiql .graphiql-query-editor')).toContainText('service_accounts');
  await page.getByRole('button', { name: /Execute query/ }).click();
  await expect(answer).toContainText('"name": "deployer"');
  // Its menus must open despite the page's content security policy; a console error would fail the test.
  await page.getByRole('button', { name: /settings/i }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
});

test('without JavaScript GraphiQL says so and shows its examples @plain', async ({ page, open, team, signIn }) => {
  await signIn(team.person('USER'));
  await open('/graphiql');
  await expect(page.getByText('GraphiQL needs JavaScript')).toBeVisible();
  await page.locator('summary').getByText('Create a key', { exact: true }).click();
  await expect(page.locator('details[open] pre')).toContainText('create_api_key');
});

test('a dialog shows code in three languages with the values of the form', async ({ page, context, team, signIn }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const ada = team.person('USER');
  await signIn(ada);
  await press(page, 'Create an API key', true);
  await nameField(page).fill("Ada's key");
  await page.getByLabel(/^No expiration/).check();
  await page.getByText('Use the API instead').click();
  const fold = page.getByRole('dialog').locator('.as-code');
  await expect(fold.locator('pre').first()).toContainText(`user_id: "${ada.id}", name: "Ada's key" }`);
  await fold.getByText('CLI', { exact: true }).click();
  await fold.getByRole('button', { name: 'Copy as CLI' }).click();
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await expect.poll(copied).toBe(`latchkey admin create-key --tenant ${team.slug} --user ${ada.email} --name 'Ada'\\''s key'`);
  // Viewing the snippets created nothing.
  await page.getByRole('link', { name: 'Cancel' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByRole('row')).toHaveCount(0);
});

test('each form page shows code for what it does @both', async ({ page, open, team, signIn }) => {
  const ada = team.person();
  const account = team.account('deployer');
  await signIn(ada);
  for (const [path, word] of [
    ['/user/api-keys/new', 'create_api_key'],
    ['/team/service-accounts/new', 'create_service_account'],
    [`/team/service-accounts/${account}/keys/new`, 'create_api_key'],
    [`/team/service-accounts/${account}/delete`, 'delete_service_account'],
  ]) {
    await open(path);
    await page.getByText('Use the API instead').click();
    for (const language of ['GraphQL', 'curl']) {
      await page.locator('.as-code').getByText(language, { exact: true }).click();
      await expect(page.locator('.as-code pre').filter({ visible: true }), path).toContainText(word);
    }
  }
});
