/**
 * Takes pictures of every page of examples/web, wide and narrow, light and dark, into screenshots/, as a user meets them:
 * it creates accounts, logs in, mistypes, signs, writes notes and disables a key.
 *
 *     npx tsx scripts/screenshots.ts [--docs] [part of a name …]
 *
 * With names, only pictures whose name contains one of them are taken. `--docs` also makes those of docs/images anew.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';
import { startApp } from '../examples/support/start.ts';
import { startBrowser } from '../test/support/browser.ts';
import { createAccount, keepKit, makeNotesKey, makeSigningKey, PASSWORD } from '../test/web/walk.ts';

const OUT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../screenshots');
const WIDTHS = { wide: 1280, narrow: 360 } as const;
const DOCS = path.join(path.dirname(fileURLToPath(import.meta.url)), '../docs/images');
const only = process.argv.slice(2).filter((argument) => argument !== '--docs');
const withDocs = process.argv.includes('--docs');

mkdirSync(OUT, { recursive: true });
const token = 'a-token-for-pictures';
const app = await startApp('web/server.ts', { DEMO_KDF: 'test', OPERATOR_TOKEN: token });
const browser = await startBrowser();
let taken = 0;
try {
  await walk(await browser.newContext(), await browser.newContext());
} finally {
  await browser.close();
  await app.stop();
}
console.log(`${taken} pictures in screenshots/`);

async function walk(ada: BrowserContext, bob: BrowserContext): Promise<void> {
  const page = await ada.newPage();
  await visit(page, '/');
  await shoot(page, 'welcome');
  await shootForDocs(page, 'welcome', 1080, 590);
  await visit(page, '/picture');
  await shoot(page, 'picture-sample');

  await visit(page, '/create');
  await page.fill('#account', 'ada');
  await page.fill('#password', 'letmein');
  await page.waitForSelector('.meter');
  await shoot(page, 'create-weak');
  await page.click('#make');
  await page.waitForSelector('#password-error:visible');
  await page.click('summary:has-text("Kind of key")');
  await shoot(page, 'create-refused');
  await page.fill('#password', PASSWORD);
  await page.click('#make');
  await page.waitForSelector('#kit-code');
  await shoot(page, 'create-kit');
  const code = await keepKit(page);
  await page.waitForSelector('#part-done:visible');
  await shoot(page, 'create-done');

  // A thief with the record, who mistypes.
  await page.click('a:has-text("Go to your account")');
  await page.click('#out');
  await page.waitForURL('**/login');
  await shoot(page, 'login');
  await page.fill('#password', 'wrong');
  await page.click('#enter');
  await page.waitForSelector('.notice[data-tone=wrong]');
  await shoot(page, 'login-wrong-password');
  await page.route('**/assistant/**', (route) => route.abort());
  await page.fill('#password', PASSWORD);
  await page.click('#enter');
  await page.waitForSelector('.notice[data-tone=offline]');
  await shoot(page, 'login-offline');
  await page.unroute('**/assistant/**');
  await page.fill('#account', 'nobody');
  await page.fill('#password', 'x');
  await page.click('#enter');
  await page.waitForSelector('.notice[data-tone=info]');
  await shoot(page, 'login-no-key');
  await page.fill('#account', 'ada');
  await page.fill('#password', PASSWORD);
  await page.click('#enter');
  await page.waitForURL('**/home');
  await page.waitForSelector('#keys li');
  await page.click('#panel > summary');
  await page.waitForSelector('#panel svg');
  await shoot(page, 'home');
  await shootForDocs(page, 'inkwell', 1080, 1420);
  await visit(page, '/picture');
  await shoot(page, 'picture');
  await shootForDocs(page, 'picture', 860, 850);
  await page.click('#back');
  await page.click('.chip:has-text("Device and password")');
  await shoot(page, 'picture-step');

  await visit(page, '/devices');
  await shoot(page, 'devices');
  await page.click('#make-code');
  await page.waitForSelector('#pickup-code');
  await page.click('[data-qr=login]');
  await page.waitForSelector('.qr-place svg');
  await shoot(page, 'devices-code');
  await visit(page, '/password');
  await page.fill('#next', 'tram');
  await page.waitForSelector('.meter');
  await shoot(page, 'password');

  await visit(page, '/sign');
  await shoot(page, 'sign-new');
  await makeSigningKey(page);
  await page.fill('#message', 'I owe Bob ten pounds, and lunch.\n\nAda');
  await page.fill('#password', PASSWORD);
  await page.click('#do-sign');
  await page.waitForSelector('.verdict[data-tone=done]');
  await shoot(page, 'sign');
  await page.fill(
    '#signed',
    (await page.inputValue('#signed')).replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
  );
  await page.click('#do-verify');
  await page.waitForSelector('.verdict[data-tone=stop]');
  await shoot(page, 'sign-forged');

  await visit(page, '/notes');
  await shoot(page, 'notes-new');
  await makeNotesKey(page);
  const other = await bob.newPage();
  await createAccount(other, app.origin, 'bob');
  await visit(other, '/notes');
  await other.fill('#to', 'ada');
  await other.fill('#text', 'Lunch on Thursday? The ten pounds can wait.');
  await other.click('#send');
  await other.waitForSelector('.notice[data-tone=done]');
  await shoot(other, 'notes-sent');
  await visit(page, '/notes');
  await page.click('[data-read]');
  await page.fill('#password', PASSWORD);
  await page.click('#do-unlock');
  await page.waitForSelector('.note-place blockquote');
  await shoot(page, 'notes');
  await visit(page, '/picture');
  await shoot(page, 'picture-notes');

  await visit(other, '/pickup?account=ada');
  await shoot(other, 'pickup');
  await other.fill('#code', 'ABCDEFGH');
  await other.fill('#password', 'nonsense');
  await other.click('#enter');
  await other.waitForSelector('.notice[data-tone=wrong]');
  await shoot(other, 'pickup-wrong');

  const assistant = await assistantOrigin(page);
  const operator = await ada.newPage();
  await operator.goto(`${assistant}/`);
  await shoot(operator, 'assistant');
  await operator.goto(`${assistant}/operator`);
  await operator.waitForSelector('#token-form:visible');
  await shoot(operator, 'operator-token');
  await operator.fill('#token', token);
  await operator.click('#token-form button');
  await operator.waitForSelector('#counters div');
  await shoot(operator, 'operator');

  await visit(page, '/lost');
  await shoot(page, 'lost');
  await page.fill('#code', code);
  await page.click('#disable');
  await page.waitForSelector('#part-done:visible');
  await shoot(page, 'lost-done');
  await visit(page, '/login');
  await page.fill('#account', 'ada');
  await page.fill('#password', PASSWORD);
  await page.click('#enter');
  await page.waitForSelector('.notice[data-tone=stop]');
  await shoot(page, 'login-disabled');
  await visit(page, '/nowhere');
  await shoot(page, 'missing');

  await visit(other, '/login');
  await other.fill('#account', 'bob');
  while (!(await other.isVisible('.notice[data-tone=wait]'))) {
    await other.fill('#password', 'wrong');
    await other.click('#enter');
    await other.waitForSelector('form[aria-busy]', { state: 'detached' });
  }
  await shoot(other, 'login-locked');
}

/** A picture for the documentation: the top of a page, in light and dark. */
async function shootForDocs(page: Page, name: string, width: number, height: number): Promise<void> {
  if (!withDocs) return;
  mkdirSync(DOCS, { recursive: true });
  await page.setViewportSize({ width, height });
  await page.evaluate('scrollTo(0, 0)');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.waitForTimeout(100);
    await page.screenshot({ path: path.join(DOCS, `${name}-${colorScheme}.png`) });
  }
}

async function visit(page: Page, route: string): Promise<void> {
  await page.goto(`${app.origin}${route}`);
  await page.waitForSelector('#nav a');
  await page.waitForTimeout(150);
}

async function assistantOrigin(page: Page): Promise<string> {
  const url = await page.getAttribute('meta[name="inkwell:assistant"]', 'content');
  return new URL(url ?? '').origin;
}

async function shoot(page: Page, name: string): Promise<void> {
  if (only.length > 0 && !only.some((part) => name.includes(part))) return;
  for (const [size, width] of Object.entries(WIDTHS)) {
    await page.setViewportSize({ width, height: size === 'wide' ? 900 : 740 });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      // Drawings follow the width in the frame after it has changed.
      await page.waitForTimeout(60);
      await page.screenshot({ path: path.join(OUT, `${name}-${size}-${colorScheme}.png`), fullPage: true });
      taken += 1;
    }
  }
}
