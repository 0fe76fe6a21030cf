// Common steps of a user, with the texts of the pages.
import { TOKEN, alive, expect, isValid } from './test.mjs';

/** The field for the name of a key or an account. Exact, since other labels may contain “Name”. */
export const nameField = (page) => page.getByLabel('Name', { exact: true });

/** The label of the button that closes a page with a token: before and after the token was copied. */
export const SAVED = /^(Done|I've saved it)$/;

/** The row of a key or an account. */
export const row = (page, name) => page.getByRole('row').filter({ hasText: name });

/** Waits for the status message with this text. */
export const said = (page, text) => expect(page.getByRole('status').filter({ hasText: text })).toBeVisible();

/** Clicks a link or a button by its name. It opens a dialog on a hydrated page, and a page otherwise. */
export async function press(page, name, scripted) {
  const exact = typeof name === 'string';
  await page.getByRole('link', { name, exact }).or(page.getByRole('button', { name, exact })).first().click();
  if (scripted) await expect(page.getByRole('dialog').locator('.card:not(.skeleton)')).toBeVisible();
  else await page.waitForLoadState('load');
}

/** Creates a key with the form and returns the token that is shown. */
export async function createKey(page, watch, scripted, name, choose = async () => {}) {
  await press(page, 'Create an API key', scripted);
  await expect(page.getByRole('heading', { name: 'Create an API key' })).toBeVisible();
  await nameField(page).fill(name);
  await choose();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  return revealed(page, watch);
}

/** Returns the token from the page that shows it, after checking its format. */
export async function revealed(page, watch) {
  await expect(page.getByRole('heading', { name: 'Your API key has been created' })).toBeVisible();
  const token = await page.getByLabel('API key', { exact: true }).inputValue();
  expect(token).toMatch(TOKEN);
  expect(page.url()).not.toContain(token);
  expect(await isValid(token)).toBe(true);
  watch.shown(token);
  return token;
}

/** Closes the page or the dialog that shows a token. */
export async function storeIt(page, scripted) {
  const words = { name: SAVED };
  await page.getByRole('button', words).or(page.getByRole('link', words)).click();
  await expect(page.getByRole('heading', { name: 'Your API key has been created' })).toHaveCount(0);
  if (scripted) await alive(page);
}

/** Rotates the key whose page is open and returns the new token. */
export async function roll(page, watch, scripted, overlap) {
  await press(page, 'Rotate', scripted);
  await page.getByLabel(overlap).check();
  await page.getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Your API key has been rotated' })).toBeVisible();
  const token = await page.getByLabel('API key', { exact: true }).inputValue();
  expect(token).toMatch(TOKEN);
  watch.shown(token);
  await page.getByRole('link', { name: SAVED }).click();
  await expect(page.getByRole('heading', { name: 'Your API key has been rotated' })).toHaveCount(0);
  return token;
}

/** Revokes a key with the button in its row. */
export async function revoke(page, scripted, name) {
  await press(page, `Revoke API key ${name}`, scripted);
  await expect(page.getByRole('heading', { name: `Revoke “${name}”?` })).toBeVisible();
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page.getByRole('status').filter({ hasText: `“${name}” revoked.` })).toBeVisible();
}

/** The button in the navigation with the selected tenant, of a person with several. */
export const tenantButton = (page) => page.getByRole('banner').getByRole('button', { name: /^Tenant: / });

/** Selects another tenant in the navigation. */
export async function selectTenant(page, name) {
  await tenantButton(page).click();
  await page.locator('#tenants').getByRole('button', { name }).click();
}
