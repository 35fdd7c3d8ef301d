/** The pages of `roamingKeyPages`, in the smallest app, in Chromium. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { accessibilityFaults, faultsInAllLooks } from '../web/support.ts';
import {
  create,
  device,
  holdBack,
  keepKit,
  logIn,
  logOut,
  notice,
  open,
  origin,
  PASSWORD,
  submit,
  switchOff,
  typeAccount,
  usePages,
} from './support.ts';

usePages();

describe('an account', () => {
  it('is made when its kit is kept; nothing secret is sent; leaving with the kit shown is warned of', async () => {
    const page = await device();
    const sent: string[] = [];
    const errors: string[] = [];
    page.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
    page.on('console', (message) => {
      // The app has no icon.
      if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico'))
        errors.push(message.text());
    });
    page.on('pageerror', (error) => errors.push(error.message));
    await open(page, 'create');
    await typeAccount(page, 'ada', 'password1234');
    await expect.poll(() => page.innerText('[data-of=password]')).toContain('first passwords a thief tries');
    await page.fill('[name=password]', PASSWORD);
    await submit(page);
    await page.waitForSelector('.rk-kit [data-code]');
    expect(sent.some((line) => line.includes('/register'))).toBe(false);
    // The session was asked for before the key was made.
    const asked = sent.findIndex((line) => line.includes('/api/session'));
    const made = sent.findIndex((line) => line.includes('/assist'));
    expect(asked).toBeGreaterThanOrEqual(0);
    expect(made).toBeGreaterThan(asked);
    const leaving = await page.evaluate(`!dispatchEvent(new Event('beforeunload', { cancelable: true }))`);
    expect(leaving).toBe(true);
    await submit(page);
    await expect.poll(() => page.innerText('[data-of=kept]')).toContain('Keep the kit first');
    expect(await faultsInAllLooks(page)).toEqual([]);
    const downloading = page.waitForEvent('download');
    await page.click('[data-kit=download]');
    const kit = JSON.parse(await readFile(await (await downloading).path(), 'utf8'));
    await keepKit(page);
    await page.waitForSelector('h1:has-text("Welcome, ada")');
    expect(await page.locator('.rk-sheet').count()).toBe(0);
    expect(await page.evaluate(`!dispatchEvent(new Event('beforeunload', { cancelable: true }))`)).toBe(
      false,
    );
    for (const line of sent) {
      expect(line).not.toContain(PASSWORD);
      expect(line).not.toContain(kit.t);
    }
    expect(errors).toEqual([]);
  });

  it('is for somebody who is logged out; two tabs that make one name never merge', async () => {
    const page = await device();
    const other = await page.context().newPage();
    await open(other, 'create');
    await typeAccount(other, 'bert', PASSWORD);
    await other.waitForSelector('.rk-kit [data-code]');
    await create(page, 'bert');
    // The second tab's key is of its own, and the session is that of the first.
    await keepKit(other);
    await other.waitForSelector('.rk-notice[data-tone=warn]');
    await open(page, 'devices');
    await page.waitForSelector('.rk-list li');
    expect(await page.locator('.rk-list [data-purpose=login], li[data-purpose=login]').count()).toBe(1);
    await open(page, 'create');
    await page.waitForSelector('button:has-text("Log out and create")');
    await page.click('button:has-text("Log out and create")');
    await page.waitForSelector('[name=password]');
    await typeAccount(page, 'bert', PASSWORD);
    await expect.poll(() => page.innerText('[data-of=account]')).toContain('is taken');
  });

  it('cannot have a name that looks like another', async () => {
    const page = await device();
    await open(page, 'create');
    for (const name of ['\u0430da', '\u0440\u0430\u0443']) {
      await typeAccount(page, name, PASSWORD);
      await expect.poll(() => page.innerText('[data-of=account]')).toContain('only look Latin');
    }
    const answer = await page.evaluate(
      `fetch('/account/api/names', { method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ account: '\u0430da' }) }).then((response) => response.json())`,
    );
    expect(answer).toEqual({ isName: false, isTaken: false });
  });

  it('survives a registration that fails', async () => {
    const page = await device();
    await open(page, 'create');
    await typeAccount(page, 'carl', PASSWORD);
    await page.route('**/api/register', (route) => route.abort());
    const code = await keepKit(page);
    expect(await notice(page)).toMatchObject({ tone: 'offline', text: expect.stringContaining('Notebook') });
    await page.unroute('**/api/register');
    await submit(page);
    await page.waitForSelector('h1:has-text("Welcome, carl")');
    expect(await switchOff(page, code)).toContain('login key of “carl” is off');
  });
});

describe('a login', () => {
  it('keeps what was typed unless it was wrong, shows the wait with the fifth try, and is silent about own mistakes', async () => {
    const page = await device();
    await create(page, 'dora');
    await logOut(page);
    await open(page, 'login');
    await page.fill('[name=password]', PASSWORD);
    await page.route('**/assist', (route) => route.abort());
    await submit(page);
    expect(await notice(page)).toMatchObject({
      tone: 'offline',
      text: expect.stringContaining('the assistant'),
    });
    expect(await page.inputValue('[name=password]')).toBe(PASSWORD);
    await page.unroute('**/assist');
    // Gone with its cause.
    await page.evaluate(`dispatchEvent(new Event('online'))`);
    await page.waitForSelector('.rk-notice', { state: 'detached' });
    for (let i = 0; i < 2; i++) {
      await page.fill('[name=password]', `wrong ${i}`);
      await submit(page);
      await page.waitForSelector(`.rk-notice:has-text("${4 - i} more tr")`);
      expect(await page.inputValue('[name=password]')).toBe('');
    }
    await page.fill('[name=password]', PASSWORD);
    await submit(page);
    await page.waitForSelector('h1:has-text("Hello, dora")');
    await logOut(page);
    await open(page, 'login');
    for (let i = 0; i < 5; i++) {
      await page.fill('[name=password]', `wrong ${i}`);
      await submit(page);
      await page.waitForSelector(i < 4 ? `.rk-notice:has-text("${4 - i} more tr")` : '.rk-countdown');
    }
    expect((await notice(page)).text).toMatch(/last try for now.*in \d+ (s|min)/s);
    expect(await faultsInAllLooks(page)).toEqual([]);
  });

  it('tells of tries that somebody else made', async () => {
    const [page, thief] = [await device(), await device()];
    await create(page, 'emil');
    await open(page, 'devices');
    const downloading = page.waitForEvent('download');
    await page.click('[data-file=login]');
    const file = await (await downloading).path();
    await open(thief, 'pickup');
    await thief.setInputFiles('[name=file]', file);
    await thief.waitForSelector('h1:has-text("The key of emil")');
    expect(await faultsInAllLooks(thief)).toEqual([]);
    await thief.fill('[name=password]', 'letmein');
    await submit(thief);
    expect((await notice(thief)).tone).toBe('wrong');
    await logOut(page);
    await logIn(page, 'emil', PASSWORD);
    await page.waitForSelector('.rk-notice[data-tone=warn], .rk-notice[data-tone=done]');
    const told = await notice(page);
    expect(told.text).toContain('1 wrong password was tried');
  });

  it('says what is here, and names that only look like those here', async () => {
    const page = await device();
    await create(page, 'finn');
    await logOut(page);
    await logIn(page, 'nobody-here', PASSWORD);
    expect((await notice(page)).text).toContain('no key for “nobody-here”');
    await page.fill('[name=account]', 'f\u0456nn');
    await submit(page);
    await page.waitForSelector('.rk-notice[data-tone=warn]');
    expect((await notice(page)).text).toContain('not the “finn”');
    const other = await page.context().newPage();
    // The only name here is in the form from the beginning, and what is typed meanwhile stays.
    const release = await holdBack(other, '**/session');
    await open(other, 'login');
    expect(await other.inputValue('[name=account]')).toBe('finn');
    await other.fill('[name=account]', '');
    const answered = other.waitForResponse('**/session');
    release();
    await (await answered).finished();
    await other.waitForTimeout(100);
    expect(await other.inputValue('[name=account]')).toBe('');
    await logIn(page, 'finn', PASSWORD);
    await page.waitForSelector('h1:has-text("Hello, finn")');
  });
});

describe('every page', () => {
  it.each(['login', 'create', 'lost', 'pickup', 'devices', 'password', 'kit'])(
    '/%s is accessible, fits 320 pixels, and loads nothing but its own',
    async (name) => {
      const page = await device({ viewport: { width: 320, height: 640 } });
      const broken: string[] = [];
      page.on('console', (message) => message.type() === 'error' && broken.push(message.text()));
      await page.goto(`${origin()}/account/${name}`);
      await page.waitForSelector('.rk-part :is(h1, p)');
      expect(await page.locator('h1').count()).toBe(1);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await accessibilityFaults(page)).toEqual([]);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);
      }
      expect(broken.filter((line) => !line.includes('favicon') && !line.includes('404'))).toEqual([]);
    },
  );

  it('has a policy without inline code, files that are kept for good, and pages that are not', async () => {
    const page = await device();
    const seen = new Map<string, Record<string, string>>();
    page.on('response', (response) => seen.set(new URL(response.url()).pathname, response.headers()));
    await open(page, 'login');
    const html = seen.get('/account/login') ?? {};
    expect(html['content-security-policy']).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(html['content-security-policy']).not.toContain('unsafe-inline');
    expect(html['cache-control']).toBe('no-store');
    const [, script = {}] = [...seen].find(([path]) => path.endsWith('/ui.js')) ?? [];
    expect(script['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(script['content-encoding']).toBe('gzip');
  });

  it('refuses requests of other pages', async () => {
    const ask = (headers: Record<string, string>) =>
      fetch(`${origin()}/account/api/names`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ account: 'ada' }),
      });
    expect((await ask({})).status).toBe(200);
    expect((await ask({ origin: 'https://evil.example' })).status).toBe(403);
    expect((await ask({ 'content-type': 'text/plain' })).status).toBe(400);
  });
});
