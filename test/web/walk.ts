/** Ways through the pages of examples/web that tests and pictures have in common. */
import type { Page } from 'playwright-core';

export const PASSWORD = 'tram ochre violin kettle';

/** Keeps a kit that is shown, and goes on. */
export async function keepKit(page: Page): Promise<string> {
  const code = (await page.textContent('#kit-code')) ?? '';
  await page.check('#kit-kept');
  await page.click('#kit-continue');
  return code;
}

/** Creates an account; the page is then logged in. Returns the disabling code. */
export async function createAccount(
  page: Page,
  origin: string,
  name: string,
  kind?: string,
): Promise<string> {
  await page.goto(`${origin}/create`);
  await page.waitForSelector('#nav a');
  await page.fill('#account', name);
  await page.fill('#password', PASSWORD);
  if (kind !== undefined) {
    await page.click('summary:has-text("Kind of key")');
    await page.check(`input[value="${kind}"]`);
  }
  await page.click('#make');
  await page.waitForSelector('#kit-code');
  const code = await keepKit(page);
  await page.waitForSelector('#part-done:visible');
  return code;
}

/** Makes a signing key on /sign. Returns its disabling code. */
export async function makeSigningKey(page: Page): Promise<string> {
  return makeSharedKey(page, '#part-sign');
}

/** Makes a key for notes on /notes. Returns its disabling code. */
export async function makeNotesKey(page: Page): Promise<string> {
  return makeSharedKey(page, '#part-inbox');
}

async function makeSharedKey(page: Page, done: string): Promise<string> {
  await page.fill('#new-password', PASSWORD);
  await page.click('#make');
  await page.waitForSelector('#kit-code');
  const code = await keepKit(page);
  await page.waitForSelector(`${done}:visible`);
  return code;
}
