// Why requests with a key were rejected: what the owner and administrators see, and nobody else.
import { expectAccessible } from '../support/accessible.mjs';
import { row } from '../support/steps.mjs';
import { expect, isValid, test } from '../support/test.mjs';

/** Sends a key to an API of the server. Returns the status and the body. */
async function send(path, token, agent, method = 'GET') {
  const headers = { authorization: `Bearer ${token}`, 'user-agent': agent };
  const answer = await fetch(`${process.env.LATCHKEY_URL}${path}`, { method, headers });
  return [answer.status, await answer.text()];
}

const section = (page) => page.getByRole('region', { name: 'Rejected requests' });

test('the page of a key says why its requests were rejected @both', async ({ page, open, team, signIn, scripted }) => {
  const ben = team.person('USER', 'Ben');
  const token = team.key(ben, 'deploy');
  await signIn(ben);
  await row(page, 'deploy').first().getByRole('link', { name: 'deploy', exact: true }).click();
  await expect(section(page)).toContainText('No rejected requests in the last 90 days.');

  const id = page.url().split('/').pop().split('?')[0];
  await team.ask(team.key(team.person('TENANT_ADMIN', 'Ada'), 'own'), `mutation { delete_api_key(input: { key_id: "${id}" }) { success } }`);
  expect(await isValid(token)).toBe(false);
  const unknown = `lku_${'0'.repeat(38)}`;
  for (const path of ['/auth/forward', '/api/v1/whoami']) {
    const [status, body] = await send(path, token, 'deploy-bot/1.0');
    expect(status).toBe(401);
    expect([status, body], 'the client learns no reason').toEqual(await send(path, unknown, 'deploy-bot/1.0'));
  }
  await send('/auth/forward', token, 'deploy-bot/1.0');

  await page.reload();
  const forward = section(page).getByRole('row').filter({ hasText: 'Forward authentication' });
  await expect(forward).toContainText('Revoked');
  await expect(forward).toContainText('deploy-bot/1.0');
  await expect(forward.getByRole('cell').last()).toContainText(/^2/);
  await expect(section(page).getByRole('row').filter({ hasText: 'Who am I' })).toHaveCount(1);
  await page.setViewportSize({ width: 390, height: 800 });
  await expect(forward).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth), 'the table fits').toBeLessThanOrEqual(390);
  if (scripted) await expectAccessible(page, 'a key with rejected requests');
});

test('the missing scope is named, in the dashboard and through GraphQL @both', async ({ page, team, signIn, scripted }) => {
  const ada = team.person();
  const account = team.account('robot');
  await signIn(ada);
  const admin = team.key(ada, 'admin');
  const made = await team.ask(admin, `mutation { create_api_key(input: { user_id: "${account}", name: "limited", scopes: [] }) { id token } }`);
  const { id, token } = made.create_api_key;
  const [status] = await send('/auth/forward?scope=orders:purge', token, 'orders/2.0');
  expect(status).toBe(403);
  const { api_key_usage: usage } = await team.ask(admin, `{ api_key_usage(id: "${id}") { refusals { reason endpoint scopes user_agent refusals } } }`);
  expect(usage.refusals).toEqual([
    { reason: 'missing_scope', endpoint: 'forward', scopes: ['orders:purge'], user_agent: 'orders/2.0', refusals: 1 },
  ]);
  await page.goto(`/team/service-accounts/${account}/keys/${id}`);
  await expect(section(page).getByRole('row').filter({ hasText: 'orders/2.0' })).toContainText('Missing scope');
  await expect(section(page)).toContainText('orders:purge');
  if (scripted) await expectAccessible(page, 'a key that lacked a scope');
});
