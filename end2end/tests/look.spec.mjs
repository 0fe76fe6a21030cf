// The frame and the look: the drawer and its presses, menus, sizes of text and controls, tables on every width, paper.
import { furnish } from '../support/site.mjs';
import { selectTenant, tenantButton } from '../support/steps.mjs';
import { expect, test } from '../support/test.mjs';

const PAGES = ['/user/api-keys', '/user/profile', '/user/sessions', '/team/service-accounts', '/team/keys', '/team/members', '/team/audit-log', '/team/settings'];
const PHONE = { width: 390, height: 844 };

/** A person with as many keys as a page lists, one of which was revoked. */
function withKeys(team, count = 20) {
  const ada = team.person();
  for (let number = 1; number <= count; number++) team.key(ada, `Build machine ${number}`, number % 2 ? '2090-01-01T00:00:00Z' : undefined);
  return ada;
}

/** Returns points of an element's box, as shares of its width and height. */
async function points(locator, shares) {
  const { x, y, width, height } = await locator.boundingBox();
  return shares.map(([right, down]) => [x + width * right, y + height * down]);
}

const CORNERS = [[0.5, 0.5], [0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]];

test.describe('the drawer', () => {
  test.use({ viewport: PHONE, hasTouch: true });

  for (const way of ['touch', 'mouse']) {
    test(`opens, closes and leads on by ${way}, wherever a control is pressed @both`, async ({ page, team, signIn }) => {
      await signIn(team.person());
      const press = ([x, y]) => (way === 'touch' ? page.touchscreen.tap(x, y) : page.mouse.click(x, y));
      const [button, drawer] = [page.getByRole('button', { name: 'Menu', exact: true }), page.locator('#rail')];
      await expect(page.getByRole('banner')).toContainText(team.name);
      for (const point of await points(button, CORNERS)) {
        await expect(drawer).toBeHidden();
        await press(point);
        await expect(drawer, `pressed at ${point}`).toBeVisible();
        // Outside.
        await press([380, 500]);
      }
      await expect(drawer).toBeHidden();

      // An answer without content leaves the page as it is, so every entry can be pressed more than once.
      let asked = '';
      await page.route('**', (route) => {
        if (!route.request().isNavigationRequest()) return route.continue();
        asked = new URL(route.request().url()).pathname;
        return route.fulfill({ status: 204 });
      });
      await press((await points(button, CORNERS))[0]);
      const entries = await page.getByRole('navigation', { name: 'Main' }).getByRole('link').all();
      for (const share of [[0.5, 0.1], [0.1, 0.5], [0.9, 0.9]]) {
        // Each in turn: the browser ignores a second press on a link while it is still waiting for the page.
        for (const entry of entries) {
          const [path, [point]] = [await entry.getAttribute('href'), await points(entry, [share])];
          await press(point);
          await expect.poll(() => asked, `${path} pressed at ${point}`).toBe(path);
        }
      }
      await press((await points(page.getByRole('button', { name: 'Close menu' }), CORNERS))[4]);
      await expect(drawer).toBeHidden();
    });
  }

  test('is closed by Escape, which returns the focus to its button @both', async ({ page, team, signIn }) => {
    await signIn(team.person());
    const button = page.getByRole('button', { name: 'Menu', exact: true });
    await button.focus();
    await page.keyboard.press('Enter');
    await expect(page.locator('#rail')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(page.locator('#rail')).toBeHidden();
    await expect(button).toBeFocused();
  });
});

test('the tenant is selected with one press, on a phone too @both', async ({ page, team, newTeam, signIn }) => {
  const second = newTeam();
  const ada = team.person();
  second.join(ada, 'READ_ONLY_USER');
  await signIn(ada, '/team/members');
  const other = (await tenantButton(page).innerText()).includes(team.name) ? second : team;
  await selectTenant(page, other.name);
  await expect(tenantButton(page)).toContainText(other.name);
  await tenantButton(page).click();
  await expect(page.locator('#tenants [aria-current]')).toContainText(other.name);
  await page.setViewportSize(PHONE);
  await expect(page.locator('.top-bar')).toContainText(other.name);
});

test('the menu of a row opens without script, and closes by Escape and by a click outside @both', async ({ page, team, signIn }) => {
  await signIn(withKeys(team, 1));
  const [button, rename] = [page.getByRole('button', { name: 'More for Build machine 1' }), page.getByRole('link', { name: 'Rename' })];
  await button.click();
  await expect(rename).toBeVisible();
  const [at, menu] = [await button.boundingBox(), await page.locator('.menu-list:popover-open').boundingBox()];
  expect(menu.y, 'below its button').toBeGreaterThanOrEqual(at.y + at.height);
  expect(menu.x + menu.width, 'at the right edge of its button').toBeCloseTo(at.x + at.width, 0);
  await page.keyboard.press('Escape');
  await expect(rename).toBeHidden();
  await expect(button).toBeFocused();
  await button.click();
  await page.mouse.click(600, 700);
  await expect(rename).toBeHidden();
});

/** Returns the font sizes of all visible texts. Texts in pictures scale with them. */
function fontSizes() {
  const sizes = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest('svg, script, template, option') || !element.checkVisibility()) continue;
    sizes.add(getComputedStyle(element).fontSize);
  }
  for (const field of document.querySelectorAll('input, select')) if (field.checkVisibility()) sizes.add(getComputedStyle(field).fontSize);
  return [...sizes].sort();
}

/** Returns the controls that have another height than those of the two sizes. */
function oddControls() {
  const controls = [...document.querySelectorAll('.button, .icon-button, select, input:not([type=hidden], [type=checkbox], [type=radio])')];
  const odd = controls.filter((control) => control.checkVisibility() && ![32, 40].includes(Math.round(control.getBoundingClientRect().height)));
  return odd.map((control) => `${control.outerHTML.slice(0, 80)} ${control.getBoundingClientRect().height}`);
}

test('a page has three sizes of text and two of controls, and its title is always at the same place', async ({ page, open, team, signIn }) => {
  await signIn(withKeys(team, 2));
  team.account('deployer');
  for (const path of [...PAGES, '/user/api-keys/new']) {
    await open(path);
    const sizes = await page.evaluate(fontSizes);
    expect(sizes.filter((size) => !['13px', '15px', '24px'].includes(size)), path).toEqual([]);
    expect(await page.evaluate(oddControls), path).toEqual([]);
    const title = await page.getByRole('heading', { level: 1 }).boundingBox();
    if (PAGES.includes(path)) expect(title.x, path).toBe(252);
  }
});

/** Returns what has the focus, and whether a person can see it. */
function focused() {
  const element = document.activeElement;
  if (element === document.body) return null;
  // Tabs and choices show the focus of their radio button.
  const shown = element.matches('input[type=radio]') ? element.labels[0] : element;
  const { width, height, right, bottom } = shown.getBoundingClientRect();
  const isVisible = shown.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  return { what: element.outerHTML.slice(0, 120), isVisible: isVisible && width >= 8 && height >= 8 && right > 0 && bottom > 0 };
}

for (const width of [1440, 1024, 780, 390]) {
  test(`nothing invisible has the focus at ${width} px`, async ({ page, open, team, signIn }) => {
    await page.setViewportSize({ width, height: 900 });
    await signIn(withKeys(team, 3));
    for (const path of PAGES) {
      await open(path);
      const unseen = [];
      let stops = 0;
      for (; stops < 120; stops++) {
        await page.keyboard.press('Tab');
        const now = await page.evaluate(focused);
        if (!now) break;
        if (!now.isVisible) unseen.push(now.what);
      }
      expect(unseen, path).toEqual([]);
      expect(stops, path).toBeGreaterThan(2);
    }
    await expect(page.getByRole('button', { name: 'Menu', exact: true })).toBeVisible({ visible: width <= 800 });
  });
}

/** Returns how many rows are completely visible without scrolling. */
const wholeRows = (page) =>
  page.locator('.table tbody tr').evaluateAll((rows) => rows.filter((row) => row.getBoundingClientRect().bottom <= window.innerHeight).length);

test('a list of 20 keys shows at least 8 at 1024 × 768, and at least 4 on a phone', async ({ page, open, team, signIn }) => {
  await signIn(withKeys(team));
  for (const path of ['/user/api-keys', '/team/keys']) {
    await page.setViewportSize({ width: 1024, height: 768 });
    await open(path);
    await expect(page.locator('.table tbody tr')).toHaveCount(20);
    expect(await wholeRows(page), path).toBeGreaterThanOrEqual(8);
    for (const width of [1440, 1024, 801, 780, 610]) {
      await page.setViewportSize({ width, height: 768 });
      expect(await page.locator('.table').evaluate((table) => getComputedStyle(table).display), `${path} at ${width}`).toBe('table');
    }
    await page.setViewportSize(PHONE);
    expect(await wholeRows(page), path).toBeGreaterThanOrEqual(4);
    await page.getByRole('button', { name: 'Sort', exact: true }).click();
    await page.locator('#sort-menu').getByRole('link', { name: 'Name' }).click();
    await expect(page).toHaveURL(/sort=name/);
  }
});

test('on every width no page scrolls sideways, and every column of a table has a header', async ({ page, open, team, signIn }) => {
  const { ada, account, paths } = await furnish(team);
  await signIn(ada);
  const look = () => {
    const shown = (cells) => [...cells].filter((cell) => cell.checkVisibility()).length;
    // A row of one cell is a heading.
    const row = (table) => [...table.rows].find((row) => row.closest('tbody') && row.cells.length > 1);
    const tables = [...document.querySelectorAll('.table')].filter((table) => getComputedStyle(table).display === 'table');
    return {
      overflow: Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
      odd: tables.filter((table) => shown(table.tHead.rows[0].cells) !== shown(row(table).cells)).map((table) => table.ariaLabel),
    };
  };
  const key = paths.find((path) => /keys\/[0-9a-f-]{36}$/.test(path));
  for (const path of ['/user/api-keys', '/team/keys', '/team/service-accounts', `/team/service-accounts/${account}`, key, '/team/members', '/team/audit-log', '/team/settings', '/user/sessions']) {
    await open(path);
    for (const width of [1440, 1280, 1100, 1024, 900, 801, 780, 610, 560, 360]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate(look), `${path} at ${width}`).toEqual({ overflow: 0, odd: [] });
    }
  }
});

test('a revoked key looks ended', async ({ page, open, team, signIn }) => {
  const ada = withKeys(team, 2);
  const token = team.key(ada, 'admin');
  const { auth_api_key: keys } = await team.ask(token, '{ auth_api_key { id name } }');
  const { id } = keys.find(({ name }) => name === 'Build machine 1');
  await team.ask(token, `mutation { delete_api_key(input: { key_id: "${id}" }) { success } }`);
  await signIn(ada);
  await open('/user/api-keys?state=all');
  const look = (name) => page.getByRole('link', { name, exact: true }).evaluate((link) => [getComputedStyle(link).textDecorationLine, getComputedStyle(link).color]);
  const [[line, color], [otherLine, otherColor]] = [await look('Build machine 1'), await look('Build machine 2')];
  expect([line, otherLine]).toEqual(['line-through', 'none']);
  expect(color).not.toBe(otherColor);
});

test('on paper there is only the page', async ({ page, open, team, signIn }) => {
  await signIn(withKeys(team, 2));
  await open('/team/keys');
  await page.emulateMedia({ media: 'print' });
  for (const gone of ['.head', '.toolbar', '.icon-button', '.table .choose']) await expect(page.locator(gone).first()).toBeHidden();
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  expect((await page.getByRole('main').boundingBox()).x).toBe(0);
  await expect(page.locator('time[data-as=distance]:visible')).toHaveCount(0);
});

test.describe('forced colours', () => {
  test.use({ contextOptions: { forcedColors: 'active' } });

  test('the current page, the current filter and states have outlines', async ({ page, open, team, signIn }) => {
    await signIn(withKeys(team, 2));
    await open('/user/api-keys?state=all');
    for (const current of await page.locator('[aria-current]:visible').all()) {
      expect(await current.evaluate((element) => getComputedStyle(element).outlineStyle)).toBe('solid');
    }
  });
});
