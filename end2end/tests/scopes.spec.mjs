// The scopes of keys: choosing them, narrowing them to what is used, and the catalogue. The tests share the catalogue.
import { randomBytes } from 'node:crypto';
import { expectAccessible } from '../support/accessible.mjs';
import { latchkey } from '../support/server.mjs';
import { createKey, press, row, said, storeIt } from '../support/steps.mjs';
import { expect, test } from '../support/test.mjs';

const cli = (...args) => latchkey(process.env.LATCHKEY_DATABASE, args);

/** Adds scopes of a resource that only one test uses, and returns its name. */
function resource(...scopes) {
  const name = `r${randomBytes(5).toString('hex')}`;
  for (const [action, role] of scopes) {
    cli('admin', 'set-scope', `${name}:${action}`, '--description', `May ${action}`, '--least-role', role);
  }
  return name;
}

/** Asks as a proxy would whether a key has a scope, and returns the status. */
async function demand(token, scope) {
  const headers = { authorization: `Bearer ${token}`, 'user-agent': 'orders/1.0' };
  const answer = await fetch(`${process.env.LATCHKEY_URL}/auth/forward?scope=${encodeURIComponent(scope)}`, { headers });
  return answer.status;
}

const box = (page, scope) => page.getByRole('checkbox', { name: scope });

test('a key is created with chosen scopes, and each demand is decided by them @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const name = resource(['read', 'READ_ONLY_USER'], ['write', 'USER'], ['purge', 'TENANT_ADMIN']);
  await signIn(ada);
  const token = await createKey(page, watch, scripted, 'limited', async () => {
    await expect(box(page, `${name}:read`)).toBeHidden();
    await page.getByRole('radio', { name: 'Only these scopes' }).check();
    await box(page, `${name}:read`).check();
    await box(page, `${name}:write`).check();
    await expect(box(page, `${name}:purge`)).toHaveCount(0);
    if (scripted) await expectAccessible(page, 'the form with scopes');
  });
  await storeIt(page, scripted);
  expect(await demand(token, `${name}:read`)).toBe(200);
  expect(await demand(token, `${name}:purge`)).toBe(403);
  await expect(team.ask(token, '{ auth_api_key { id } }')).rejects.toThrow(/latchkey:read/);
  await row(page, 'limited').first().getByRole('link', { name: 'limited', exact: true }).click();
  await expect(page.getByText('Holds 2 scopes, used 1 in 90 days.')).toBeVisible();
});

test('read only grants the scopes of that moment @both', async ({ page, open, team, signIn, scripted, watch }) => {
  const ada = team.person('USER');
  const name = resource(['read', 'READ_ONLY_USER'], ['write', 'USER']);
  await signIn(ada);
  const token = await createKey(page, watch, scripted, 'reader', async () => {
    await page.getByRole('radio', { name: 'Read only' }).check();
  });
  await storeIt(page, scripted);
  const later = resource(['read', 'READ_ONLY_USER']);
  const asked = await Promise.all([`${name}:read`, `${name}:write`, `${later}:read`].map((scope) => demand(token, scope)));
  expect(asked).toEqual([200, 403, 403]);
  const { auth_api_key: keys } = await team.ask(token, '{ auth_api_key { name scopes } }');
  expect(keys[0].scopes).toContain('latchkey:read');
});

test('a key is narrowed to what is used, with the clients that other choices would reject @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person('USER');
  const name = resource(['read', 'READ_ONLY_USER'], ['write', 'USER']);
  const token = cli(
    'admin', 'create-key', '--tenant', team.slug, '--user', ada.email, '--name', 'wide',
    '--scope', `${name}:read`, '--scope', `${name}:write`,
  );
  expect(await demand(token, `${name}:read`)).toBe(200);
  await signIn(ada);
  await row(page, 'wide').first().getByRole('link', { name: 'wide', exact: true }).click();
  await press(page, 'Narrow to what is used', scripted);
  await expect(box(page, `${name}:read`)).toBeChecked();
  await expect(box(page, `${name}:write`)).not.toBeChecked();
  const rejected = page.locator('form[method=post]').getByText('orders/1.0');
  await expect(rejected).toBeHidden();
  await box(page, `${name}:read`).uncheck();
  await expect(rejected).toBeVisible();
  if (scripted) await expectAccessible(page, 'the form that narrows a key');
  await box(page, `${name}:read`).check();
  await page.getByRole('button', { name: 'Change scopes', exact: true }).click();
  await said(page, 'Scopes of “wide” changed.');
  expect(await demand(token, `${name}:write`)).toBe(403);
  expect(await demand(token, `${name}:read`)).toBe(200);
});

test('a scope that a key lacks is refused at its field, and nothing is lost @both', async ({ page, team, signIn, scripted, watch }) => {
  watch.expect(/status of 422/);
  const ada = team.person('USER');
  const name = resource(['write', 'USER']);
  await signIn(ada);
  await press(page, 'Create an API key', scripted);
  await page.getByLabel('Name', { exact: true }).fill('late');
  await page.getByRole('radio', { name: 'Only these scopes' }).check();
  await box(page, `${name}:write`).check();
  cli('admin', 'remove-scope', `${name}:write`);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: `${name}:write isn't in the catalogue` }).first()).toBeVisible();
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('late');
  await expect(page.getByRole('radio', { name: 'Only these scopes' })).toBeChecked();
});

test('administrators see the catalogue, and the operator changes it for all tenants @both', async ({ page, open, team, signIn, scripted, watch }) => {
  watch.expect(/status of 403/);
  const ada = team.person();
  const name = resource(['read', 'READ_ONLY_USER']);
  await signIn(ada);
  await open('/team/settings');
  await expect(row(page, `${name}:read`)).toContainText('Read only');
  await expect(page.getByText('the operator of this server changes it')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Add a scope' })).toHaveCount(0);
  if (scripted) await expectAccessible(page, 'settings with scopes');
  const answer = await page.goto('/team/settings/scopes/new');
  expect(answer.status()).toBe(403);
});
