// What the dashboard does, done by program: GraphiQL, and the texts to take along.
import { expect, test } from '../support/test.mjs';
import { nameField, press } from '../support/steps.mjs';

test('GraphiQL asks with the rights of the person, and examples replace what stands there', async ({ page, open, team, signIn }) => {
  const ada = team.person('TENANT_ADMIN', 'Ada Lovelace');
  team.account('deployer');
  await signIn(ada);
  await page.getByRole('link', { name: 'GraphiQL' }).first().click();
  await expect(page.locator('#graphiql .graphiql-container')).toBeVisible();
  const answer = page.locator('#graphiql .result-window');
  // Before its editors are there, its button does nothing.
  await expect(answer.locator('.CodeMirror')).toBeVisible();
  await page.getByRole('button', { name: /Execute query/ }).click();
  await expect(answer).toContainText('"name": "Ada Lovelace"');
  await page.getByRole('link', { name: 'Service accounts and agents' }).click();
  await expect(page.locator('#graphiql .graphiql-query-editor')).toContainText('service_accounts');
  await page.getByRole('button', { name: /Execute query/ }).click();
  await expect(answer).toContainText('"name": "deployer"');
  // Its menus open under the page's policy; what the console says fails the test.
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

test('a dialog says in three languages what it would do, with what is typed', async ({ page, context, team, signIn }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const ada = team.person('USER');
  await signIn(ada);
  await press(page, 'Create an API key', true);
  await nameField(page).fill("Ada's key");
  await page.getByLabel(/^No expiration/).check();
  await page.getByText('Use the API instead').click();
  const fold = page.getByRole('dialog').locator('.as-code');
  await fold.locator('summary').getByText('GraphQL', { exact: true }).click();
  await expect(fold.locator('pre').first()).toContainText(`user_id: "${ada.id}", name: "Ada's key" }`);
  await fold.locator('summary').getByText('CLI', { exact: true }).click();
  await fold.getByRole('button', { name: 'Copy as CLI' }).click();
  await expect(fold.getByRole('button', { name: 'Copy as CLI' })).toHaveText('Copied');
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(`latchkey admin create-key --tenant ${team.slug} --user ${ada.email} --name 'Ada'\\''s key'`);
  // Nothing was made by looking.
  await page.getByRole('link', { name: 'Cancel' }).click();
  await expect(page.getByText('No API keys in the state “Active”')).toBeVisible();
});

test('each page that asks says in three languages what it would do @both', async ({ page, open, team, signIn }) => {
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
      await page.locator('.as-code summary').getByText(language, { exact: true }).click();
      await expect(page.locator('.as-code details[open] pre').filter({ visible: true }), path).toContainText(word);
    }
  }
});
