import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterEach, expect } from 'vitest';
import { type RunningApp, startApp } from '../../examples/support/start.ts';
import { startBrowser } from '../support/browser.ts';

export { createAccount, keepPendingKit, makeNotesKey, makeSigningKey, PASSWORD } from './walk.ts';

export const OPERATOR_TOKEN = 'the-token-of-the-operator';

/** The demo and a browser. */
export interface Demo {
  readonly app: RunningApp;
  readonly browser: Browser;
  /** A device of its own, with one page that has not been anywhere. */
  device(options?: BrowserContextOptions): Promise<Page>;
  stop(): Promise<void>;
}

/** Waits until something is so, in a browser that may be slow. */
export const eventually: typeof expect.poll = (read, options) =>
  expect.poll(read, { timeout: 60_000, ...options });

/** Starts both; passwords are cheap to guess, to save time. */
export async function startDemo(): Promise<Demo> {
  const env = { DEMO_KDF: 'test', OPERATOR_TOKEN };
  const [app, browser] = await Promise.all([startApp('web/server.ts', env), startBrowser()]);
  const contexts: BrowserContext[] = [];
  // Two cores have enough to do without the pages of tests that are over.
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
  });
  return {
    app,
    browser,
    async device(options) {
      const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
      context.setDefaultTimeout(60_000);
      contexts.push(context);
      return context.newPage();
    },
    async stop() {
      await browser.close();
      expect(await app.stop()).toBe(0);
    },
  };
}

/** Goes to a page and waits until it knows who is logged in. */
export async function visit(page: Page, { app }: Demo, route: string): Promise<void> {
  await page.goto(`${app.origin}${route}`);
  await page.waitForSelector('#nav a');
}

/** The message that is shown: its tone and text. */
export async function notice(page: Page): Promise<{ tone: string | null; text: string }> {
  const element = page.locator('.rk-notice').first();
  await element.waitFor();
  return { tone: await element.getAttribute('data-tone'), text: await element.innerText() };
}

/** Tries to log in, as somebody who is not. */
export async function logIn(page: Page, demo: Demo, account: string, password: string): Promise<void> {
  await page.context().clearCookies();
  await visit(page, demo, '/login');
  await page.fill('[name=account]', account);
  await page.fill('[name=password]', password);
  await page.click('.rk form button[type=submit]');
}

/** The assistant's origin. */
export async function assistantOf(page: Page): Promise<string> {
  return new URL((await page.getAttribute('meta[name="inkwell:assistant"]', 'content')) ?? '').origin;
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds, as `rule: element`. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(`if (!window.axe) { ${axe} }`);
  return page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html.slice(0, 160))))`);
}

/** The same on a small phone in the dark and on a wide screen in light, and whether anything is wider than the phone. */
export async function faultsInAllLooks(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const [width, colorScheme] of [
    [360, 'dark'],
    [1280, 'light'],
  ] as const) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    faults.push(...(await accessibilityFaults(page)).map((fault) => `${width} ${colorScheme} ${fault}`));
    const used = Number(await page.evaluate('document.documentElement.scrollWidth'));
    if (used > width) faults.push(`${width}: content is ${used} wide`);
  }
  return faults;
}
