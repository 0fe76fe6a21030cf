// The pictures: each has a name and the same numbers as text, and works without script, by keyboard and in forced
// colours.
import { expectAccessible } from '../support/accessible.mjs';
import { expect, isValid, test } from '../support/test.mjs';
import { row } from '../support/steps.mjs';

const DAY_MS = 86_400_000;
const inDays = (days) => new Date(Date.now() + days * DAY_MS).toISOString();

/** A person with three keys, one of which was used three times. */
async function furnish(team) {
  const ada = team.person();
  const account = team.account('deployer');
  const used = team.key(ada, 'laptop', inDays(5));
  team.key(account, 'agent', inDays(40));
  team.key(ada, 'without end');
  for (let n = 0; n < 3; n += 1) expect(await isValid(used)).toBe(true);
  return { ada };
}

/** The path of a key's page. */
async function pathOf(page, name) {
  return page.getByRole('link', { name, exact: true }).and(page.locator('a.name')).getAttribute('href');
}

test('each row of a list has a spark with its numbers @both', async ({ page, open, team, signIn }) => {
  const { ada } = await furnish(team);
  await signIn(ada);
  // Usage is written within a second.
  await expect(async () => {
    await open('/user/api-keys');
    await expect(row(page, 'laptop').getByRole('img')).toHaveAccessibleName('3 requests in 30 days', { timeout: 500 });
  }).toPass();
  await expect(row(page, 'without end').getByRole('img')).toHaveAccessibleName('No requests in 30 days');
});

test('the chart of a key names its maximum and its days, and has a table @both', async ({ page, open, team, signIn, scripted }) => {
  const { ada } = await furnish(team);
  await signIn(ada);
  const path = await pathOf(page, 'laptop');
  await open(path);
  const chart = page.getByRole('img', { name: 'Requests per day in the last 30 days (UTC): 3 accepted, 0 rejected' });
  await expect(chart).toBeVisible();
  await expect(chart.locator('.maximum')).toHaveText('5');
  await expect(chart.locator('.tick')).toHaveCount(5);
  await page.getByText('Show as table').click();
  const table = page.getByRole('table', { name: 'Requests per day in the last 30 days (UTC)' });
  await expect(table.getByRole('row')).toHaveCount(31);
  await expect(table.getByRole('row').nth(1).getByRole('cell')).toHaveText(['3', '0']);

  for (const [range, name, bars] of [
    ['24 hours', 'Requests per hour in the last 24 hours (UTC)', 24],
    ['7 days', 'Requests per day in the last 7 days (UTC)', 7],
    ['90 days', 'Requests per day in the last 90 days (UTC)', 90],
  ]) {
    const link = page.getByRole('navigation', { name: 'Range' }).getByRole('link', { name: range });
    await link.click();
    await expect(page).toHaveURL(/range=\d+[hd]/);
    await expect(page.getByRole('navigation', { name: 'Range' }).getByRole('link', { name: range })).toHaveAttribute('aria-current', 'true');
    await expect(page.getByRole('img', { name }).locator('.column')).toHaveCount(bars);
  }
  await open(`${path}?range=7d`);
  await expect(page.getByRole('img', { name: /^Requests by hour in the last 7 days/ })).toBeVisible();
  if (scripted) await expectAccessible(page, 'the chart of a key');
  await page.emulateMedia({ forcedColors: 'active' });
  const colours = await page.locator('.bar-uses').first().evaluate((bar) => [getComputedStyle(bar).fill, getComputedStyle(document.body).color]);
  expect(colours[0]).toBe(colours[1]);
});

test('the bar under the pointer is described, even where it is low', async ({ page, open, team, signIn }) => {
  const { ada } = await furnish(team);
  await signIn(ada);
  await open(`${await pathOf(page, 'laptop')}?range=7d`);
  const column = page.locator('.column').first();
  await expect(column.locator('.readout')).toBeHidden();
  await column.locator('.column-area').hover();
  await expect(column.locator('.readout')).toBeVisible();
  await expect(column.locator('.readout')).toHaveText(/^\d+ \w+ \d+: 0 accepted, 0 rejected$/);
});

test('the timeline links to each expiring key, by keyboard too @both', async ({ page, open, team, signIn, scripted }) => {
  const { ada } = await furnish(team);
  await signIn(ada, '/team/keys');
  const timeline = page.getByRole('group', { name: '2 keys expire within 90 days.' });
  await expect(timeline).toBeVisible();
  const dots = timeline.getByRole('link', { name: /expires on/ });
  await expect(dots).toHaveCount(2);
  await expect(dots.first()).toHaveAccessibleName(/^“laptop” of Ada Lovelace expires on .*requests in the last 7 days\.$/);
  const parts = timeline.getByRole('link', { name: /Show it in the list/ });
  await expect(parts).toHaveCount(2);
  await parts.nth(1).focus();
  await expect(parts.nth(1).locator('.readout')).toHaveText('1 key expires in 39 to 42 days. Show it in the list.');
  if (scripted) await expectAccessible(page, 'the timeline');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('link', { name: 'Remove filter Expires: In 39 to 42 days' })).toBeVisible();
  await expect(row(page, 'agent')).toBeVisible();
  await expect(row(page, 'laptop')).toHaveCount(0);
  await page.getByRole('link', { name: 'Remove filter Expires: In 39 to 42 days' }).click();
  await expect(row(page, 'laptop')).toBeVisible();

  await open('/team/service-accounts');
  await expect(page.getByRole('group', { name: '1 key expires within 90 days.' })).toBeVisible();
  await page.getByText('Show as table').click();
  await expect(page.getByRole('table', { name: 'Keys that expire within 90 days' })).toContainText('deployer');
});

test('the numbers of the overview lead to lists of as many keys @both', async ({ page, open, team, signIn }) => {
  const { ada } = await furnish(team);
  await expect.poll(() => isValid(team.key(ada, 'another', inDays(20)))).toBe(true);
  await signIn(ada);
  await expect(async () => {
    await open('/team/overview');
    await expect(page.getByRole('heading', { name: 'Requests', exact: true })).toBeVisible({ timeout: 500 });
  }).toPass();
  for (const label of [/active key/, /expir/]) {
    await open('/team/overview');
    const link = page.locator('.numbers').getByRole('link', { name: label });
    const number = await link.locator('strong').textContent();
    await link.click();
    await expect(page.locator('.count')).toHaveText(new RegExp(`^${number} keys?$`));
  }
});

test('the arrow keys select a bar of a chart', async ({ page, open, team, signIn }) => {
  const { ada } = await furnish(team);
  await signIn(ada);
  await open(`${await pathOf(page, 'laptop')}?range=7d`);
  const said = page.locator('figure.chart [data-readout]');
  await page.locator('svg.bars').focus();
  await page.keyboard.press('ArrowLeft');
  await expect(said).toHaveText(/^\d+ \w+ \d+: \d accepted, 0 rejected$/);
  const last = await said.textContent();
  await page.keyboard.press('ArrowLeft');
  await expect(said).not.toHaveText(last);
  await expect(page.locator('.column').nth(5).locator('.readout')).toBeVisible();
  await page.keyboard.press('Home');
  await expect(page.locator('.column').first().locator('.readout')).toBeVisible();
  await page.keyboard.press('End');
  await expect(said).toHaveText(last);
});

test('a rotation shows both keys, one above the other @both', async ({ page, open, team, signIn }) => {
  const { ada } = await furnish(team);
  await signIn(ada);
  const path = await pathOf(page, 'laptop');
  await open(`${path}/roll`);
  await page.getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(page.getByRole('heading', { name: /API key has been (created|rotated)|new key/i })).toBeVisible();
  await open(path);
  await expect(page.getByRole('img', { name: 'Old key: 3 requests' })).toBeVisible();
  await expect(page.getByRole('img', { name: 'New key: no requests' })).toBeVisible();
  await expect(page.getByText(/The old key was last used/)).toBeVisible();
});

test('an administrator first sees the steps, and the overview once a key is used @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  await signIn(ada);
  await open('/');
  await expect(page).toHaveURL(/\/team\/overview$/);
  for (const name of ['Create a key', 'Verify it from your API', 'Invite your team']) {
    await expect(page.getByRole('main').getByRole('link', { name })).toBeVisible();
  }
  await expect(page.getByText('Done:')).toHaveCount(0);
  const token = team.key(ada, 'laptop', inDays(5));
  await open('/team/overview');
  await expect(page.getByRole('listitem').filter({ hasText: 'Create a key' })).toContainText('Done:');
  expect(await isValid(token)).toBe(true);
  await open('/team/overview');

  await expect(page.getByRole('link', { name: '1 active key' })).toHaveAttribute('href', '/team/keys');
  await expect(page.getByRole('img', { name: /^Requests per day in the last 30 days \(UTC\): 1 accepted/ })).toBeVisible();
  await expect(page.getByRole('table', { name: 'Most used keys' })).toContainText('laptop');
  await expect(page.getByRole('link', { name: 'Ada Lovelace signed in.' }).first()).toBeVisible();
  if (scripted) await expectAccessible(page, 'the overview');
  await page.getByRole('link', { name: /expires within 30 days/ }).click();
  await expect(row(page, 'laptop')).toBeVisible();
});

test('a person who is not an administrator starts with their keys @both', async ({ page, open, team, signIn }) => {
  team.person();
  const ben = team.person('USER', 'Ben');
  await signIn(ben);
  await open('/');
  await expect(page).toHaveURL(/\/user\/api-keys$/);
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Overview' })).toHaveCount(0);
});
