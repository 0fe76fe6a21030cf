// How people join a tenant, and its settings: invitations, renaming and new tenants, with JavaScript and without.
import { randomBytes } from 'node:crypto';
import { expectAccessible } from '../support/accessible.mjs';
import { PASSWORD, alive, expect, test } from '../support/test.mjs';
import { SAVED, press, row, said, tenantButton } from '../support/steps.mjs';

const freshEmail = () => `${randomBytes(6).toString('hex')}@example.org`;
const openInvitations = (page) => page.getByRole('table', { name: 'Open invitations' });
const secretOf = (link) => new URL(link).pathname.split('/').pop();

/** Invites an address from the members page and returns the link that is shown. */
async function invite(page, scripted, email, role = 'User') {
  await press(page, 'Invite a member', scripted);
  await expect(page.getByRole('heading', { name: 'Invite a member' })).toBeVisible();
  await page.getByLabel('Email').fill(email);
  await page.getByRole('radio', { name: role, exact: true }).check();
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Invitation created' })).toBeVisible();
  const link = await page.getByLabel('Link', { exact: true }).inputValue();
  expect(link).toMatch(new RegExp(`^${process.env.LATCHKEY_URL}/invitations/[0-9A-Za-z_-]{20,}$`));
  await page.getByRole('link', { name: SAVED }).click();
  await expect(page.getByRole('heading', { name: 'Invitation created' })).toHaveCount(0);
  await expect(async () => expect(await page.content()).not.toContain(secretOf(link))).toPass({ timeout: 7_000 });
  return link;
}

/** Signs in with the form that is shown. */
async function enter(page, person) {
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function expectDead(page, link) {
  expect((await page.goto(link)).status()).toBe(404);
  await expect(page.getByRole('alert')).toContainText('This invitation is no longer valid');
}

test('a new user is invited and joins with the link, which works once @both', async ({ page, open, team, signIn, elsewhere, scripted }) => {
  const email = freshEmail();
  await signIn(team.person('TENANT_ADMIN', 'Ada Lovelace'), '/team/members');
  await expect(openInvitations(page)).toHaveCount(0);
  const link = await invite(page, scripted, email);
  await expect(openInvitations(page).getByRole('row').filter({ hasText: email })).toContainText('by Ada Lovelace');

  const guest = await elsewhere();
  await guest.goto(link);
  await expect(guest.getByRole('heading', { name: `Join ${team.name}` })).toBeVisible();
  await expect(guest.getByRole('main')).toContainText(`Ada Lovelace invited you to join ${team.name} as a User.`);
  await expect(guest.getByRole('main')).toContainText(`This invitation is for ${email}.`);
  const password = guest.getByLabel('Password', { exact: true });
  await guest.getByLabel('Your name').fill('Grace Hopper');
  expect(await password.getAttribute('minlength')).toBe('15');
  await password.fill('passwordpassword');
  await guest.getByRole('button', { name: 'Join', exact: true }).click();
  await expect(password).toHaveAttribute('aria-invalid', 'true');
  await expect(password).toHaveAccessibleDescription(/15 characters.*easy to guess/);
  await expect(guest.getByLabel('Your name')).toHaveValue('Grace Hopper');
  await expect(password).toHaveValue('');
  await password.fill(PASSWORD);
  await guest.getByRole('button', { name: 'Join', exact: true }).click();
  await expect(guest).toHaveURL(/\/user\/api-keys$/);
  await said(guest, `Welcome to ${team.name}.`);
  await expect(guest.getByRole('banner')).toContainText(team.name);
  await expect(guest.getByRole('banner')).toContainText('Grace Hopper');

  await expectDead(guest, link);
  await expectDead(await elsewhere(), link);
  await open('/team/members');
  await expect(row(page, email)).toContainText('Grace Hopper');
  await expect(row(page, email)).toContainText('User');
  await expect(openInvitations(page)).toHaveCount(0);

  const again = await elsewhere();
  await again.goto('/sign-in');
  await enter(again, { email });
  await expect(again.getByRole('heading', { level: 1, name: 'API Keys' })).toBeVisible();
});

test('an existing member can not be invited @both', async ({ page, team, signIn, scripted, watch }) => {
  watch.expect(/status of 422/);
  const ben = team.person('USER', 'Ben');
  await signIn(team.person(), '/team/members');
  await press(page, 'Invite a member', scripted);
  const field = page.getByLabel('Email');
  await field.fill(ben.email);
  await page.getByRole('radio', { name: 'Read only', exact: true }).check();
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  await expect(field).toHaveAccessibleDescription(/This person is already a member of this tenant/);
  await expect(field).toHaveValue(ben.email);
  await expect(page.getByRole('radio', { name: 'Read only', exact: true })).toBeChecked();
});

test('only administrators can invite @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 403/);
  await signIn(team.person('USER'), '/team/members');
  await expect(page.getByRole('link', { name: 'Invite a member' })).toHaveCount(0);
  expect((await open('/team/members/invite')).status()).toBe(403);
});

test('a user of another tenant joins with their existing account @both', async ({ page, team, newTeam, signIn, elsewhere, scripted, watch }) => {
  watch.expect(/status of 404/);
  const second = newTeam();
  const eve = second.person('USER', 'Eve');
  const ada = team.person();
  await signIn(ada, '/team/members');
  const link = await invite(page, scripted, eve.email, 'Read only');

  await page.goto(link);
  await expect(page.getByRole('main')).toContainText(`You're signed in as ${ada.email}. Sign out and open the link again.`);
  await expect(page.getByRole('button', { name: /^Join/ })).toHaveCount(0);
  const answer = await page.request.post(link, { form: {}, maxRedirects: 0 });
  expect(answer.status()).toBe(403);

  const guest = await elsewhere();
  await guest.goto(link);
  await expect(guest.getByLabel('Password')).toHaveCount(0);
  await guest.getByRole('link', { name: 'Sign in to join' }).click();
  await enter(guest, eve);
  await expect(guest).toHaveURL(link);
  await guest.getByRole('button', { name: 'Join as Eve' }).click();
  await expect(guest).toHaveURL(/\/user\/api-keys$/);
  await expect(tenantButton(guest)).toContainText(team.name);
  await expect(tenantButton(guest)).toContainText('Read only');
  await tenantButton(guest).click();
  await expect(guest.locator('#tenants').getByRole('button')).toHaveText([new RegExp(second.name)]);
  await expectDead(page, link);
});

test('a user removed from their only tenant rejoins with an invitation and their password @both', async ({ page, team, signIn, elsewhere, scripted, watch }) => {
  watch.expect(/status of 4\d\d/);
  const [ada, ben] = [team.person(), team.person('USER', 'Ben')];
  team.remove(ben);
  await signIn(ada, '/team/members');
  const link = await invite(page, scripted, ben.email);
  const guest = await elsewhere();
  await guest.goto('/sign-in');
  await enter(guest, ben);
  await expect(guest.getByRole('alert')).toContainText("You're no longer a member of any tenant");
  await guest.goto(link);
  const password = guest.getByLabel('Password', { exact: true });
  await password.fill('not the password of Ben');
  await guest.getByRole('button', { name: 'Join' }).click();
  await expect(password).toHaveAttribute('aria-invalid', 'true');
  await password.fill(PASSWORD);
  await guest.getByRole('button', { name: 'Join' }).click();
  await expect(guest).toHaveURL(/\/user\/api-keys$/);
  await expect(guest.getByRole('heading', { level: 1, name: 'API Keys' })).toBeVisible();
});

test('an invitation is cancelled, and its link stops working @both', async ({ page, team, signIn, elsewhere, scripted }) => {
  const email = freshEmail();
  await signIn(team.person(), '/team/members');
  const link = await invite(page, scripted, email);
  const guest = await elsewhere();
  expect((await guest.goto(link)).status()).toBe(200);
  await press(page, `Cancel the invitation for ${email}`, scripted);
  await expect(page.getByRole('heading', { name: `Cancel the invitation for ${email}?` })).toBeVisible();
  await page.getByRole('button', { name: 'Cancel invitation', exact: true }).click();
  await said(page, 'Invitation cancelled.');
  await expect(openInvitations(page)).toHaveCount(0);
  // The form was already open when the invitation was cancelled.
  await guest.getByLabel('Your name').fill('Too Late');
  await guest.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await guest.getByRole('button', { name: 'Join', exact: true }).click();
  await expect(guest.getByRole('alert')).toContainText('This invitation is no longer valid');
  await expectDead(guest, link);
});

test('the log and the database never contain the secret of an opened invitation @both', async ({ page, team, signIn, elsewhere, scripted, watch }) => {
  await signIn(team.person(), '/team/members');
  const link = await invite(page, scripted, freshEmail());
  watch.shown(secretOf(link));
  const guest = await elsewhere();
  expect((await guest.goto(link)).status()).toBe(200);
});

test('a later invitation for an address replaces the earlier one @both', async ({ page, team, signIn, elsewhere, scripted }) => {
  const email = freshEmail();
  await signIn(team.person(), '/team/members');
  const first = await invite(page, scripted, email);
  const second = await invite(page, scripted, email, 'Read only');
  await expect(openInvitations(page).locator('tbody').getByRole('row')).toHaveCount(1);
  await expect(openInvitations(page)).toContainText('Read only');
  const guest = await elsewhere();
  await expectDead(guest, first);
  expect((await guest.goto(second)).status()).toBe(200);
});

test('an administrator renames the tenant @both', async ({ page, team, signIn, scripted, watch }) => {
  watch.expect(/status of 422/);
  await signIn(team.person(), '/team/settings');
  await expect(page.getByRole('main')).toContainText(team.slug);
  await press(page, 'Rename', scripted);
  const field = page.getByLabel('Tenant name', { exact: true });
  await expect(field).toHaveValue(team.name);
  await field.fill(' ');
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await field.fill(`Acme ${team.slug}`);
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await said(page, `Tenant renamed to “Acme ${team.slug}”.`);
  await expect(page.getByRole('main')).toContainText(`Acme ${team.slug}`);
  await expect(page.getByRole('banner')).toContainText(`Acme ${team.slug}`);
});

test('an administrator creates another tenant and is switched to it @both', async ({ page, team, signIn, scripted, watch }) => {
  watch.expect(/status of 4(09|22)/);
  await signIn(team.person(), '/team/settings');
  await press(page, 'Create a tenant', scripted);
  const [name, slug] = [page.getByLabel('Tenant name', { exact: true }), page.getByLabel('Slug')];
  await name.fill('Bolt Works');
  await slug.fill(team.slug);
  await page.getByRole('button', { name: 'Create tenant', exact: true }).click();
  await expect(slug).toHaveAttribute('aria-invalid', 'true');
  await expect(slug).toHaveAccessibleDescription(/taken|already/);
  await expect(name).toHaveValue('Bolt Works');
  await expect(slug).toHaveValue(team.slug);
  await slug.fill(`${team.slug}-2`);
  await page.getByRole('button', { name: 'Create tenant', exact: true }).click();
  await said(page, 'Tenant “Bolt Works” created.');
  await expect(page).toHaveURL(/\/user\/api-keys$/);
  if (scripted) await alive(page);
  await expect(tenantButton(page)).toContainText('Bolt Works');
  await tenantButton(page).click();
  await expect(page.locator('#tenants li')).toHaveText([/Bolt Works/, new RegExp(team.name)]);
  await expect(page.locator('#tenants [aria-current]')).toContainText('Bolt Works');
  await page.keyboard.press('Escape');
  await page.getByRole('banner').getByRole('link', { name: 'Members' }).click();
  await expect(row(page, '(you)')).toContainText('Administrator');
});

test('an invalid field in a dialog gets the focus', async ({ page, team, signIn, watch }) => {
  watch.expect(/status of 4(09|22)/);
  await signIn(team.person(), '/team/settings');
  await press(page, 'Create a tenant', true);
  await page.getByLabel('Tenant name', { exact: true }).fill('Bolt Works');
  await page.getByLabel('Slug').fill(team.slug);
  await page.getByRole('button', { name: 'Create tenant', exact: true }).click();
  await expect(page.getByLabel('Slug')).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByLabel('Slug')).toBeFocused();
});

test('only administrators can see the settings @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 403/);
  await signIn(team.person('USER'));
  await expect(page.getByRole('banner').getByRole('link', { name: 'Members' })).toBeVisible();
  await expect(page.getByRole('banner').getByRole('link', { name: 'Settings' })).toHaveCount(0);
  expect((await open('/team/settings')).status()).toBe(403);
  await expect(page.getByRole('main')).toContainText("Only administrators can manage the tenant's settings.");
  const origin = process.env.LATCHKEY_URL;
  // Every form says in which tenant it was opened.
  await open('/user/api-keys/new');
  const in_tenant = await page.locator('[name=in_tenant]').first().inputValue();
  for (const [operation, form] of [
    ['rename_tenant', { in_tenant, name: 'Mine', page: '/team/settings/rename' }],
    ['create_tenant', { in_tenant, name: 'Mine', slug: `${team.slug}-2`, page: '/tenants/new' }],
  ]) {
    for (const accept of ['text/html', 'application/json']) {
      const headers = { accept, origin, 'x-latchkey-tenant': in_tenant };
      const answer = await page.request.post(`/fn/${operation}`, { form, headers, maxRedirects: 0 });
      expect(answer.status(), `${operation}, ${accept}`).toBe(403);
      expect(await answer.text(), `${operation}, ${accept}`).toMatch(/administrator/i);
    }
  }
});

for (const path of ['/team/settings/rename', '/tenants/new']) {
  test(`a user who may not submit the form of ${path} can't open it @both`, async ({ open, team, signIn, watch }) => {
    watch.expect(/status of 403/);
    await signIn(team.person('USER'));
    expect((await open(path)).status()).toBe(403);
  });
}

/** Visits the pages that this file tests, and calls `look` with the name of each. */
async function walk({ page, open, team, newTeam, signIn, elsewhere, scripted, look }) {
  const eve = newTeam().person('USER', 'Eve');
  await signIn(team.person('TENANT_ADMIN', 'Ada Lovelace'), '/team/members');
  const links = [];
  for (const email of [freshEmail(), eve.email, `a.name.as.long.as.addresses.of.people.can.be.${freshEmail()}`]) {
    links.push(await invite(page, scripted, email));
    await open('/team/members');
  }
  await look(page, '/team/members');
  const cancel = await page.getByRole('link', { name: `Cancel the invitation for ${eve.email}` }).getAttribute('href');
  for (const path of ['/team/members/invite', cancel, '/team/settings', '/team/settings/rename', '/tenants/new', links[1]]) {
    await open(path);
    await look(page, path);
  }
  const guest = await elsewhere();
  for (const link of links) {
    await guest.goto(link);
    await look(guest, link);
  }
  await guest.getByLabel('Your name').fill('Grace Hopper');
  await guest.getByLabel('Password', { exact: true }).fill('passwordpassword');
  await guest.getByRole('button', { name: 'Join', exact: true }).click();
  await expect(guest.getByLabel('Password', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  await look(guest, 'an invitation, refused');
  await guest.goto('/invitations/nothing');
  await look(guest, 'an unknown invitation');
}

for (const colorScheme of ['light', 'dark']) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test(`axe finds no problem on the members and settings pages, ${colorScheme}`, async ({ page, open, team, newTeam, signIn, elsewhere, scripted }) => {
      test.slow();
      await walk({ page, open, team, newTeam, signIn, elsewhere, scripted, look: expectAccessible });
    });
  });
}

test.describe('390 px', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('no members or settings page scrolls sideways @both', async ({ page, open, team, newTeam, signIn, elsewhere, scripted }) => {
    const look = async (page, what) => {
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect.soft(overflow, what).toBeLessThanOrEqual(0);
    };
    await walk({ page, open, team, newTeam, signIn, elsewhere, scripted, look });
  });
});
