// Lists: the search, state, sort order and page are in the URL, and a failure never looks like an empty list.
import { expect, test } from '../support/test.mjs';
import { createKey, revoke, row, storeIt } from '../support/steps.mjs';

const rows = (page) => page.getByRole('table').getByRole('row').filter({ has: page.getByRole('cell') });

test('search, state and sort order are in the URL @both', async ({ page, open, team, signIn }) => {
  const ada = team.person('USER');
  for (const name of ['beta', 'alpha', 'gamma']) team.key(ada, name);
  await signIn(ada);
  await expect(rows(page)).toHaveCount(3);

  await page.getByLabel('Search keys').fill('alp');
  await page.getByLabel('Search keys').press('Enter');
  await expect(page).toHaveURL(/[?&]q=alp/);
  await expect(rows(page)).toHaveCount(1);
  await page.goBack();
  await expect(rows(page)).toHaveCount(3);

  await open('/user/api-keys');
  await page.getByRole('columnheader', { name: /^Name/ }).getByRole('link').click();
  await expect(page).toHaveURL(/[?&]sort=name/);
  await expect(rows(page).first()).toContainText(/alpha|gamma/);
  const first = await rows(page).first().innerText();
  await page.getByRole('columnheader', { name: /^Name/ }).getByRole('link').click();
  await expect(rows(page).first()).toContainText(first.includes('alpha') ? 'gamma' : 'alpha');

  await page.getByRole('navigation', { name: 'Filter by state' }).getByRole('link', { name: 'Revoked' }).click();
  await expect(page).toHaveURL(/[?&]state=revoked/);
  await expect(rows(page).filter({ hasText: 'alpha' })).toHaveCount(0);
});

test('an empty search result names the search and can clear it @both', async ({ page, open, team, signIn }) => {
  const ada = team.person('USER');
  team.key(ada, 'alpha');
  await signIn(ada);
  await open('/user/api-keys?q=zebra');
  await expect(page.getByRole('main')).toContainText('zebra');
  await page.getByRole('link', { name: /clear/i }).first().click();
  await expect(row(page, 'alpha')).toBeVisible();
});

test('pages follow each other without gaps or repetitions @both', async ({ page, team, signIn }) => {
  const ada = team.person('USER');
  const names = Array.from({ length: 23 }, (_, index) => `key-${String(index).padStart(2, '0')}`);
  for (const name of names) team.key(ada, name);
  await signIn(ada);
  const seen = [];
  for (;;) {
    // The rows are read once, so the page must be complete.
    await page.waitForLoadState();
    await expect(rows(page).first()).toBeVisible();
    seen.push(...(await rows(page).allInnerTexts()).map((text) => /key-\d\d/.exec(text)[0]));
    const next = page.getByRole('link', { name: /next/i });
    if ((await next.count()) === 0) break;
    const before = page.url();
    await next.click();
    await expect(page).not.toHaveURL(before);
  }
  expect(page.url()).toMatch(/[?&]after=/);
  expect([...seen].sort()).toEqual(names);
  await page.getByRole('link', { name: /previous/i }).click();
  await expect(page).toHaveURL(/[?&]before=|api-keys$/);
});

test('a list that failed to load never looks empty', async ({ page, team, signIn, watch }) => {
  watch.expect(/Failed to load resource|status of 500/);
  const ada = team.person('USER');
  team.key(ada, 'alpha');
  await signIn(ada);
  for (const [fail, words] of [
    [(route) => route.abort(), "Can't reach the server."],
    [(route) => route.fulfill({ status: 500, body: 'broken' }), 'broken'],
  ]) {
    await page.route((url) => url.searchParams.get('q') === 'alp', fail);
    await page.getByLabel('Search keys').fill('alp');
    await expect(page.getByText(words)).toBeVisible();
    await expect(page.getByText(/no (active |api )?keys/i)).toHaveCount(0);
    await page.unrouteAll();
    await page.goto('/user/api-keys');
    await expect(row(page, 'alpha')).toBeVisible();
  }
});

test('a new key is listed with the date and the distance that were chosen @both', async ({ page, open, team, signIn, scripted, watch }) => {
  await signIn(team.person());
  for (const [code, days] of [['7d', 7], ['30d', 30], ['90d', 90], ['1y', 365]]) {
    await open('/user/api-keys');
    await createKey(page, watch, scripted, code, () => page.locator(`input[name=expiry][value="${code}"]`).check());
    await storeIt(page, scripted);
    const expiry = row(page, code).locator('td[data-label=Expires]');
    const year = new Date(Date.now() + days * 86_400_000).getUTCFullYear();
    await expect(expiry).toContainText(String(year));
    await expect(expiry).toContainText(`in ${days} days`);
  }
  await open('/user/api-keys');
  await createKey(page, watch, scripted, 'always', () => page.locator('input[name=expiry][value=never]').check());
  await storeIt(page, scripted);
  await expect(row(page, 'always').locator('td[data-label=Expires]')).toHaveText('Never');
});

test('the exact times of a row are shown while its name has the focus', async ({ page, team, signIn }) => {
  const ada = team.person('USER');
  team.key(ada, 'laptop', '2031-06-01T01:30:00Z');
  await signIn(ada);
  const name = page.getByRole('link', { name: 'laptop', exact: true });
  const shown = () => row(page, 'laptop').locator('time[title]').evaluateAll((times) =>
    times.map((time) => getComputedStyle(time, '::after').content).filter((text) => text !== 'none'));
  expect(await shown()).toEqual([]);
  await page.getByRole('searchbox').focus();
  while (!(await name.evaluate((link) => link === document.activeElement))) await page.keyboard.press('Tab');
  const times = await shown();
  expect(times).toContain('"1 Jun 2031, 03:30 CEST"');
  expect(times).toHaveLength(2);
});

test('on a narrow screen, a revoked key is not said to expire', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  for (const name of ['kept', 'gone']) team.key(ada, name);
  await signIn(ada);
  await revoke(page, scripted, 'gone');
  await page.setViewportSize({ width: 390, height: 844 });
  await open('/user/api-keys?state=all');
  const label = (name) => row(page, name).locator('td[data-label="Expires"]').evaluate((cell) => getComputedStyle(cell, '::before').content);
  expect(await label('kept')).toContain('Expires');
  expect(await label('gone')).toBe('none');
});
