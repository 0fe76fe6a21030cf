// Every page: no console errors, accessible, and no wider than the screen.
import { expectAccessible } from '../support/accessible.mjs';
import { alive, expect, test } from '../support/test.mjs';
import { furnish } from '../support/site.mjs';
import { createKey, press } from '../support/steps.mjs';

async function revokePath(page) {
  await page.goto('/user/api-keys');
  return page.getByRole('link', { name: 'Revoke API key laptop' }).getAttribute('href');
}

test('no page causes a console error or a hydration warning', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 404/);
  const { ada, paths } = await furnish(team);
  await open('/sign-in');
  await signIn(ada);
  for (const path of [...paths, await revokePath(page)]) {
    const answer = await open(path);
    expect(answer.status(), path).toBe(path === '/no-such-page' ? 404 : 200);
    await expect(page.getByRole('heading', { level: 1 }), path).toHaveCount(1);
    await expect(page.getByRole('main'), path).toHaveCount(1);
    expect(await page.title(), path).toContain('Latchkey');
  }
});

for (const colorScheme of ['light', 'dark']) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test(`axe finds no problem on any page, ${colorScheme}`, async ({ page, open, team, signIn, watch }) => {
      test.slow();
      watch.expect(/status of 404/);
      const { ada, paths } = await furnish(team);
      await open('/sign-in?next=/user/api-keys');
      await expectAccessible(page, '/sign-in');
      await signIn(ada);
      for (const path of [...paths, await revokePath(page)]) {
        await open(path);
        await expectAccessible(page, path);
      }
    });

    test(`axe finds no problem in any dialog, ${colorScheme}`, async ({ page, open, team, signIn, watch }) => {
      test.slow();
      const { ada, account } = await furnish(team);
      await signIn(ada);
      for (const [path, name] of [
        ['/user/api-keys', 'Create an API key'],
        ['/user/api-keys', 'Revoke API key laptop'],
        ['/team/service-accounts', 'Add service account'],
        ['/team/service-accounts', 'Delete service account reports'],
        [`/team/service-accounts/${account}`, 'Create an API key'],
        [`/team/service-accounts/${account}`, 'Revoke API key agent'],
      ]) {
        await open(path);
        await press(page, name, true);
        await expectAccessible(page, `${path}: ${name}`);
      }
      await open('/user/api-keys');
      await createKey(page, watch, true, 'shown');
      await expectAccessible(page, 'the reveal');
    });
  });
}

test.describe('390 px', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('no page scrolls sideways @both', async ({ page, open, team, signIn, watch }) => {
    watch.expect(/status of 404/);
    const { ada, paths } = await furnish(team);
    await open('/sign-in');
    await signIn(ada);
    for (const path of [...paths, await revokePath(page)]) {
      await open(path);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, path).toBeLessThanOrEqual(0);
    }
  });

  test('the token fits its dialog', async ({ page, team, signIn, watch }) => {
    await signIn(team.person('USER'));
    await createKey(page, watch, true, 'narrow');
    const box = await page.getByLabel('API key', { exact: true }).boundingBox();
    expect(box.x).toBeGreaterThanOrEqual(0);
    expect(box.x + box.width).toBeLessThanOrEqual(390);
  });
});

/** Holds the module back until the page has settled, and adds up the layout shifts from then on. */
function holdHydration() {
  let moved = 0;
  let go;
  const observer = new PerformanceObserver((list) => take(list.getEntries()));
  const take = (entries) => entries.forEach((entry) => (moved += entry.value));
  const gate = new Promise((done) => (go = done));
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  observer.observe({ type: 'layout-shift', buffered: true });
  window.hydrateNow = async () => {
    await frames();
    observer.takeRecords();
    moved = 0;
    go();
  };
  window.movedSince = async () => {
    await frames();
    take(observer.takeRecords());
    return moved;
  };
  for (const name of ['instantiateStreaming', 'instantiate']) {
    const real = WebAssembly[name];
    WebAssembly[name] = async (...args) => {
      await gate;
      return real.apply(WebAssembly, args);
    };
  }
}

test('nothing moves at hydration', async ({ page, team, signIn }) => {
  const { ada, paths } = await furnish(team);
  await signIn(ada);
  await page.addInitScript(holdHydration);
  for (const path of paths.filter((path) => path !== '/no-such-page')) {
    await page.goto(path);
    if (path === '/graphiql') await expect(page.locator('#graphiql .result-window .CodeMirror')).toBeVisible();
    await page.evaluate(() => window.hydrateNow());
    await alive(page);
    expect(await page.evaluate(() => window.movedSince()), path).toBe(0);
  }
});

test('the selected theme is kept and applied on the first paint @both', async ({ page, open, team, signIn, scripted }) => {
  await signIn(team.person('USER'));
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  // With a script, the choice is stored in the background.
  const stored = scripted ? page.waitForResponse(/preferences\/theme/) : null;
  await page.locator('button[popovertarget=person]').click();
  await page.getByRole('button', { name: /dark/i }).click();
  await stored;
  await expect(async () => expect(await background()).not.toBe(light)).toPass({ timeout: 7_000 });
  const answer = await open('/user/api-keys');
  expect(await background()).not.toBe(light);
  expect(await answer.text()).toMatch(/<html[^>]*dark/);
});
