// The forms of server functions with JavaScript: validated at their fields before anything is sent, sent once, and
// answered without leaving the page.
import { expect, isValid, test } from '../support/test.mjs';
import { createKey, nameField, press, revealed, row, said, storeIt } from '../support/steps.mjs';

const dialog = (page) => page.getByRole('dialog').or(page.getByRole('alertdialog'));
const create = (page) => page.getByRole('button', { name: 'Create', exact: true });

/** Collects the paths of the requests that a page sends from now on. */
function sent(page, method = /./) {
  const paths = [];
  page.on('request', (request) => method.test(request.method()) && paths.push(new URL(request.url()).pathname));
  return paths;
}

/** Holds the requests to a server function back until the returned function is called. */
async function hold(page, path) {
  let go;
  const gate = new Promise((done) => (go = done));
  await page.route(`**${path}`, async (route) => {
    await gate;
    await route.continue();
  });
  return go;
}

/** Returns the centre of a visible element. */
async function middle(locator) {
  const { x, y, width, height } = await locator.boundingBox();
  return [x + width / 2, y + height / 2];
}

test('an invalid value is refused at its field without a request', async ({ page, open, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  await press(page, 'Create an API key', true);
  const requests = sent(page);
  for (const [name, message] of [['   ', 'Enter a name.'], ['a\u202Eb', /Use visible characters only/]]) {
    await nameField(page).fill(name);
    await create(page).click();
    await expect(page.getByRole('alert')).toHaveText(message);
    await expect(nameField(page)).toHaveAttribute('aria-invalid', 'true');
    await expect(nameField(page)).toHaveAccessibleDescription(new RegExp(message));
    await expect(nameField(page)).toBeFocused();
    await expect(nameField(page)).toHaveValue(name);
  }

  await page.getByLabel('Custom…').check();
  await page.getByLabel(/^Expiry date/).fill('2020-01-01T00:00');
  await create(page).click();
  await expect(page.getByRole('alert')).toHaveCount(2);
  await nameField(page).fill('good');
  await create(page).click();
  await expect(page.getByRole('alert')).toHaveCount(1);
  await expect(page.getByRole('group', { name: 'Expires' }).getByRole('alert')).toBeVisible();
  await expect(nameField(page)).not.toHaveAttribute('aria-invalid');
  await expect(page.getByLabel(/^Expiry date/)).toHaveValue('2020-01-01T00:00');
  expect(requests).toEqual([]);

  await page.getByLabel('7 days', { exact: true }).check();
  await create(page).click();
  await revealed(page, watch);
  expect(requests.filter((path) => path === '/fn/create_api_key')).toHaveLength(1);
  await storeIt(page, true);
  await open('/user/api-keys?state=all');
  await expect(row(page, 'good')).toHaveCount(1);
});

test('pressing Create repeatedly while the request is pending creates one key', async ({ page, open, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  await press(page, 'Create an API key', true);
  await nameField(page).fill('twice');
  const posts = sent(page, /POST/);
  const go = await hold(page, '/fn/create_api_key');
  await create(page).click();
  const pressed = dialog(page).locator('button[type=submit]');
  await pressed.click({ force: true });
  await nameField(page).press('Enter');
  await pressed.dblclick({ force: true });
  go();
  const token = await revealed(page, watch);
  expect(posts).toEqual(['/fn/create_api_key']);
  await storeIt(page, true);
  await open('/user/api-keys?state=all');
  await expect(row(page, 'twice')).toHaveCount(1);
  expect(await isValid(token)).toBe(true);
});

test('an error from the server is shown at its field, in the same dialog', async ({ page, team, signIn, watch }) => {
  watch.expect(/status of 4(09|22)/);
  team.account('deployer');
  await signIn(team.person(), '/team/service-accounts');
  await press(page, /^Add a? ?service account$/i, true);
  await nameField(page).fill('deployer');
  await page.getByRole('radio', { name: 'Read only', exact: true }).check();
  await create(page).click();
  await expect(nameField(page)).toHaveAttribute('aria-invalid', 'true');
  await expect(nameField(page)).toHaveAccessibleDescription(/already|taken/);
  await expect(nameField(page)).toBeFocused();
  await expect(page.getByRole('radio', { name: 'Read only', exact: true })).toBeChecked();
  await expect(page).toHaveURL(/\/team\/service-accounts$/);
  await nameField(page).fill('reports');
  await create(page).click();
  await expect(page.getByRole('heading', { level: 1, name: 'reports' })).toBeVisible();
  await said(page, '“reports” created.');
});

test('previewing a policy changes nothing', async ({ page, open, team, signIn }) => {
  const ada = team.person();
  team.key(ada, 'endless');
  await signIn(ada, '/team/settings/policies/max_lifetime');
  const posts = sent(page, /POST/);
  await page.getByLabel('Days').fill('30');
  await expect(page).toHaveURL(/[?&]days=30&/);
  await expect(page.getByRole('heading', { name: 'Affected keys' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'endless' })).toBeVisible();
  await page.getByLabel('Days').press('Enter');
  await expect(page.getByRole('heading', { name: 'Affected keys' })).toBeVisible();
  expect(posts).toEqual([]);
  await open('/team/settings');
  await expect(row(page, 'Maximum lifetime')).toContainText('Off');
});

test('one mouse click on the trash bin and one on the button revoke a key', async ({ page, team, signIn, watch }) => {
  await signIn(team.person('USER'));
  const token = await createKey(page, watch, true, 'clicked');
  await storeIt(page, true);
  await expect(row(page, 'clicked')).toBeVisible();
  await page.mouse.click(...(await middle(page.getByRole('link', { name: 'Revoke API key clicked' }))));
  await expect(page.getByRole('heading', { name: 'Revoke “clicked”?' })).toBeVisible();
  await page.mouse.click(...(await middle(page.getByRole('button', { name: 'Revoke', exact: true }))));
  await said(page, '“clicked” revoked.');
  await expect(dialog(page)).toHaveCount(0);
  await expect(row(page, 'clicked')).toContainText('Revoked');
  expect(await isValid(token)).toBe(false);
});
