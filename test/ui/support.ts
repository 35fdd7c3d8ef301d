/** The smallest app with the pages, and a Chromium. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type RunningApp, startApp } from '../../examples/support/start.ts';
import { startBrowser } from '../support/browser.ts';
import { browserBuild } from '../support/builds.ts';

export const PASSWORD = 'tram ochre violin kettle';
let app: RunningApp;
let browser: Browser;
const contexts: BrowserContext[] = [];

/** Starts both for the tests of a file, which calls this at its top: files share this module. */
export function usePages(): void {
  beforeAll(async () => {
    await browserBuild();
    [app, browser] = await Promise.all([startApp('pages.ts', { DEMO_KDF: 'test' }), startBrowser()]);
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
  });
  afterAll(async () => {
    await browser.close();
    expect(await app.stop()).toBe(0);
  });
}

/** Where the app is. */
export const origin = () => app.origin;

export async function device(options?: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(60_000);
  contexts.push(context);
  return context.newPage();
}

export async function open(page: Page, name: string): Promise<void> {
  await page.goto(`${origin()}/account/${name}`);
  await page.waitForSelector('.rk-part h1');
}

/** Holds back what a page asks for at `url`; resolves with what lets it go. */
export async function holdBack(page: Page, url: string): Promise<() => void> {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(url, async (route) => {
    await held;
    await route.continue();
  });
  return release;
}

export const submit = (page: Page) => page.click('.rk-part form button[type=submit]');

export async function typeAccount(page: Page, account: string, password: string): Promise<void> {
  await page.fill('[name=account]', account);
  await page.fill('[name=password]', password);
  await submit(page);
}

export async function keepKit(page: Page): Promise<string> {
  await page.waitForSelector('.rk-kit [data-code]');
  const code = (await page.getAttribute('[data-code]', 'data-code')) ?? '';
  await page.check('[name=kept]');
  await submit(page);
  return code;
}

export async function create(page: Page, account: string): Promise<string> {
  await open(page, 'create');
  await typeAccount(page, account, PASSWORD);
  const code = await keepKit(page);
  await page.waitForSelector(`h1:has-text("Welcome, ${account}")`);
  return code;
}

export async function logOut(page: Page): Promise<void> {
  await open(page, 'devices');
  await page.click('[data-logout]');
  await page.waitForSelector('.rk-notice[data-tone=done]');
}

export async function logIn(page: Page, account: string, password: string): Promise<void> {
  await open(page, 'login');
  await typeAccount(page, account, password);
}

export async function notice(page: Page): Promise<{ tone: string | null; text: string }> {
  const element = page.locator('.rk-notice').first();
  await element.waitFor();
  return { tone: await element.getAttribute('data-tone'), text: await element.innerText() };
}

export async function switchOff(page: Page, code: string): Promise<string> {
  await page.goto(`${origin()}/account/lost#${code}`);
  // In a tab that is on this page already, the browser loads nothing: the page takes the link up.
  await page.waitForSelector('[name=code]');
  await expect.poll(() => page.inputValue('[name=code]')).toBe(code);
  expect(page.url()).not.toContain(code);
  await submit(page);
  await page.click('.rk-danger');
  await page.waitForSelector('.rk-facts li');
  await page.waitForSelector('.rk-danger', { state: 'detached' });
  return page.innerText('.rk-part');
}
