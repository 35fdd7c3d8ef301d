import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAssistant } from '../support/world.ts';
import {
  assistantOf,
  createAccount,
  type Demo,
  eventually,
  keepKit,
  logIn,
  notice,
  PASSWORD,
  startDemo,
  visit,
} from './support.ts';

let demo: Demo;
beforeAll(async () => {
  demo = await startDemo();
}, 60_000);
afterAll(() => demo.stop());

describe('failures at login look different', () => {
  it('a wrong password, a locked key, no answer, another key, no key', async () => {
    const page = await demo.device();
    await createAccount(page, demo.app.origin, 'ada');
    const assistant = await assistantOf(page);

    await logIn(page, demo, 'ada', 'wrong');
    expect(await notice(page)).toMatchObject({
      tone: 'wrong',
      text: expect.stringContaining('4 more tries'),
    });
    expect(await page.inputValue('#account')).toBe('ada');

    await page.route(`${assistant}/**`, (route) => route.abort());
    await page.fill('#password', PASSWORD);
    await page.click('#enter');
    await page.waitForSelector('.notice[data-tone=offline]');
    expect((await notice(page)).text).toContain('No answer from the assistant');
    await page.unroute(`${assistant}/**`);
    await page.route('**/login/challenge', (route) => route.abort());
    await page.fill('#password', PASSWORD);
    await page.click('#enter');
    await eventually(() => page.innerText('.notice')).toContain('No answer from Inkwell');
    await page.unroute('**/login/challenge');
    await page.context().setOffline(true);
    await page.fill('#password', PASSWORD);
    await page.click('#enter');
    await eventually(() => page.innerText('.notice')).toContain('offline');
    await page.context().setOffline(false);

    await page.fill('#account', 'stranger');
    await page.fill('#password', PASSWORD);
    await page.click('#enter');
    await page.waitForSelector('.notice[data-tone=info]');
    expect((await notice(page)).text).toContain('no key for “stranger”');

    // Right again: what was lost is nothing, and the owner is told of what was tried.
    await page.fill('#account', 'ada');
    await page.fill('#password', 'wrong');
    await page.click('#enter');
    await page.waitForSelector('.notice[data-tone=wrong]');
    await page.fill('#password', PASSWORD);
    await page.click('#enter');
    await page.waitForURL('**/home');
    expect(await notice(page)).toMatchObject({
      tone: 'warn',
      text: expect.stringMatching(/1 wrong password was tried/),
    });

    await visit(page, demo, '/login');
    for (let i = 0; i < 5; i++) {
      await page.fill('#password', `wrong ${i}`);
      await page.click('#enter');
      await page.waitForSelector('form[aria-busy]', { state: 'detached' });
      await page.waitForSelector('.notice[data-tone=wrong]');
    }
    expect((await notice(page)).text).toContain('That was the last try for now');
    await page.fill('#password', PASSWORD);
    await page.click('#enter');
    await page.waitForSelector('.notice[data-tone=wait]');
    expect((await notice(page)).text).toMatch(/Too many wrong passwords.*answers again in [123]?\d s/s);
  });

  it('a clock that is wrong by hours stops nothing, and is mentioned', async () => {
    const page = await demo.device();
    await page.addInitScript(() => {
      const real = Date.now.bind(Date);
      Date.now = () => real() + 5 * 3_600_000;
    });
    await createAccount(page, demo.app.origin, 'olga');
    await logIn(page, demo, 'olga', PASSWORD);
    await page.waitForURL('**/home');
    expect(await notice(page)).toMatchObject({ tone: 'warn', text: expect.stringContaining('5 hours fast') });
  });

  it('answers that somebody else forged, and a login that leads nowhere else', async () => {
    const page = await demo.device();
    await createAccount(page, demo.app.origin, 'mira');
    const assistant = await assistantOf(page);
    const headers = { 'access-control-allow-origin': '*' };
    const json = { code: 'disabled', status: 403, title: 'disabled' };
    await page.route(`${assistant}/assistant/assist`, (route) =>
      route.request().method() === 'OPTIONS'
        ? route.continue()
        : route.fulfill({ status: 403, headers, json }),
    );
    await logIn(page, demo, 'mira', PASSWORD);
    expect((await notice(page)).text).toContain('The answer was not genuine');
    await page.unroute(`${assistant}/assistant/assist`);
    await page.goto(`${demo.app.origin}/login?next=//evil.example/`);
    await page.waitForSelector('#nav a');
    await page.fill('#account', 'mira');
    await page.fill('#password', PASSWORD);
    await page.click('#enter');
    await page.waitForURL(`${demo.app.origin}/home`);
  });
});

it('a page whose policy leaves the assistant out says so', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'cyd');
  const assistant = await assistantOf(page);
  await page.route(`${demo.app.origin}/login`, async (route) => {
    const response = await route.fetch();
    const headers = response.headers();
    const policy = headers['content-security-policy']?.replace(` ${assistant}`, '') ?? '';
    await route.fulfill({ response, headers: { ...headers, 'content-security-policy': policy } });
  });
  await logIn(page, demo, 'cyd', PASSWORD);
  expect(await notice(page)).toMatchObject({
    tone: 'offline',
    text: expect.stringContaining('Content-Security-Policy'),
  });
});

describe('a page that is left, or opened twice', () => {
  it('reloaded before the kit is kept: nothing was made, and one begins anew', async () => {
    const page = await demo.device();
    await visit(page, demo, '/create');
    await page.fill('#account', 'rena');
    await page.fill('#password', PASSWORD);
    await page.click('#make');
    await page.waitForSelector('#kit-code');
    await page.reload();
    expect(await notice(page)).toMatchObject({ tone: 'info', text: expect.stringContaining('not made yet') });
    expect(await page.inputValue('#account')).toBe('rena');
    await createAccount(page, demo.app.origin, 'rena');
    await logIn(page, demo, 'rena', PASSWORD);
    await page.waitForURL('**/home');
  });

  it('opened twice with one name: the second chooses another, and keeps its key and kit', async () => {
    const [one, two] = [await demo.device(), await demo.device()];
    for (const page of [one, two]) {
      await visit(page, demo, '/create');
      await page.fill('#account', 'twin');
      await page.fill('#password', PASSWORD);
      await page.click('#make');
      await page.waitForSelector('#kit-code');
    }
    await keepKit(one);
    await one.waitForSelector('#part-done:visible');
    await keepKit(two);
    expect(await notice(two)).toMatchObject({
      tone: 'wrong',
      text: expect.stringContaining('taken meanwhile'),
    });
    await two.fill('#other-name', 'twin');
    await two.click('#rename button');
    await eventually(() => two.innerText('#other-name-error')).toContain('is taken');
    await two.fill('#other-name', 'twin-two');
    await two.click('#rename button');
    await two.waitForSelector('#part-done:visible');
    await logIn(two, demo, 'twin-two', PASSWORD);
    await two.waitForURL('**/home');
  });

  it('the network fails after the kit is kept: the account is made at the next try', async () => {
    const page = await demo.device();
    await visit(page, demo, '/create');
    await page.fill('#account', 'nora');
    await page.fill('#password', PASSWORD);
    await page.click('#make');
    await page.waitForSelector('#kit-code');
    await page.route('**/register/challenge', (route) => route.abort());
    await keepKit(page);
    expect((await notice(page)).tone).toBe('offline');
    await page.unroute('**/register/challenge');
    await page.fill('#again-password', PASSWORD);
    await page.click('#again button');
    await page.waitForSelector('#part-done:visible');
  });

  it('signed out in another tab: what was typed stays', async () => {
    const page = await demo.device();
    await createAccount(page, demo.app.origin, 'tess');
    await visit(page, demo, '/notes');
    await page.fill('#text', 'half a sentence');
    const tab = await page.context().newPage();
    await visit(tab, demo, '/home');
    await tab.click('#out');
    await tab.waitForURL('**/login');
    expect((await notice(page)).text).toContain('You signed out in another tab');
    expect(await page.inputValue('#text')).toBe('half a sentence');
    await page.fill('#to', 'tess');
    await page.click('#send');
    expect(await page.inputValue('#text')).toBe('half a sentence');
  });
});

describe('a browser that forgets', () => {
  it('IndexedDB was cleared: the key is brought back by pickup code', async () => {
    const page = await demo.device();
    await createAccount(page, demo.app.origin, 'vera');
    await visit(page, demo, '/devices');
    await page.click('#make-code');
    const code = await page.innerText('#pickup-code');
    await page.evaluate(`new Promise((done) => { indexedDB.deleteDatabase('inkwell').onsuccess = done; })`);
    await logIn(page, demo, 'vera', PASSWORD);
    expect((await notice(page)).text).toContain('no key for “vera”');
    await page.click('.notice a');
    await page.waitForURL('**/pickup?account=vera');
    await page.waitForSelector('#nav a');
    await page.fill('#code', code);
    await page.fill('#password', PASSWORD);
    await page.click('#enter');
    await page.waitForURL('**/home');
    await page.waitForSelector('#keys li');
    expect(await page.innerText('#keys')).toContain('on this device');
  });

  it('keeps nothing at all: the account is made, and the user warned and helped', async () => {
    const page = await demo.device();
    await page.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
    await createAccount(page, demo.app.origin, 'wanda');
    expect(await notice(page)).toMatchObject({
      tone: 'warn',
      text: expect.stringContaining('keeps nothing'),
    });
    await page.click('.notice a');
    await page.click('#make-code');
    const code = await page.innerText('#pickup-code');
    const phone = await demo.device();
    await visit(phone, demo, '/pickup?account=wanda');
    await phone.fill('#code', code);
    await phone.fill('#password', PASSWORD);
    await phone.click('#enter');
    await phone.waitForURL('**/home');
  });
});

describe('what is brought is something else', () => {
  const bring = async (field: string, buffer: Buffer, name = 'some.json', mimeType = 'application/json') => {
    const page = await demo.device();
    await visit(page, demo, field);
    await page.setInputFiles('#file', { name, mimeType, buffer });
    if (field === '/lost') await page.click('#disable');
    await page.waitForSelector('#file-error:visible');
    return page.innerText('#file-error');
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const kit = (url: string) => json({ version: 1, assistant: { url }, t: 'A'.repeat(22) });

  it('on the page that takes keys', async () => {
    expect(await bring('/pickup', Buffer.from('<html>'))).toContain('not a key file of Inkwell');
    expect(
      await bring('/pickup', json({ inkwell: 1, account: 'ada', purpose: 'login', record: {} })),
    ).toContain('damaged');
    expect(await bring('/pickup', json({ inkwell: 9 }))).toContain('newer Inkwell');
    expect(await bring('/pickup', kit('http://localhost:1/assistant'))).toContain(
      'this is a disabling kit'.slice(5),
    );
    expect(await bring('/pickup', Buffer.from('not a picture'), 'a.png', 'image/png')).toContain(
      'no QR code can be read'.slice(3),
    );
    const world = await startAssistant();
    const { enroll } = await import('../../lib/device/enroll.ts');
    const { record } = await enroll(world.enrolment);
    expect(await bring('/pickup', json({ inkwell: 1, account: 'ada', purpose: 'login', record }))).toContain(
      'belongs to another assistant',
    );
  });

  it('on the page for lost devices', async () => {
    expect(await bring('/lost', kit('http://localhost:1/assistant'))).toContain(
      'for another assistant, localhost:1',
    );
    expect(await bring('/lost', Buffer.from('{}'))).toContain('not a disabling kit');
    expect(await bring('/lost', json({ inkwell: 1, record: {} }))).toContain('is a key file');
    const page = await demo.device();
    await visit(page, demo, '/lost');
    for (const [typed, says] of [
      ['', 'Type the code'],
      ['5M46 97C1', 'looks like a pickup code'],
      ['CCGJP-EGYMW-4Z4KE-4MNHZ-ZTTZ3-D3BX', 'mistyped'],
      ['CCGJP-EGYMW', '10 characters instead of 29'],
    ]) {
      await page.fill('#code', typed as string);
      await page.click('#disable');
      await eventually(() => page.innerText('#code-error')).toContain(says);
    }
  });

  it('a QR code of the wrong kind, both ways', async () => {
    const page = await demo.device({ deviceScaleFactor: 2 });
    await createAccount(page, demo.app.origin, 'quinn');
    await visit(page, demo, '/devices');
    await page.click('[data-qr=login]');
    await page.waitForSelector('.qr-place svg');
    const record = await page.locator('.qr-place svg').screenshot();
    expect(await bring('/lost', record, 'qr.png', 'image/png')).toContain('carries a key to another device');

    const other = await demo.device();
    await visit(other, demo, '/create');
    await other.fill('#account', 'quentin');
    await other.fill('#password', PASSWORD);
    await other.click('#make');
    await other.waitForSelector('#kit-code');
    await other.evaluate('window.print = () => {}');
    await other.click('#kit-print');
    await other.waitForSelector('.print-sheet', { state: 'attached' });
    await other.emulateMedia({ media: 'print' });
    const sheet = await other.locator('.print-sheet .qr').screenshot();
    expect(await bring('/pickup', sheet, 'qr.png', 'image/png')).toContain('disabling code');
  });
});

it('needs no third-party cookies: the assistant sets none and gets none', async () => {
  const page = await demo.device();
  const asked: (string | undefined)[] = [];
  const set: (string | null)[] = [];
  await visit(page, demo, '/');
  const assistant = await assistantOf(page);
  page.on('request', async (request) => {
    if (request.url().startsWith(assistant)) asked.push((await request.allHeaders())['cookie']);
  });
  page.on('response', async (response) => {
    if (response.url().startsWith(assistant)) set.push(await response.headerValue('set-cookie'));
  });
  await createAccount(page, demo.app.origin, 'cora');
  await logIn(page, demo, 'cora', PASSWORD);
  await page.waitForURL('**/home');
  expect(asked.length).toBeGreaterThan(3);
  expect(new Set(asked)).toEqual(new Set([undefined]));
  expect(new Set(set)).toEqual(new Set([null]));
});
