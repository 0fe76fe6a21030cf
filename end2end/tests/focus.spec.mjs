// Where the focus is in every dialog of every page, and after Escape and Cancel.
import { furnish, kind } from '../support/site.mjs';
import { alive, expect, test } from '../support/test.mjs';

/** Returns what the links open that open dialogs, and the menus that they are in. */
function openers() {
  const links = [...document.querySelectorAll('a[data-dialog]')].filter((link) => {
    const menu = link.closest('[popover]');
    return (menu ? document.querySelector(`[popovertarget="${menu.id}"]`) : link)?.checkVisibility();
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
      const { ada, paths } = await furnish(team);
      await signIn(ada);
      const seen = new Set();
      const wrong = [];
      const note = (where, { is, wrong: reason }) => reason && wrong.push(`${where}: ${reason} (${is})`);
      for (const path of paths.filter((path) => path !== '/graphiql')) {
        await page.goto(path);
        await alive(page);
        for (const { href, menu } of await page.evaluate(openers)) {
          if (seen.has(kind(href))) continue;
          seen.add(kind(href));
          for (const end of ['Escape', 'Cancel']) {
            const where = `${path} → ${href}, ${end}`;
            if (menu) await page.locator(`[popovertarget="${menu}"]`).filter({ visible: true }).first().click();
            await page.locator(`a[data-dialog][href="${href}"]`).filter({ visible: true }).first().click();
            await expect(page.locator('dialog[open] .card:not(.skeleton)'), where).toBeVisible();
            const first = await page.evaluate(focus);
            note(`${where}: opened`, first);
            // Later, Tab reaches the dialog too if it can be scrolled.
            if (first.is === 'dialog') wrong.push(`${where}: opened, and the focus is on no control`);
            const scrolled = await page.locator('dialog[open]').evaluate((dialog) => dialog.scrollTop);
            if (scrolled) wrong.push(`${where}: opened, and its first ${scrolled} px are out of sight`);
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
