/** Ways through the pages of examples/web that tests and pictures have in common. */
import type { Page } from 'playwright-core';

export const PASSWORD = 'tram ochre violin kettle';

/** Keeps a kit that is shown, and goes on. Returns its code. */
export async function keepKit(page: Page): Promise<string> {
  await page.waitForSelector('.rk-kit [data-code]');
  const code = (await page.getAttribute('[data-code]', 'data-code')) ?? '';
  await page.check('[name=kept]');
  await page.click('form:has([name=kept]) button[type=submit]');
  return code;
}

/** Creates an account on the first page; the page is then the account's. Its kit waits to be kept. */
export async function createAccount(page: Page, origin: string, name: string): Promise<void> {
  await page.goto(origin);
  await page.fill('[name=account]', name);
  await page.fill('[name=password]', PASSWORD);
  await page.click('.rk form button[type=submit]');
  await page.waitForURL('**/home');
  await page.waitForSelector('#keys li');
}

/** Shows and keeps the kit that waits on the account's page. Returns its code. */
export async function keepPendingKit(page: Page): Promise<string> {
  await page.click('roaming-key-kit button');
  return keepKit(page);
}

/** Makes a signing key on /sign. */
export async function makeSigningKey(page: Page): Promise<void> {
  await makeSharedKey(page, '#part-sign');
}

/** Makes a key for notes on /notes. */
export async function makeNotesKey(page: Page): Promise<void> {
  await makeSharedKey(page, '#part-inbox');
}

async function makeSharedKey(page: Page, done: string): Promise<void> {
  await page.fill('#new-password', PASSWORD);
  await page.click('#make');
  await page.waitForSelector(`${done}:visible`);
}
