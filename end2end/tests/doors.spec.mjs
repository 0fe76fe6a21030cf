// Access: signing in, what each role may see, tenants, and security headers.
import { PASSWORD, alive, expect, test } from '../support/test.mjs';
import { start } from '../support/server.mjs';
import { createKey, press, row, selectTenant, storeIt, tenantButton } from '../support/steps.mjs';

test('sign-in gives the same error for all failures and returns to the requested page, and sign-out ends the session @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 401/);
  const ada = team.person();
  await open('/team/service-accounts');
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await expect(page.getByRole('heading', { name: 'Sign in to Latchkey' })).toBeVisible();
  const words = [];
  for (const email of [ada.email, 'nobody@example.org']) {
    await page.getByLabel('Email').fill(email);
    await page.getByLabel('Password', { exact: true }).fill('not the password at all');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    words.push(await page.getByRole('alert').innerText());
    await expect(page.getByLabel('Email')).toHaveValue(email);
    await expect(page.getByLabel('Password', { exact: true })).toHaveValue('');
  }
  expect(words[0]).toBe(words[1]);
  await signIn(ada, '/team/service-accounts');
  await page.locator('button[popovertarget=person]').click();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await open('/user/api-keys');
  await expect(page).toHaveURL(/\/sign-in\?next=/);
});

test('next leads only to pages of this site @both', async ({ page, open, team }) => {
  const ada = team.person();
  for (const next of ['https://example.com/', '//example.com/', '/\\example.com', 'javascript:alert(1)']) {
    await page.context().clearCookies();
    await open(`/sign-in?next=${encodeURIComponent(next)}`);
    await page.getByLabel('Email').fill(ada.email);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page, next).toHaveURL(/^http:\/\/127\.0\.0\.1:\d+\/team\/overview$/);
  }
});

test('a user who may not manage service accounts is told so, and who can @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 403/);
  team.person('TENANT_ADMIN', 'Grace Hopper');
  const account = team.account('deployer');
  await signIn(team.person('USER', 'Alan Turing'));
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Service accounts' })).toHaveCount(0);
  for (const path of ['/team/service-accounts', '/team/service-accounts/new', `/team/service-accounts/${account}`]) {
    const answer = await open(path);
    expect(answer.status(), path).toBe(403);
    await expect(page.getByRole('main')).toContainText('Ask an administrator to manage service accounts.');
    await expect(page.getByRole('main')).toContainText('Grace Hopper');
    await expect(page.getByRole('main')).not.toContainText('deployer');
  }
});

test('a read-only user sees no way to create a key @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 403/);
  const mary = team.person('READ_ONLY_USER');
  team.key(team.person('USER'), 'of another');
  await signIn(mary);
  await expect(page.getByRole('link', { name: 'Create an API key' })).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Create an API key' })).toHaveCount(0);
  await expect(row(page, 'of another')).toHaveCount(0);
  expect((await open('/user/api-keys/new')).status()).toBe(403);
});

test('records of another tenant are not found @both', async ({ page, open, team, newTeam, signIn, watch }) => {
  watch.expect(/status of 404/);
  const foreign = newTeam().account('foreign');
  const nothing = '019a0000-0000-7000-8000-000000000000';
  await signIn(team.person());
  const bodies = [];
  for (const id of [foreign, nothing]) {
    const answer = await open(`/team/service-accounts/${id}`);
    expect(answer.status()).toBe(404);
    bodies.push(await page.getByRole('main').innerText());
  }
  expect(bodies[0]).toBe(bodies[1]);
});

test('the tenant can be switched, and a key is created in the selected one @both', async ({ page, open, team, newTeam, signIn, scripted, watch }) => {
  const second = newTeam();
  const ada = team.person();
  second.join(ada, 'USER');
  await signIn(ada);
  await createKey(page, watch, scripted, 'elsewhere', () => page.getByRole('main').getByLabel('Tenant', { exact: true }).selectOption({ label: second.name }));
  await storeIt(page, scripted);
  await open('/user/api-keys');

  const rail = page.getByRole('banner');
  for (const [tenant, role, pagesOfTeam] of [[second, 'User', 0], [team, 'Administrator', 1]]) {
    if (!(await tenantButton(page).innerText()).includes(tenant.name)) await selectTenant(page, tenant.name);
    await expect(tenantButton(page)).toContainText(tenant.name);
    await expect(tenantButton(page)).toContainText(role);
    await expect(rail.getByRole('link', { name: 'Service accounts' })).toHaveCount(pagesOfTeam);
    await expect(page).toHaveURL(/\/user\/api-keys$/);
    // A list has only the keys of the selected tenant, and says how many there are in others.
    await expect(row(page, 'elsewhere')).toHaveCount(tenant === second ? 1 : 0);
    if (tenant === team) await expect(page.getByRole('main')).toContainText('You have 1 more key in another tenant.');
    if (scripted) await alive(page);
  }
});

test('the page has a strict content security policy, and the cookie is protected', async ({ page, open, team, signIn, context }) => {
  await signIn(team.person());
  const answer = await open('/user/api-keys');
  const headers = answer.headers();
  const policy = headers['content-security-policy'];
  expect(policy).toMatch(/script-src[^;]*'nonce-[^']+'/);
  expect(policy).toContain("'wasm-unsafe-eval'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("base-uri 'none'");
  expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'/);
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  });
  const html = await answer.text();
  expect(html).not.toMatch(/<[^>]+\sstyle=/);
  expect(html).not.toMatch(/<[^>]+\son[a-z]+=/);
  const nonce = /'nonce-([^']+)'/.exec(policy)[1];
  const again = (await open('/user/api-keys')).headers()['content-security-policy'];
  expect(again).not.toContain(nonce);

  const session = (await context.cookies()).find((cookie) => /^latchkey-\d+$/.test(cookie.name));
  expect(session).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
});

test('a request from another site changes nothing', async ({ team, signIn, context, page }) => {
  const ada = team.person('USER');
  await signIn(ada);
  const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  for (const foreign of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://example.com' }]) {
    for (const accept of ['text/html', 'application/json']) {
      const answer = await fetch(`${process.env.LATCHKEY_URL}/fn/create_api_key`, {
        method: 'POST',
        headers: { cookie, accept, 'content-type': 'application/x-www-form-urlencoded', ...foreign },
        body: `name=forged&expiry=never&owner=${ada.id}`,
      });
      expect(answer.status).toBe(403);
    }
  }
  await page.reload();
  await alive(page);
  await expect(row(page, 'forged')).toHaveCount(0);
});

test('the printed link creates the first tenant, and works once @both', async ({ page, watch }) => {
  watch.expect(/status of (404|503)/);
  const server = await start();
  try {
    expect((await page.goto(server.url)).status()).toBe(503);
    await expect(page.getByRole('heading', { name: "Latchkey isn't set up yet" })).toBeVisible();
    const link = /http:\S+\/set-up\/\S+/.exec(server.said)[0];
    await page.goto(link);
    await expect(page.getByRole('heading', { name: 'Set up Latchkey' })).toBeVisible();
    await page.getByLabel('Tenant name', { exact: true }).fill('Acme');
    await page.getByLabel('Your name').fill('Ada Lovelace');
    await page.getByLabel('Email').fill('ada@example.org');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Create tenant' }).click();
    await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
    expect((await page.goto(link)).status()).toBe(404);
    await expect(page.getByRole('alert')).toContainText('Latchkey is already set up');
  } finally {
    await server.stop();
  }
});

test('a form opened in one tenant changes nothing after switching to another @both', async ({ page, context, open, team, newTeam, signIn, scripted, watch }) => {
  watch.expect(/status of 409/);
  const second = newTeam();
  const ada = team.person('TENANT_ADMIN');
  second.join(ada, 'TENANT_ADMIN');
  await signIn(ada, '/team/settings');
  const here = tenantButton(page);
  const select = async (tenant) => {
    const other = await context.newPage();
    await other.goto('/team/settings');
    if (!(await tenantButton(other).innerText()).includes(tenant.name)) {
      const switched = other.waitForResponse((response) => response.url().endsWith('/fn/switch_current_tenant'));
      await selectTenant(other, tenant.name);
      await switched;
    }
    await expect(tenantButton(other)).toContainText(tenant.name);
    await other.waitForLoadState('networkidle');
    await other.close();
  };

  await select(team);
  await open('/team/settings');
  await expect(here).toContainText(team.name);

  // The tenant is switched after the form was opened and before it is sent: the form stays, with its input.
  await press(page, 'Rename', scripted);
  await page.getByLabel('Tenant name').fill('Renamed by mistake');
  await select(second);
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('You switched tenants in another tab, so nothing was changed.');
  await expect(page.getByLabel('Tenant name')).toHaveValue('Renamed by mistake');
  if (scripted) await expect(page.getByRole('dialog')).toBeVisible();
  for (const tenant of [team, second]) {
    await select(tenant);
    await open('/team/settings');
    await expect(page.getByRole('main')).not.toContainText('Renamed by mistake');
  }

  // The tenant is switched after the page was opened and before its dialog is.
  await open('/team/settings');
  await expect(here).toContainText(second.name);
  await select(team);
  await page.getByRole('link', { name: 'Rename', exact: true }).click();
  await expect(here).toContainText(team.name);
  await expect(page.getByLabel('Tenant name')).toHaveValue(team.name);
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

