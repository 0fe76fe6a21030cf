// Where the focus is before, in and after every dialog of every page.
import { furnish } from '../support/site.mjs';
import { alive, expect, test } from '../support/test.mjs';

/** Numbers the links that open dialogs, one of each kind, and returns what they open. */
function openers() {
  const kinds = new Set();
  const links = [...document.querySelectorAll('a[data-dialog]')].filter((link) => {
    const kind = link.getAttribute('href').replace(/[0-9a-f-]{36}|\d+/g, '*').replace(/\?.*/, '');
    const isInMenu = link.closest('[popover]') !== null;
    const isShown = isInMenu ? document.querySelector(`[popovertarget="${link.closest('[popover]').id}"]`)?.checkVisibility() : link.checkVisibility();
    return isShown && !kinds.has(kind) && kinds.add(kind);
  });
  return links.map((link) => ({ href: link.getAttribute('href'), menu: link.closest('[popover]')?.id ?? null }));
}

/** Returns what the focus is on, and what is wrong with it in an open dialog, or after it. */
function focus() {
  const { activeElement: at } = document;
  const open = document.querySelector('dialog[open]');
  const box = at.getBoundingClientRect();
  const middle = [box.x + box.width / 2, box.y + box.height / 2];
  const isOnScreen = middle[0] >= 0 && middle[1] >= 0 && middle[0] <= innerWidth && middle[1] <= innerHeight;
  const is = `${at.tagName.toLowerCase()} ${at.getAttribute('href') ?? at.getAttribute('popovertarget') ?? at.name ?? ''}`.trim();
  if (at === document.body) return { is, wrong: 'the focus is lost' };
  if (!at.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return { is, wrong: 'it is not visible' };
  if (open && !open.contains(at)) return { is, wrong: 'it is outside of the dialog' };
  if (!isOnScreen && box.height < innerHeight) return { is, wrong: 'it is not on the screen' };
  return { is, wrong: null };
}

for (const [width, height] of [[1440, 900], [390, 844]]) {
  test.describe(`${width} px`, () => {
    test.use({ viewport: { width, height } });

    test(`every dialog takes the focus, keeps it and gives it back, ${width} px`, async ({ page, team, signIn, watch }) => {
      test.setTimeout(300_000);
      watch.expect(/status of 404/);
      const { ada, account, paths } = await furnish(team);
      await signIn(ada);
      const seen = new Set();
      const wrong = [];
      const note = (where, { is, wrong: reason }) => reason && wrong.push(`${where}: ${reason} (${is})`);
      const lists = ['/team/overview', `/team/service-accounts/${account}?state=all`, '/team/settings/scopes'];
      for (const path of [...paths.filter((path) => path !== '/graphiql'), ...lists]) {
        await page.goto(path);
        await alive(page);
        const kind = (href) => href.replace(/[0-9a-f-]{36}|\d+/g, '*').replace(/\?.*/, '');
        for (const { href, menu } of (await page.evaluate(openers)).filter(({ href }) => !seen.has(kind(href)))) {
          seen.add(kind(href));
          for (const end of ['Escape', 'Cancel']) {
            const where = `${path} → ${href}, ${end}`;
            if (menu) await page.locator(`[popovertarget="${menu}"]`).filter({ visible: true }).first().click();
            await page.locator(`a[data-dialog][href="${href}"]`).filter({ visible: true }).first().click();
            await expect(page.locator('dialog[open] .card:not(.skeleton)'), where).toBeVisible();
            note(`${where}: opened`, await page.evaluate(focus));
            // After the last control the focus is in the browser's own bars once, which for the page is its body.
            await page.keyboard.press('Tab');
            if (await page.evaluate(() => document.activeElement === document.body)) await page.keyboard.press('Tab');
            note(`${where}: Tab`, await page.evaluate(focus));
            const cancel = page.locator('dialog[open]').getByRole('link', { name: /^(Cancel|Close|Done)$/ }).first();
            if (end === 'Escape') await page.keyboard.press('Escape');
            else if (await cancel.count()) await cancel.click();
            else await page.keyboard.press('Escape');
            await expect(page.locator('dialog[open]'), where).toHaveCount(0);
            // The event that a dialog was closed comes a moment after it.
            const expected = { is: menu ? `button ${menu}` : `a ${href}`, wrong: null };
            await expect.poll(() => page.evaluate(focus), where).toEqual(expected);
          }
        }
      }
      expect(wrong).toEqual([]);
      expect(seen.size, 'kinds of dialogs').toBeGreaterThan(20);
    });
  });
}
