/**
 * Takes pictures of every page of examples/web, wide and narrow, light and dark, into screenshots/, as a user meets them:
 * it creates accounts, signs, writes notes, mistypes, and switches keys off.
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
  const submit = () => page.click('.rk form button[type=submit]');
  await visit(page, '/');
  await page.waitForSelector('roaming-key-enroll [name=account]');
  await shoot(page, 'welcome');
  await shootForDocs(page, 'welcome', 1080, 590);
  await page.fill('[name=account]', 'ada');
  await page.fill('[name=password]', 'letmein');
  await submit();
  await page.waitForSelector('.rk-error:visible');
  await shoot(page, 'welcome-refused');
  await createAccount(page, app.origin, 'ada');
  await page.click('#panel > summary');
  await page.waitForSelector('#panel svg');
  await shoot(page, 'home');
  await shootForDocs(page, 'inkwell', 1080, 1420);
  await visit(page, '/picture');
  await shoot(page, 'picture');
  await shootForDocs(page, 'picture', 860, 850);

  await visit(page, '/sign');
  await shoot(page, 'sign-new');
  await makeSigningKey(page);
  await page.fill('#message', 'I owe you ten pounds.');
  await page.fill('#password', PASSWORD);
  await page.click('#do-sign');
  await page.waitForSelector('.verdict');
  await shoot(page, 'sign-genuine');
  const signed = await page.inputValue('#signed');
  await page.fill('#signed', signed.replace('ten', 'two'));
  await page.waitForSelector('.verdict[data-tone=stop]');
  await shoot(page, 'sign-forged');

  await visit(page, '/notes');
  await makeNotesKey(page);
  const other = await bob.newPage();
  await createAccount(other, app.origin, 'bob');
  await visit(other, '/notes');
  await other.fill('#to', 'ada');
  await other.fill('#text', 'Lunch on Thursday?');
  await other.click('#send');
  await other.waitForSelector('.rk-notice[data-tone=done]');
  await shoot(other, 'notes-sent');
  await visit(page, '/notes');
  await page.click('[data-read]');
  await page.fill('#password', PASSWORD);
  await page.click('#do-unlock');
  await page.waitForSelector('.note-place blockquote');
  await shoot(page, 'notes-read');

  await visit(page, '/devices');
  await page.click('button:has-text("Make a pickup code")');
  await page.waitForSelector('[data-pickup]');
  await shoot(page, 'devices');
  await visit(page, '/password');
  await page.waitForSelector('[name=newPassword]');
  await page.fill('[name=newPassword]', 'quarry lemon sextant');
  await shoot(page, 'password');
  await visit(page, '/knows');
  await page.waitForSelector('#numbers dd');
  await shoot(page, 'knows');
  await visit(page, '/thief');
  await page.locator('#guesses button').first().click();
  await page.waitForSelector('#verdict .verdict');
  await page.click('#crack');
  await page.waitForSelector('#speed:has-text("a second")');
  await shoot(page, 'thief');

  await visit(page, '/home');
  await page.click('roaming-key-kit button');
  await page.waitForSelector('.rk-kit [data-code]');
  await shoot(page, 'kit');
  await page.waitForSelector('.rk-sheet .rk-qr', { state: 'attached' });
  await page.emulateMedia({ media: 'print' });
  // A4 at 96 dots an inch.
  await page.setViewportSize({ width: 794, height: 1123 });
  await page.screenshot({ path: path.join(OUT, 'sheet.png'), fullPage: true });
  await page.emulateMedia({ media: 'screen' });
  const code = await keepKit(page);
  await page.click('#out');
  await page.waitForURL(`${app.origin}/`);

  // A thief with the record, who mistypes.
  await visit(page, '/login');
  await page.waitForSelector('[name=password]');
  await shoot(page, 'login');
  const wrong = async (password: string) => {
    await page.fill('[name=password]', password);
    await submit();
    await page.waitForSelector('.rk-notice');
    await page.waitForSelector('form[aria-busy]', { state: 'detached' });
  };
  await wrong('wrong');
  await shoot(page, 'login-wrong-password');
  await page.route('**/assistant/**', (route) => route.abort());
  await wrong(PASSWORD);
  await shoot(page, 'login-offline');
  await page.unroute('**/assistant/**');
  for (let i = 0; i < 4; i++) await wrong(`wrong ${i}`);
  await page.waitForSelector('.rk-countdown');
  await shoot(page, 'login-last-try');
  await page.fill('[name=account]', 'nobody');
  await wrong('x');
  await shoot(page, 'login-no-key');

  await visit(page, '/pickup');
  await shoot(page, 'pickup');
  await page.goto(`${app.origin}/lost#${code}`);
  await page.waitForSelector('[name=code]');
  await shoot(page, 'lost');
  await submit();
  await page.waitForSelector('.rk-danger');
  await shoot(page, 'lost-check');
  await page.click('.rk-danger');
  await page.waitForSelector('h1:has-text("off")');
  await shoot(page, 'lost-done');
  await visit(page, '/nowhere');
  await shoot(page, 'missing');

  const assistant = await assistantOrigin(page);
  await page.goto(`${assistant}/`);
  await shoot(page, 'assistant');
  await page.goto(`${assistant}/operator#${token}`);
  await page.waitForSelector('#counters div');
  await shoot(page, 'operator');
}

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
