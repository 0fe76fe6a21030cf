// The audit log: who can see it, what it contains, and how it is exported.
import { expectAccessible } from '../support/accessible.mjs';
import { expect, test } from '../support/test.mjs';
import { row } from '../support/steps.mjs';

/** Applies the filter: by the button, or with JavaScript by the change itself. */
async function filtered(page, scripted) {
  if (!scripted) await page.getByRole('button', { name: 'Filter' }).click();
}

test('an administrator reads, filters and opens the audit entries of the tenant @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person('TENANT_ADMIN', 'Ada Lovelace');
  team.key(ada, 'laptop');
  team.account('deployer');
  await signIn(ada, '/team/audit-log');
  await expect(row(page, 'created the key “laptop”.')).toHaveCount(1);
  await expect(row(page, 'Ada Lovelace signed in.')).toContainText('Dashboard');
  await expect(page.getByText('Denied', { exact: true }).and(page.locator('.chip'))).toHaveCount(0);
  await page.getByLabel('Action', { exact: true }).selectOption({ label: 'Create service account' });
  await filtered(page, scripted);
  await expect(page).toHaveURL(/operation=create_service_account/);
  await expect(row(page, 'deployer')).toBeVisible();
  await expect(row(page, 'laptop')).toHaveCount(0);
  await page.getByLabel('Actor', { exact: true }).fill('nobody');
  await filtered(page, scripted);
  await expect(page.getByText('No entries match this filter.')).toBeVisible();
  await page.getByRole('link', { name: 'Remove filter Actor: nobody' }).click();
  await expect(row(page, 'deployer')).toBeVisible();
  await page.getByRole('link', { name: 'Remove filter Action: Create service account' }).click();
  await expect(row(page, 'laptop')).toBeVisible();

  await open('/team/audit-log');
  await row(page, 'laptop').getByRole('link', { name: 'laptop' }).click();
  await expect(page.getByRole('heading', { name: 'laptop' })).toBeVisible();

  await open('/team/audit-log');
  await row(page, 'laptop').getByRole('rowheader').getByRole('link').click();
  await expect(page.getByRole('heading', { name: 'Operator created the key “laptop”.' })).toBeVisible();
  await expect(page.getByText(/^[0-9a-f]{64}$/)).toBeVisible();
  if (scripted) await expectAccessible(page, 'an audit entry');
  await page.getByRole('link', { name: 'Related activity' }).click();
  await expect(page).toHaveURL(/about=/);
  await expect(row(page, 'laptop')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Remove filter Resource: laptop' })).toBeVisible();
});

test('a period, and a day of the activity strip, filter the log @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person('TENANT_ADMIN', 'Ada Lovelace');
  team.key(ada, 'laptop');
  await signIn(ada, '/team/audit-log');
  await page.getByText('24 hours', { exact: true }).click();
  await filtered(page, scripted);
  await expect(page).toHaveURL(/period=24h/);
  await expect(page.getByRole('link', { name: 'Remove filter Past 24 hours' })).toBeVisible();
  await expect(row(page, 'laptop')).toBeVisible();
  await expect(page.getByLabel('From (UTC)')).toBeHidden();

  await open('/team/audit-log?actor=Operator&period=7d');
  const day = page.getByRole('link', { name: /: \d+ entries$/ });
  await day.focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/actor=Operator&from=(\d{4}-\d\d-\d\d)&until=\1$/);
  await expect(page.getByLabel('From (UTC)')).toHaveValue(/^\d{4}-\d\d-\d\d$/);
  await expect(page.getByRole('link', { name: /: \d+ entries$/ })).toHaveAttribute('aria-current', 'true');
  await expect(row(page, 'laptop')).toBeVisible();

  await open('/team/audit-log?period=custom&from=2001-01-01&until=2001-01-02');
  await expect(page.getByText('No entries match this filter.')).toBeVisible();
  await page.getByRole('link', { name: 'Clear filters' }).click();
  await expect(row(page, 'laptop')).toBeVisible();
});

test('actions that only read are offered together with denied attempts', async ({ page, open, team, signIn }) => {
  await signIn(team.person(), '/team/audit-log');
  const groups = page.getByLabel('Action', { exact: true }).locator('optgroup');
  await expect(groups).toHaveCount(13);
  await expect(groups.first().locator('option', { hasText: 'View API key' })).toHaveCount(0);
  await page.getByLabel('Outcome', { exact: true }).selectOption({ label: 'Denied' });
  await expect(groups.first().locator('option', { hasText: 'View API key' }).first()).toBeAttached();
  await open('/team/audit-log?operation=api_key');
  await expect(page.getByLabel('Action', { exact: true })).toHaveValue('api_key');
});

test('denied attempts are logged, and only administrators can see the log @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 403/);
  const ben = team.person('USER', 'Ben');
  const root = team.key(team.account('root'), 'root');
  await signIn(ben);
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Audit log' })).toHaveCount(0);
  for (const path of ['/team/service-accounts', '/team/audit-log']) {
    expect((await open(path)).status()).toBe(403);
  }
  await expect(page.getByRole('alert')).toContainText('Only administrators can view the audit log.');
  const { audit_log: refused } = await team.ask(root, '{ audit_log(result: "refused") { items { operation actor_name } } }');
  expect(refused.items).toEqual([
    { operation: 'audit_log', actor_name: 'Ben' },
    { operation: 'service_accounts', actor_name: 'Ben' },
  ]);
});

test('the log is exported as JSONL and CSV, with a session and with a key @both', async ({ page, team, signIn }) => {
  const ada = team.person();
  const [own, foreign] = [team.key(ada, 'own'), team.key(team.person('USER'), 'foreign')];
  await signIn(ada, '/team/audit-log');
  const jsonl = await page.request.get(await page.getByRole('link', { name: 'JSONL' }).getAttribute('href'));
  const lines = (await jsonl.text()).trim().split('\n').map((line) => JSON.parse(line));
  expect(lines.at(-1).number).toBe(1);
  expect(lines.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))).toBe(true);
  const csv = await page.request.get(await page.getByRole('link', { name: 'CSV', exact: true }).getAttribute('href'));
  expect((await csv.text()).split('\n')[0]).toMatch(/^number,id,at,operation,result,/);
  const by = (token) => fetch(`${process.env.LATCHKEY_URL}/api/v1/audit-log.csv`, { headers: { authorization: `Bearer ${token}` } });
  expect((await by(own)).status).toBe(200);
  expect((await by(foreign)).status).toBe(403);
});
