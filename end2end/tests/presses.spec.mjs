// Every control of every page can be pressed where it is drawn: by mouse on wide screens, by touch on narrow ones.
// A press goes to coordinates, like a person's, and not to an element, as Playwright's `click` does after scrolling and
// waiting: so something that lies over a control, or moves it while it is pressed, is found.
import { furnish } from '../support/site.mjs';
import { alive, expect, test } from '../support/test.mjs';

const CONTROLS = 'a[href], button, summary, input:not([type=hidden]), textarea, label.choice';
/** Where a control is pressed, as shares of its width and height. */
const PLACES = [[0.5, 0.5], [0.5, 0.85], [0.15, 0.2]];

const SCREENS = [
  { width: 390, height: 844, touch: true },
  { width: 780, height: 1024, touch: true },
  { width: 1024, height: 768, touch: false },
  { width: 1440, height: 900, touch: false },
];

/** Makes presses harmless, and remembers what the last one hit. Runs before the page's own script. */
function arm() {
  const stop = (event) => {
    if (!window.holding) return;
    if (event.type === 'click') window.hit ??= event.target;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  // Captured on the window: before any listener of the page.
  for (const type of ['click', 'submit', 'toggle', 'change', 'input']) window.addEventListener(type, stop, true);
}

/** Returns how many visible controls an element has. */
function count([root, controls]) {
  const visible = (element) => {
    const box = element.getClientRects()[0];
    return box && box.width > 2 && box.height > 2 && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const skip = (element) => element.disabled || element.closest('[inert], .skip') || getComputedStyle(element).clipPath !== 'none';
  const place = document.querySelector(root);
  window.controls = [...place.querySelectorAll(controls)].filter((element) => visible(element) && !skip(element));
  return window.controls.length;
}

/** Scrolls to a control and returns the coordinates to press. */
function find([index, places]) {
  const control = window.controls[index];
  control.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
  const box = control.getClientRects()[0];
  window.hit = undefined;
  return places.map(([x, y]) => [box.x + box.width * x, box.y + box.height * y]);
}

/** Returns why the last press missed a control, or null. */
function missed(index) {
  const control = window.controls[index];
  const name = control.getAttribute('aria-label') ?? control.innerText ?? control.name;
  const says = (text) => `${control.tagName.toLowerCase()} “${name.trim().slice(0, 40)}” ${text}`;
  if (!window.hit) return says('was not pressed at all');
  const label = window.hit.closest('label');
  const isHit = control.contains(window.hit) || (label && (label.control === control || control.contains(label)));
  return isHit ? null : says(`lies under ${window.hit.tagName.toLowerCase()}.${window.hit.className}`);
}

/** Presses every control in `root` and returns what went wrong. */
async function pressAll(page, root, touch) {
  await page.evaluate(() => (window.holding = true));
  const wrong = [];
  const controls = await page.evaluate(count, [root, CONTROLS]);
  for (let index = 0; index < controls; index += 1) {
    const places = await page.evaluate(find, [index, PLACES]);
    for (const [x, y] of places) {
      await page.evaluate(() => (window.hit = undefined));
      if (touch) await page.touchscreen.tap(x, y);
      else await page.mouse.click(x, y);
      const reason = await page.evaluate(missed, index);
      if (reason) wrong.push(`${reason} at ${Math.round(x)},${Math.round(y)}`);
    }
  }
  await page.evaluate(() => (window.holding = false));
  return { controls, wrong };
}

for (const { width, height, touch } of SCREENS) {
  test.describe(`${width} px`, () => {
    test.use({ viewport: { width, height }, hasTouch: touch });

    test.beforeEach(({ context }) => context.addInitScript(arm));

    test(`every control of every page is pressed where it is drawn, ${width} px`, async ({ page, open, team, signIn, watch }) => {
      test.setTimeout(300_000);
      watch.expect(/status of 404/);
      const { ada, paths } = await furnish(team);
      await open('/sign-in');
      const signedOut = await pressAll(page, 'body', touch);
      expect(signedOut.wrong, '/sign-in').toEqual([]);
      await signIn(ada);
      let pressed = signedOut.controls;
      // GraphiQL's own controls are covered by its editor at some sizes.
      for (const path of paths.filter((path) => path !== '/graphiql')) {
        await page.goto(path);
        await alive(page);
        const { controls, wrong } = await pressAll(page, 'body', touch);
        expect(wrong, path).toEqual([]);
        pressed += controls;
      }
      expect(pressed).toBeGreaterThan(300);
    });

    test(`every control of the dialogs is pressed where it is drawn, ${width} px`, async ({ page, team, signIn }) => {
      test.slow();
      const { ada, paths } = await furnish(team);
      await signIn(ada);
      const lists = ['/user/api-keys', '/team/service-accounts', '/team/members', '/team/settings', '/user/profile'];
      for (const path of [...lists, ...paths.filter((path) => /keys\/[0-9a-f-]{36}$/.test(path))]) {
        await page.goto(path);
        await alive(page);
        const links = await page.locator('main a[data-dialog]:visible').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
        for (const href of new Set(links)) {
          await page.locator(`main a[data-dialog][href="${href}"]:visible`).first().click();
          await expect(page.locator('dialog[open] .card:not(.skeleton)')).toBeVisible();
          const { controls, wrong } = await pressAll(page, 'dialog', touch);
          expect(wrong, `${path} ${href}`).toEqual([]);
          expect(controls, href).toBeGreaterThan(0);
          await page.goto(path);
          await alive(page);
        }
      }
    });
  });
}
