// A key whose token is reported as found in public: how lists and pages show it, and how it is resumed.
import { expect, isValid, test } from '../support/test.mjs';
import { press, row, said } from '../support/steps.mjs';

const URL_OF_FILE = 'https://github.com/octo/repo/blob/1a2b/.env#L3';

/** Reports tokens as a scanner would, and returns the labels of the answer. */
async function report(...tokens) {
  const answer = await fetch(`${process.env.LATCHKEY_URL}/api/v1/leaks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(tokens.map((token) => ({ token, type: 'key', url: URL_OF_FILE, source: 'Commit' }))),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()).map((feedback) => feedback.label);
}

test('a reported key is suspended, marked as exposed and resumed with what happened in view @both', async ({ page, open, team, signIn, scripted }) => {
  const ben = team.person('USER', 'Ben');
  const [leaked, kept] = [team.key(ben, 'deploy'), team.key(ben, 'laptop')];
  expect(await isValid(leaked)).toBe(true);
  expect(await report(leaked, 'lku_unknown')).toEqual(['true_positive', 'false_positive']);
  expect(await Promise.all([leaked, kept].map(isValid))).toEqual([false, true]);

  await signIn(ben, '/user/api-keys?state=all');
  const alert = page.getByRole('region', { name: 'Exposed keys' });
  await expect(alert).toContainText('The token of “deploy” was found where others can read it');
  await expect(row(page, 'deploy')).toContainText('Suspended');
  await expect(row(page, 'deploy')).toContainText('Exposed');
  await expect(row(page, 'laptop')).not.toContainText('Exposed');

  await alert.getByRole('link', { name: 'Show key' }).click();
  const section = page.getByRole('region', { name: 'The token of this key was exposed' });
  await expect(section).toContainText('commit');
  await expect(section).toContainText(URL_OF_FILE);
  await expect(section.getByRole('link', { name: URL_OF_FILE })).toHaveCount(0);
  await expect(section).toContainText('from 1 IP address and 1 client');
  await expect(page.getByRole('region', { name: 'History' })).toContainText('marked the API key deploy as exposed.');

  await open('/user/api-keys?state=suspended');
  await page.getByRole('button', { name: 'More for deploy' }).or(page.getByText('More for deploy')).first().click();
  await press(page, 'Resume', scripted);
  await expect(page.getByText('The token of this key was found where others can read it (commit).')).toBeVisible();
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await said(page, '“deploy” resumed.');
  expect(await isValid(leaked)).toBe(true);
  await open('/user/api-keys');
  await expect(row(page, 'deploy')).toContainText('Exposed');
});

test('an administrator decides what happens to exposed keys, and finds them @both', async ({ page, open, team, signIn, scripted }) => {
  const ada = team.person();
  const account = team.account('robot');
  const [leaked] = [team.key(account, 'leaked'), team.key(account, 'other')];
  await signIn(ada, '/team/settings/policies/exposed_keys');
  await expect(page.getByLabel('Suspend', { exact: true })).toBeChecked();
  await page.getByLabel('Revoke', { exact: true }).check();
  if (!scripted) await page.getByRole('button', { name: 'Preview' }).click();
  await expect(page.getByText('Keys that are already exposed don\'t change.')).toBeVisible();
  await page.getByText('Applies immediately to every key that is exposed.').waitFor();
  await page.getByRole('button', { name: 'Turn on' }).click();
  await expect(page.getByRole('row', { name: /Exposed keys/ })).toContainText('On · Revoke');

  expect(await report(leaked)).toEqual(['true_positive']);
  expect(await isValid(leaked)).toBe(false);
  await open('/team/keys?show=exposed');
  await expect(row(page, 'leaked')).toContainText('Revoked');
  await expect(row(page, 'leaked')).toContainText('Exposed');
  await expect(row(page, 'other')).toHaveCount(0);
});
