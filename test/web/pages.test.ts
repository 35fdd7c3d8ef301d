import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  accessibilityFaults,
  assistantOf,
  createAccount,
  type Demo,
  makeNotesKey,
  makeSigningKey,
  OPERATOR_TOKEN,
  PASSWORD,
  startDemo,
  visit,
} from './support.ts';

let demo: Demo;
beforeAll(async () => {
  demo = await startDemo();
}, 60_000);
afterAll(() => demo.stop());

/** In light and dark: no serious fault, and nothing that is wider than a small phone. */
async function check(page: Page): Promise<void> {
  const where = page.url().replace(/^http:\/\/[^/]+/, '');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await accessibilityFaults(page), `${where}, ${colorScheme}`).toEqual([]);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = await page.evaluate(
    'Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth',
  );
  expect(overflow, `${where} at 360 px`).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1280, height: 800 });
}

it('are accessible and fit a small phone, for those who are not logged in', async () => {
  const page = await demo.device();
  for (const route of ['/', '/create', '/login', '/pickup', '/lost', '/sign', '/picture', '/nowhere']) {
    await visit(page, demo, route);
    await check(page);
  }
  await visit(page, demo, '/create');
  await page.click('summary:has-text("Kind of key")');
  await page.fill('#account', 'x');
  await page.fill('#password', 'password');
  await page.waitForSelector('.meter');
  await page.click('#make');
  await page.waitForSelector('#account-error:visible');
  await check(page);
  await page.fill('#account', 'zoe');
  await page.fill('#password', PASSWORD);
  await page.click('#make');
  await page.waitForSelector('#kit-code');
  await check(page);
});

it('are accessible and fit a small phone, for those who are', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'ada');
  for (const route of ['/home', '/password', '/devices', '/sign', '/notes']) {
    await visit(page, demo, route);
    await check(page);
  }
  await visit(page, demo, '/devices');
  await page.click('#make-code');
  await page.waitForSelector('#pickup-code');
  await page.click('[data-qr=login]');
  await page.waitForSelector('.qr-place svg');
  await check(page);
  await visit(page, demo, '/sign');
  await makeSigningKey(page);
  await page.fill('#message', 'I owe you ten pounds');
  await page.fill('#password', PASSWORD);
  await page.click('#do-sign');
  await page.waitForSelector('.verdict');
  await page.click('#panel > summary');
  await page.waitForSelector('#panel svg');
  await check(page);
  await visit(page, demo, '/notes');
  await makeNotesKey(page);
  await page.fill('#to', 'ada');
  await page.fill('#text', 'to myself');
  await page.click('#send');
  await page.waitForSelector('[data-read]');
  await page.click('[data-read]');
  await page.fill('#password', PASSWORD);
  await page.click('#do-unlock');
  await page.waitForSelector('.note-place blockquote');
  await check(page);
  await visit(page, demo, '/picture');
  await check(page);
});

it('of the assistant are accessible and fit a small phone', async () => {
  const page = await demo.device();
  await visit(page, demo, '/');
  const assistant = await assistantOf(page);
  await page.goto(`${assistant}/`);
  await check(page);
  await page.goto(`${assistant}/operator`);
  await page.waitForSelector('#token-form:visible');
  await check(page);
  await page.fill('#token', OPERATOR_TOKEN);
  await page.click('#token-form button');
  await page.waitForSelector('#counters div');
  await check(page);
});

it('say what they may load, and load nothing else', async () => {
  const page = await demo.device();
  const hosts = new Set<string>();
  const broken: string[] = [];
  page.on('request', (request) => hosts.add(new URL(request.url()).origin));
  page.on('console', (message) => message.type() === 'error' && broken.push(message.text()));
  page.on('pageerror', (error) => broken.push(error.message));
  await createAccount(page, demo.app.origin, 'csp');
  expect(broken).toEqual([]);
  expect([...hosts].sort()).toEqual([demo.app.origin, await assistantOf(page)].sort());
  const policy = (await page.request.get(demo.app.origin)).headers()['content-security-policy'] ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
  expect(policy).not.toContain('unsafe-inline');
  await expect(page.evaluate(`fetch('http://localhost:9/')`)).rejects.toThrow();
});

it('stay alive while a password is worked on', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'lena');
  await visit(page, demo, '/login');
  await page.evaluate(`window.longest = 0; new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    sessionStorage.setItem('longest', String(window.longest));
  }).observe({ type: 'longtask' }); sessionStorage.setItem('longest', '0')`);
  await page.fill('#password', PASSWORD);
  await page.click('#enter');
  await page.waitForURL('**/home');
  expect(Number(await page.evaluate(`sessionStorage.getItem('longest')`))).toBeLessThan(200);
});
