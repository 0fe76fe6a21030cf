// What a person notices without looking for it: the focus and the place on the page after an act, what is typed while the
// network is slow, and what a notice offers. Presses go to coordinates.
import { nameField, row, said } from '../support/steps.mjs';
import { alive, expect, isValid, test } from '../support/test.mjs';

const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString();

/** Presses the middle of an element with the mouse. */
async function pressAt(page, locator) {
  await expect(locator).toBeVisible();
  const box = await locator.boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
}

/** What has the focus: its id, its label or its text. */
const focused = (page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    return at.getAttribute('aria-label') ?? (at.id || at.textContent.trim());
  });

/** Delays every page by a time, as a slow network does. */
const slow = (page, milliseconds) =>
  page.route('**/*', async (route) => {
    if (!['document', 'fetch'].includes(route.request().resourceType())) return route.continue();
    const sent = await route.fetch({ maxRedirects: 0 }).catch(() => null);
    if (!sent) return route.abort();
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return route.fulfill({ response: sent });
  });

test('a password can be shown on pages outside of the frame', async ({ page, open, team }) => {
  const ada = team.person();
  await open('/sign-in');
  await page.getByLabel('Email').fill(ada.email);
  const password = page.getByLabel('Password', { exact: true });
  await password.fill('seven lamps');
  await pressAt(page, page.getByRole('button', { name: 'Show' }));
  await expect(password).toHaveAttribute('type', 'text');
  await pressAt(page, page.getByRole('button', { name: 'Hide' }));
  await expect(password).toHaveAttribute('type', 'password');
});

test('the search keeps what is typed before its results come, and opens the right one', async ({ page, team, signIn }) => {
  const ada = team.person();
  team.account('deployer');
  await signIn(ada, '/team/members');
  await slow(page, 800);
  await page.keyboard.press('Control+k');
  // At once: nothing waits for a response.
  await page.keyboard.type('deployer');
  await expect(page.getByRole('searchbox', { name: /Search pages/ })).toHaveValue('deployer');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: 'deployer' })).toBeVisible({ timeout: 10_000 });
});

test('the field of the search stays where it is while the results change', async ({ page, team, signIn }) => {
  await signIn(team.person());
  await page.keyboard.press('Control+k');
  const field = page.getByRole('searchbox', { name: /Search pages/ });
  const before = (await field.boundingBox()).y;
  await page.keyboard.type('zebra');
  await expect(page.getByText('Nothing matches “zebra”.')).toBeVisible();
  expect((await field.boundingBox()).y).toBe(before);
});

test('a list is sorted and filtered in place, and Back shows it as it was', async ({ page, team, signIn }) => {
  const ada = team.person();
  team.key(ada, 'beta');
  team.key(ada, 'alpha');
  await signIn(ada);
  let loads = 0;
  page.on('load', () => (loads += 1));
  const names = () => page.locator('tbody a.name').allTextContents();
  await pressAt(page, page.getByRole('columnheader', { name: /^Name/ }).getByRole('link'));
  await expect.poll(names).toEqual(['alpha', 'beta']);
  await expect(page).toHaveURL(/sort=name/);
  expect(await focused(page)).toMatch(/^Name/);
  await pressAt(page, page.getByRole('navigation', { name: 'Filter by state' }).getByRole('link', { name: 'Revoked' }));
  await expect(page.getByText('No revoked keys.')).toBeVisible();
  expect(await focused(page)).toBe('Revoked');
  await page.goBack();
  await expect.poll(names).toEqual(['alpha', 'beta']);
  await page.goBack();
  await expect(page).not.toHaveURL(/sort=/);
  await expect(page.getByRole('columnheader', { name: /^Created/ })).toHaveAttribute('aria-sort', 'descending');
  expect(loads).toBe(0);
});

test('without a network, a link leaves the page as it is and says why', async ({ page, context, team, signIn, watch }) => {
  watch.expect(/ERR_INTERNET_DISCONNECTED|Failed to load resource/);
  const ada = team.person();
  team.key(ada, 'laptop');
  await signIn(ada);
  await context.setOffline(true);
  await expect(page.locator('#toast')).toContainText("You're offline");
  await pressAt(page, page.getByRole('link', { name: 'laptop', exact: true }));
  await pressAt(page, page.getByRole('navigation', { name: 'Filter by state' }).getByRole('link', { name: 'Revoked' }));
  await expect(page.locator('#toast')).toContainText("You're offline");
  await expect(row(page, 'laptop')).toBeVisible();
  await context.setOffline(false);
  await expect(page.locator('#toast .toast')).toHaveCount(0);
});

test('the focus of a dialog is on what is selected, not on the first of several choices', async ({ page, open, team, signIn }) => {
  const ada = team.person();
  team.key(ada, 'laptop', inDays(30));
  await signIn(ada);
  await page.getByRole('link', { name: 'laptop', exact: true }).click();
  await alive(page);
  await page.getByRole('link', { name: 'Rotate', exact: true }).first().click();
  await expect(page.getByRole('dialog').getByRole('heading')).toBeVisible();
  await expect(page.getByRole('dialog').locator('input[name=overlap]:checked')).toBeFocused();
});

test('after an act on its own page, a key has the focus again', async ({ page, team, signIn }) => {
  const ada = team.person();
  team.key(ada, 'laptop');
  await signIn(ada);
  await page.getByRole('link', { name: 'laptop', exact: true }).click();
  await alive(page);
  await page.getByRole('main').getByRole('button', { name: /More|Actions/ }).first().click();
  await page.getByRole('link', { name: 'Rename' }).click();
  await nameField(page).fill('notebook');
  await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'notebook' })).toBeVisible();
  await expect(page).toHaveTitle(/^notebook/);
  await expect.poll(() => page.evaluate(() => document.activeElement.matches('body, #main'))).toBe(false);
});

test('a press anywhere in a row opens its page, but not one on its buttons', async ({ page, team, signIn }) => {
  const ada = team.person();
  team.key(ada, 'laptop');
  await signIn(ada);
  await pressAt(page, row(page, 'laptop').locator('td').nth(1));
  await expect(page.getByRole('heading', { level: 1, name: 'laptop' })).toBeVisible();
});

test('several keys are revoked in a dialog over their list', async ({ page, team, signIn }) => {
  const ada = team.person();
  team.key(ada, 'one');
  team.key(ada, 'two');
  await signIn(ada, '/team/keys');
  await page.getByRole('checkbox', { name: 'Select all keys on this page' }).check();
  await pressAt(page, page.getByRole('button', { name: 'Revoke…' }));
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('heading')).toHaveText('Revoke 2 API keys?');
  await pressAt(page, dialog.getByRole('button', { name: 'Revoke' }));
  await said(page, '2 keys revoked.');
  await expect(dialog).toBeHidden();
});

test('a notice offers to undo a suspension, and to view what was changed @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  team.key(ada, 'laptop');
  await signIn(ada);
  const path = await page.getByRole('link', { name: 'laptop', exact: true }).getAttribute('href');
  await open(`${path}/suspend?then=/user/api-keys`);
  await page.getByRole('button', { name: 'Suspend', exact: true }).click();
  const toast = page.locator('#toast .toast');
  await expect(toast).toContainText('laptop');
  const undo = toast.getByRole('link', { name: 'Undo' }).or(toast.getByRole('button', { name: 'Undo' }));
  await undo.click();
  if (!scripted) await page.getByRole('button', { name: 'Resume', exact: true }).click();
  else await page.getByRole('dialog').getByRole('button', { name: 'Resume', exact: true }).click();
  await expect(page.locator('#toast')).toContainText(/resumed/i);
});

test('a form that is sent again says that the first token no longer works @plain', async ({ page, open, team, signIn, watch }) => {
  const ada = team.person();
  await signIn(ada);
  await open('/user/api-keys/new');
  await nameField(page).fill('laptop');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  const token = () => page.getByLabel('API key', { exact: true }).inputValue();
  const first = await token();
  watch.shown(first);
  await expect(page.getByText('This form was sent twice')).toHaveCount(0);
  await page.reload();
  await expect(page.getByText('This form was sent twice, so the key has a new token.')).toBeVisible();
  const second = await token();
  watch.shown(second);
  expect([await isValid(first), await isValid(second)]).toEqual([false, true]);
});

test('the slug of a tenant is filled in from its name until it is typed', async ({ page, open, team, signIn }) => {
  await signIn(team.person());
  await open('/tenants/new');
  await page.getByLabel('Tenant name').pressSequentially('Zürich Übung & Söhne');
  const slug = page.getByLabel('Slug');
  await expect(slug).toHaveValue('zuerich-uebung-soehne');
  await slug.fill('mine');
  await page.getByLabel('Tenant name').pressSequentially(' AG');
  await expect(slug).toHaveValue('mine');
});

test('an error goes away when its field is changed', async ({ page, open, team, signIn }) => {
  await signIn(team.person());
  await open('/user/api-keys/new');
  await nameField(page).fill('a key');
  await page.getByLabel('Custom…').check();
  const date = page.locator('input[type=datetime-local]');
  await expect(page.locator('.instant')).toHaveText(/^\w{3},? \d+ \w+ \d{4},? .*in \d+ days$/);
  await date.fill('2020-01-01T00:00');
  await expect(page.locator('.instant')).toHaveText('');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByText('Choose a time in the future.')).toHaveCount(1);
  await page.getByLabel('7 days').check();
  await expect(page.getByText('Choose a time in the future.')).toHaveCount(0);
});

test('the drawer closes when the focus leaves it, and opens with the focus in it', async ({ page, team, signIn }) => {
  await page.setViewportSize({ width: 780, height: 1024 });
  await signIn(team.person());
  await pressAt(page, page.getByRole('button', { name: 'Menu', exact: true }));
  await expect(page.getByRole('button', { name: 'Close menu' })).toBeFocused();
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  await expect(page.getByRole('button', { name: 'Close menu' })).toBeHidden();
});

test('people without the right to create keys are told so @both', async ({ page, team, signIn }) => {
  await signIn(team.person('READ_ONLY_USER', 'Mary'));
  await expect(page.getByRole('heading', { name: 'No API keys' })).toBeVisible();
  await expect(page.getByText("Your role can't create keys.")).toBeVisible();
});

test('no form is wider than its dialog on a phone', async ({ page, open, team, signIn }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await signIn(team.person());
  await open('/user/api-keys/new');
  await page.getByText('Limits', { exact: true }).click();
  const card = page.locator('.card');
  expect(await card.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});
