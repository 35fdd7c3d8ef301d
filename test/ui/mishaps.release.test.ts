/** What goes wrong around the pages, in Chromium: a person is told, and nothing is lost. */
import { describe, expect, it } from 'vitest';
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

describe('a page is never dead', () => {
  it('without JavaScript', async () => {
    const page = await device({ javaScriptEnabled: false });
    await page.goto(`${origin()}/account/login`);
    expect(await page.innerText('main')).toContain('This page needs JavaScript');
  });

  it('when the script is missing, and there is no button that does nothing', async () => {
    const page = await device();
    await page.route('**/ui.js', (route) => route.abort());
    await page.goto(`${origin()}/account/login`);
    await page.waitForSelector('.rk-late:visible');
    expect(await page.innerText('main')).toContain('late or missing');
    expect(await page.locator('button').count()).toBe(0);
  });

  it('when site data is blocked', async () => {
    const page = await device();
    await page.addInitScript(`Object.defineProperty(globalThis, 'indexedDB', { get() { throw new DOMException('x', 'SecurityError') } });
      Object.defineProperty(globalThis, 'localStorage', { get() { throw new DOMException('x', 'SecurityError') } })`);
    await open(page, 'login');
    expect(await notice(page)).toMatchObject({
      text: expect.stringContaining('keeps nothing for this page'),
    });
    await open(page, 'create');
    await typeAccount(page, 'otto', PASSWORD);
    await keepKit(page);
    await page.waitForSelector('h1:has-text("Welcome, otto")');
    expect((await notice(page)).text).toContain('Take your key along');
    // The key is here alone, and lost with this page: leaving is warned of until it is taken along.
    const leaves = () => page.evaluate(`dispatchEvent(new Event('beforeunload', { cancelable: true }))`);
    expect(await leaves()).toBe(false);
    await submit(page);
    await page.waitForSelector('[data-pickup]');
    expect(await leaves()).toBe(true);
    const code = (await page.getAttribute('[data-pickup]', 'data-pickup')) ?? '';
    const elsewhere = await device();
    await elsewhere.goto(`${origin()}/account/pickup#pickup=otto&code=${code}`);
    await elsewhere.waitForSelector('[name=password]');
    await elsewhere.fill('[name=password]', PASSWORD);
    await submit(elsewhere);
    await elsewhere.waitForSelector('h1:has-text("Hello, otto")');
  });

  it('when there is no room left', async () => {
    const page = await device();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: origin(), quotaSize: 1 });
    await create(page, 'quin');
    const told = await notice(page);
    expect(told).toMatchObject({ tone: 'warn', text: expect.stringContaining('Take your key along') });
    const downloading = page.waitForEvent('download');
    await page.click('button:has-text("Download my key")');
    const file = await (await downloading).path();
    const elsewhere = await device();
    await open(elsewhere, 'pickup');
    await elsewhere.setInputFiles('[name=file]', file);
    await elsewhere.waitForSelector('h1:has-text("The key of quin")');
    await elsewhere.fill('[name=password]', PASSWORD);
    await submit(elsewhere);
    await elsewhere.waitForSelector('h1:has-text("Hello, quin")');
  });

  it('while the scripts are late', async () => {
    const page = await device();
    const release = await holdBack(page, '**/ui.js');
    await page.goto(`${origin()}/account/login`, { waitUntil: 'commit' });
    await page.waitForSelector('.rk-wait');
    expect(await page.locator('button, input').count()).toBe(0);
    release();
    await page.waitForSelector('.rk-part h1');
  });

  it('when a part has gone with a deployment while the page was open', async () => {
    const page = await device();
    await open(page, 'create');
    await page.route('**/assets/**', (route) => route.fulfill({ status: 404, body: 'gone' }));
    await typeAccount(page, 'rosa', PASSWORD);
    const told = await notice(page);
    expect(told.text).toContain('A part of this page is missing.');
    expect(await page.inputValue('[name=password]')).toBe(PASSWORD);
    await page.unroute('**/assets/**');
    await page.click('.rk-notice button:has-text("Reload")');
    await page.waitForSelector('.rk-part h1');
    await page.waitForSelector('.rk-notice', { state: 'detached' });
    // A page whose own part is gone says so at once.
    await page.route(/\/ui-[^/]*\.js$|\/login-[^/]*\.js$/, (route) =>
      route.fulfill({ status: 404, body: 'gone' }),
    );
    await page.goto(`${origin()}/account/login`);
    await page.waitForSelector('.rk-late:visible');
  });

  it('when the clock is wrong', async () => {
    const page = await device();
    await page.addInitScript(`const now = Date.now; Date.now = () => now() + 3 * 3600_000`);
    await create(page, 'sara');
    await logOut(page);
    await open(page, 'login');
    expect((await notice(page)).text).toContain('clock is 3 hours fast');
    await typeAccount(page, 'sara', PASSWORD);
    await page.waitForSelector('h1:has-text("Hello, sara")');
  });

  it('after going back, and after a reload in the middle of a sign-up', async () => {
    const page = await device();
    page.on('dialog', (dialog) => void dialog.accept());
    await open(page, 'create');
    await typeAccount(page, 'theo', PASSWORD);
    await page.waitForSelector('.rk-kit [data-code]');
    await page.reload();
    expect((await notice(page)).text).toContain('before the kit was kept');
    await create(page, 'theo');
    await logOut(page);
    await logIn(page, 'theo', PASSWORD);
    await page.waitForSelector('h1:has-text("Hello, theo")');
    // The welcome was for the app's page, and is not shown on another one.
    await open(page, 'lost');
    expect(await page.locator('.rk-notice').count()).toBe(0);
    await page.goBack();
    await page.goBack();
    await page.waitForSelector('.rk-part h1');
    expect((await notice(page)).text).toContain('You are logged in as theo');
  });

  it('when a link of a stranger is opened', async () => {
    const page = await device();
    await create(page, 'uma');
    const sent: string[] = [];
    page.on('request', (request) => sent.push(new URL(request.url()).pathname));
    await page.goto(`${origin()}/account/pickup#pickup=uma&code=ABCDEFGH`);
    await page.waitForSelector('[name=password]');
    expect(await page.inputValue('[name=code]')).toBe('ABCDEFGH');
    expect(sent.filter((path) => /fetch|assist|login\b/.test(path.replace('/account/assets', '')))).toEqual(
      [],
    );
    // The page that opened this tab can change what is behind # while somebody types.
    await page.fill('[name=password]', PASSWORD);
    await page.evaluate(`location.hash = '#pickup=mallory&code=ZZZZZZZZ'`);
    await expect.poll(() => page.url()).not.toContain('#');
    expect(await page.inputValue('[name=account]')).toBe('uma');
    expect(await page.inputValue('[name=code]')).toBe('ABCDEFGH');
    await page.goto('about:blank');
    await page.goto(`${origin()}/account/pickup#main`);
    await page.waitForSelector('[name=password]');
    expect(await page.locator('.rk-notice').count()).toBe(0);
    expect(page.url()).toContain('#main');
    for (const hash of ['#pickup=%E0%A4%A&code=ABCDEFGH', '#pickup=x']) {
      await page.goto('about:blank');
      await page.goto(`${origin()}/account/pickup${hash}`);
      expect((await notice(page)).text).toContain('This link brings no key.');
      expect(page.url()).not.toContain('#');
    }
    await logOut(page);
    await page.goto(`${origin()}/account/login?next=//evil.example/`);
    await page.waitForSelector('[name=password]');
    await typeAccount(page, 'uma', PASSWORD);
    await page.waitForSelector('h1:has-text("Hello, uma")');
    expect(new URL(page.url()).origin).toBe(origin());
  });

  it('by keyboard alone, with every button pressed twice', async () => {
    const page = await device();
    const posts: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST') posts.push(new URL(request.url()).pathname);
    });
    await open(page, 'create');
    await page.focus('[name=account]');
    await page.keyboard.type('vera');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.innerText('[data-of=password]')).toContain('Choose a password');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.rk-kit [data-code]');
    await page.focus('[name=kept]');
    await page.keyboard.press('Space');
    await page.dblclick('.rk-part form button[type=submit]');
    await page.waitForSelector('h1:has-text("Welcome, vera")');
    expect(posts.filter((path) => path.endsWith('/register'))).toHaveLength(1);
    await logOut(page);
    await open(page, 'login');
    posts.length = 0;
    await page.focus('[name=password]');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await page.waitForSelector('h1:has-text("Hello, vera")');
    expect(posts.filter((path) => path.endsWith('/login'))).toHaveLength(1);
  });

  it('for who comes with a session whose key is off', async () => {
    const page = await device();
    const code = await create(page, 'walt');
    await switchOff(await device(), code);
    for (const name of ['devices', 'password', 'create', 'login', 'pickup', 'lost']) {
      const response = await page.goto(`${origin()}/account/${name}`);
      expect(response?.status()).toBe(200);
      await page.waitForSelector('.rk-part h1');
    }
  });

  it('after a logout in another tab', async () => {
    const page = await device();
    await create(page, 'paul');
    await open(page, 'password');
    const other = await page.context().newPage();
    await logOut(other);
    await page.waitForSelector('[name=password]');
    await page.fill('[name=password]', PASSWORD);
    await page.fill('[name=newPassword]', 'quarry lemon sextant pillow');
    expect((await notice(page)).text).toContain('logged out in another tab');
  });
});
