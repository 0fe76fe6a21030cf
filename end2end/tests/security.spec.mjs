// Account security: two-factor authentication, sessions and the calendar link, with JavaScript and without.
import { readFileSync } from 'node:fs';
import { expectAccessible } from '../support/accessible.mjs';
import { PASSWORD, expect, test } from '../support/test.mjs';
import { SAVED, press, said } from '../support/steps.mjs';
import { STEP_MS, codeAt } from '../support/totp.mjs';

const sessionRows = (page) => page.getByRole('table', { name: 'Sessions' }).locator('tbody').getByRole('row');

/** Goes from the profile to the page with the secret and returns the secret. */
async function begin(page, open) {
  await open('/user/profile');
  await page.getByRole('link', { name: 'Set up' }).click();
  await expect(page.getByRole('heading', { name: 'Set up two-factor authentication' })).toBeVisible();
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(page.getByRole('heading', { name: 'Scan the QR code' })).toBeVisible();
  const words = await page.getByText(/^Secret: /).innerText();
  expect(words).toMatch(/^Secret: ([A-Z2-7]{4} ?)+$/);
  return words.replace('Secret: ', '').replaceAll(' ', '');
}

/** Returns the recovery codes that the page shows. */
async function shownCodes(page) {
  await expect(page.getByRole('heading', { name: 'Your recovery codes' })).toBeVisible();
  const codes = (await page.locator('.recovery-codes').innerText()).trim().split('\n');
  expect(new Set(codes).size).toBe(10);
  return codes;
}

/** Turns on two-factor authentication. Returns its secret, the code used, and the recovery codes. */
async function enrol(page, open) {
  const secret = await begin(page, open);
  const code = codeAt(secret, Date.now());
  await page.getByLabel('Code', { exact: true }).fill(code);
  await page.getByRole('button', { name: 'Turn on' }).click();
  const codes = await shownCodes(page);
  await page.getByRole('link', { name: "I've saved them" }).click();
  await expect(page).toHaveURL(/\/user\/profile$/);
  return { secret, code, codes };
}

async function givePassword(page, person) {
  await page.goto('/sign-in');
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function giveCode(page, code) {
  await expect(page.getByRole('heading', { name: 'Enter your code' })).toBeVisible();
  await page.getByLabel('Code', { exact: true }).fill(code);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function signOut(page) {
  await page.locator('button[popovertarget=person]').click();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Sign in to Latchkey' })).toBeVisible();
}

/** Expects the error message at the code field. */
async function expectWrong(page) {
  const field = page.getByLabel('Code', { exact: true });
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await expect(field).toHaveAccessibleDescription(/Incorrect or already used code/);
  await expect(field).toHaveValue('');
}

async function expectIn(page) {
  await expect(page.getByRole('heading', { level: 1, name: 'API Keys' })).toBeVisible();
}

test('two-factor authentication is turned on, and requires a code after the password @both', async ({ page, open, team, signIn, watch }) => {
  watch.expect(/status of 422/);
  const ada = team.person('USER');
  await signIn(ada, '/user/profile');
  const secret = await begin(page, open);
  const image = page.getByRole('img', { name: 'QR code' });
  expect(await image.evaluate((image) => image.naturalWidth)).toBeGreaterThan(0);
  await page.getByLabel('Code', { exact: true }).fill(codeAt(secret, Date.now() - 100 * STEP_MS));
  await page.getByRole('button', { name: 'Turn on' }).click();
  await expectWrong(page);
  // A wrong code changes nothing: the page still shows the same secret.
  await expect(page.getByText(/^Secret: /)).toHaveText(`Secret: ${secret.match(/.{1,4}/g).join(' ')}`);

  const used = codeAt(secret, Date.now());
  await page.getByLabel('Code', { exact: true }).fill(used);
  await page.getByRole('button', { name: 'Turn on' }).click();
  for (const code of await shownCodes(page)) watch.shown(code);
  await page.getByRole('link', { name: "I've saved them" }).click();
  await expect(page.getByRole('main')).toContainText(/On \(set up .*\) · 10 recovery codes left/);
  await signOut(page);

  await givePassword(page, ada);
  await open('/user/api-keys');
  await expect(page, 'the password alone gives no access').toHaveURL(/\/sign-in\?next=/);
  await givePassword(page, ada);
  for (const wrong of [used, codeAt(secret, Date.now() + 100 * STEP_MS), 'AAAA-AAAA-AAAA-AAAA']) {
    await giveCode(page, wrong);
    await expectWrong(page);
  }
  // A code works once, and the current one was used for the enrolment. The next one is within the allowed clock skew.
  const next = codeAt(secret, Date.now() + STEP_MS);
  await giveCode(page, next);
  await expectIn(page);
  await signOut(page);
  await givePassword(page, ada);
  await giveCode(page, next);
  await expectWrong(page);
});

test('signing in with a code returns to the requested page @both', async ({ page, open, team, signIn }) => {
  const ada = team.person('USER');
  await signIn(ada);
  const { codes } = await enrol(page, open);
  await signOut(page);
  await open('/team/members');
  await page.getByLabel('Email').fill(ada.email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await giveCode(page, codes[0]);
  await expect(page).toHaveURL(/\/team\/members$/);
});

test('a recovery code works once, new codes replace the old ones, and two-factor authentication can be turned off @both', async ({ page, open, team, signIn, scripted, watch }) => {
  watch.expect(/status of 422/);
  const ada = team.person('USER');
  await signIn(ada);
  const { codes: old } = await enrol(page, open);
  await signOut(page);
  await givePassword(page, ada);
  // Phones show digits only for the app's code, so a recovery code has a field of its own.
  await expect(page.getByLabel('Code', { exact: true })).toHaveAttribute('inputmode', 'numeric');
  await page.getByRole('link', { name: 'Use a recovery code' }).click();
  const field = page.getByLabel('Recovery code', { exact: true });
  await field.fill('AAAA-AAAA-AAAA-AAAA');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await field.fill(old[0].toLowerCase().replaceAll('-', ' '));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expectIn(page);
  await open('/user/profile');
  await expect(page.getByRole('main')).toContainText('9 recovery codes left');

  await press(page, 'New recovery codes', scripted);
  await page.getByRole('button', { name: 'Generate new codes' }).click();
  const fresh = await shownCodes(page);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  expect(file.suggestedFilename()).toBe('latchkey-recovery-codes.txt');
  const saved = readFileSync(await file.path(), 'utf8');
  expect(fresh.filter((code) => !saved.includes(code))).toEqual([]);
  expect(fresh.filter((code) => old.includes(code))).toEqual([]);
  await page.getByRole('link', { name: "I've saved them" }).click();
  await expect(page.getByRole('main')).toContainText('10 recovery codes left');
  await expect(page.getByRole('heading', { name: 'Your recovery codes' })).toHaveCount(0);
  await signOut(page);

  await givePassword(page, ada);
  for (const wrong of [old[0], old[1]]) {
    await giveCode(page, wrong);
    await expectWrong(page);
  }
  await giveCode(page, fresh[0]);
  await expectIn(page);
  await signOut(page);
  await givePassword(page, ada);
  await giveCode(page, fresh[0]);
  await expectWrong(page);
  await giveCode(page, fresh[1]);
  await expectIn(page);

  await open('/user/profile');
  await press(page, 'Turn off', scripted);
  await expect(page.getByRole('heading', { name: 'Turn off two-factor authentication?' })).toBeVisible();
  await page.getByRole('button', { name: 'Turn off', exact: true }).click();
  await said(page, 'Two-factor authentication turned off.');
  await expect(page.getByRole('link', { name: 'Set up' })).toBeVisible();
  await signOut(page);
  await givePassword(page, ada);
  await expectIn(page);
});

test('a user sees their sessions and ends one @both', async ({ page, open, team, signIn, elsewhere, scripted }) => {
  const ada = team.person('USER');
  await signIn(ada, '/user/sessions');
  await expect(sessionRows(page)).toHaveCount(1);
  await expect(page.getByRole('link', { name: 'Sign out everywhere else' })).toHaveCount(0);

  const other = await elsewhere();
  await givePassword(other, ada);
  await expectIn(other);
  await open('/user/sessions');
  await expect(sessionRows(page)).toHaveCount(2);
  const own = sessionRows(page).filter({ hasText: 'This device' });
  await expect(own).toHaveCount(1);
  await expect(own.getByRole('link')).toHaveCount(0);
  await expect(sessionRows(page).filter({ hasText: '127.0.0.1' })).toHaveCount(2);

  await press(page, /^End the session in /, scripted);
  await expect(page.getByRole('heading', { name: 'End this session?' })).toBeVisible();
  await page.getByRole('button', { name: 'End', exact: true }).click();
  await said(page, 'Session ended.');
  await expect(sessionRows(page)).toHaveCount(1);
  await other.goto('/user/profile');
  await expect(other).toHaveURL(/\/sign-in\?next=/);
});

test('all other sessions are ended together, and the current one stays @both', async ({ page, open, team, signIn, elsewhere, scripted }) => {
  const ada = team.person('USER');
  const others = [await elsewhere(), await elsewhere()];
  for (const other of others) {
    await givePassword(other, ada);
    await expectIn(other);
  }
  const stranger = await elsewhere();
  await givePassword(stranger, team.person('USER', 'Eve'));
  await expectIn(stranger);
  await signIn(ada, '/user/sessions');
  await expect(sessionRows(page)).toHaveCount(3);
  await press(page, 'Sign out everywhere else', scripted);
  await expect(page.getByText('signed out of 2 other browsers')).toBeVisible();
  await page.getByRole('button', { name: 'Sign out everywhere else', exact: true }).click();
  await said(page, 'Signed out everywhere else.');
  await expect(sessionRows(page)).toHaveCount(1);
  for (const other of others) {
    await other.goto('/user/api-keys');
    await expect(other).toHaveURL(/\/sign-in\?next=/);
  }
  await stranger.reload();
  await expectIn(stranger);
  await open('/user/api-keys');
  await expectIn(page);
});

/** Creates a calendar link with the button of that name and returns it. */
async function calendarLink(page, name, scripted) {
  await press(page, name, scripted);
  await page.getByRole('button', { name: 'Create link', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Calendar link created' })).toBeVisible();
  const link = await page.getByLabel('Link', { exact: true }).inputValue();
  expect(link).toMatch(/^http:.*\.ics$/);
  await page.getByRole('link', { name: SAVED }).click();
  await expect(page.getByRole('heading', { name: 'Calendar link created' })).toHaveCount(0);
  await expect(page.getByRole('main')).toContainText('On (set up');
  await expect(async () => expect(await page.content()).not.toContain(link)).toPass({ timeout: 7_000 });
  return link;
}

test('the calendar shows when keys expire to anyone with the link @both', async ({ page, team, signIn, scripted }) => {
  const ada = team.person('USER');
  team.key(ada, 'ci', '2040-01-15T11:00:00Z');
  team.key(team.person('USER', 'Eve'), 'of another', '2040-01-15T11:00:00Z');
  await signIn(ada, '/user/profile');
  const first = await calendarLink(page, 'Create link', scripted);
  const answer = await fetch(first);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/calendar/);
  const calendar = await answer.text();
  expect(calendar.match(/BEGIN:VEVENT/g)).toHaveLength(1);
  expect(calendar).toContain('SUMMARY:API key ci expires');
  expect(calendar).toContain('DTSTART:20400115T110000Z');

  const second = await calendarLink(page, 'Create new link', scripted);
  expect((await fetch(first)).status).toBe(404);
  expect((await fetch(second)).status).toBe(200);
  await press(page, 'Turn off', scripted);
  await page.getByRole('button', { name: 'Turn off', exact: true }).click();
  await said(page, 'Expiry calendar turned off.');
  await expect(page.getByRole('link', { name: 'Create link', exact: true })).toBeVisible();
  expect((await fetch(second)).status).toBe(404);
});

test('the log and the database never contain the secret of a calendar that was read @both', async ({ page, team, signIn, scripted, watch }) => {
  await signIn(team.person('USER'), '/user/profile');
  const link = await calendarLink(page, 'Create link', scripted);
  watch.shown(/([^/]+)\.ics$/.exec(link)[1]);
  expect((await fetch(link)).status).toBe(200);
});

/** Visits the pages that this file tests, and calls `look` with the name of each. */
async function walk({ page, open, team, signIn, elsewhere, look }) {
  const ada = team.person('USER');
  const other = await elsewhere();
  await givePassword(other, ada);
  await expectIn(other);
  await signIn(ada, '/user/sessions');
  for (const path of ['/user/sessions', '/user/sessions/end-others', '/user/profile', '/user/calendar/create', '/user/second-factor/begin']) {
    await open(path);
    await look(path);
  }
  const secret = await begin(page, open);
  await open('/user/second-factor/enable');
  await look('/user/second-factor/enable');
  await page.getByLabel('Code', { exact: true }).fill(codeAt(secret, Date.now()));
  await page.getByRole('button', { name: 'Turn on' }).click();
  await shownCodes(page);
  await look('the recovery codes');
  for (const path of ['/user/profile', '/user/second-factor/disable']) {
    await open(path);
    await look(`${path} with two-factor authentication`);
  }
  // Narrow screens hide the sign-out button in a menu.
  await page.context().clearCookies();
  await givePassword(page, ada);
  await expect(page.getByRole('heading', { name: 'Enter your code' })).toBeVisible();
  await look('/sign-in/code');
  await giveCode(page, 'AAAA-AAAA-AAAA-AAAA');
  await expectWrong(page);
  await look('/sign-in/code, refused');
}

for (const colorScheme of ['light', 'dark']) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test(`axe finds no problem on the security pages, ${colorScheme}`, async ({ page, open, team, signIn, elsewhere, watch }) => {
      test.slow();
      watch.expect(/status of 422/);
      const look = async (what) => {
        await expectAccessible(page, what);
      };
      await walk({ page, open, team, signIn, elsewhere, look });
    });
  });
}

test.describe('390 px', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('no security page scrolls sideways @both', async ({ page, open, team, signIn, elsewhere, watch }) => {
    watch.expect(/status of 422/);
    const look = async (what) => {
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect.soft(overflow, what).toBeLessThanOrEqual(0);
    };
    await walk({ page, open, team, signIn, elsewhere, look });
  });

  test('every recovery code is readable @both', async ({ page, open, team, signIn }) => {
    await signIn(team.person('USER'));
    const secret = await begin(page, open);
    await page.getByLabel('Code', { exact: true }).fill(codeAt(secret, Date.now()));
    await page.getByRole('button', { name: 'Turn on' }).click();
    await shownCodes(page);
    const overlaps = await page.locator('.recovery-codes').evaluate((place) => {
      const text = place.firstChild;
      const boxes = [...text.data.matchAll(/\S+/g)].map(({ index, 0: code }) => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + code.length);
        return { name: code, box: range.getBoundingClientRect() };
      });
      const button = place.parentElement.querySelector('button');
      boxes.push({ name: 'the button', box: button.getBoundingClientRect() });
      const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
      return boxes.flatMap((one, nr) =>
        boxes.slice(nr + 1).filter((other) => meet(one.box, other.box)).map((other) => `${one.name} and ${other.name}`),
      );
    });
    expect(overlaps).toEqual([]);
  });
});
