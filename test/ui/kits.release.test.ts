/** Kits, pickups and changes of password in the pages, in the smallest app, in Chromium. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { faultsInAllLooks } from '../web/support.ts';
import {
  create,
  device,
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

describe('a kit', () => {
  it('names the key that it switches off, on every device, before and after', async () => {
    const [page, elsewhere] = [await device(), await device()];
    const code = await create(page, 'gina');
    await elsewhere.goto(`${origin()}/account/lost#${code}`);
    await elsewhere.waitForSelector('[name=code]');
    expect(elsewhere.url()).not.toContain(code);
    await submit(elsewhere);
    await elsewhere.waitForSelector('.rk-danger');
    expect(await elsewhere.innerText('.rk-facts')).toMatch(/login key of “gina”, on every device/);
    expect(await faultsInAllLooks(elsewhere)).toEqual([]);
    // Neither the page's own anchors nor another code change what the red button is about.
    for (const hash of ['main', 'K3XYZ-NSEC6-WJPGH-NYPVQ-1RSZF-WX4Y']) {
      await elsewhere.evaluate(
        `new Promise((done) => { addEventListener('hashchange', done, { once: true }); location.hash = '${hash}'; }).then(() => {})`,
      );
      expect(await elsewhere.innerText('.rk-facts')).toMatch(/login key of “gina”/);
    }
    await elsewhere.click('.rk-danger');
    await elsewhere.waitForSelector('h1:has-text("The key is off")');
    const text = await elsewhere.innerText('.rk-part');
    expect(text).toMatch(/login key of “gina” is off, on every device.*localhost:\d+ has confirmed/s);
    // There is no spare key, so none is spoken of.
    expect(text).not.toContain('spare');
    // Whoever reads the public list learns no name.
    expect(await switchOff(elsewhere, code)).toMatch(/was off already/);
    await logIn(page, 'gina', PASSWORD);
    expect(await notice(page)).toMatchObject({ tone: 'stop', text: expect.stringContaining('switched off') });
  });

  it('of a sign-up that was broken off is noted in amber, and no key is said to be off', async () => {
    const page = await device();
    await open(page, 'create');
    await typeAccount(page, 'hugo', PASSWORD);
    await page.waitForSelector('.rk-kit [data-code]');
    const code = (await page.getAttribute('[data-code]', 'data-code')) ?? '';
    const elsewhere = await device();
    await elsewhere.goto(`${origin()}/account/lost#${code}`);
    await elsewhere.waitForSelector('[name=code]');
    await submit(elsewhere);
    await elsewhere.waitForSelector('.rk-danger');
    expect(await elsewhere.innerText('.rk-facts')).toContain('has no key with this code');
    await elsewhere.click('.rk-danger');
    await elsewhere.waitForSelector('h1:has-text("Noted by the assistant")');
    expect(await elsewhere.locator('.rk-facts [data-tone=warn]').count()).toBe(1);
    expect(await elsewhere.innerText('.rk-part')).not.toMatch(/is off/);
  });

  it('is told from pickup codes, key files and typos, before anything is sent', async () => {
    const page = await device();
    const sent: string[] = [];
    page.on('request', (request) => sent.push(request.url()));
    await open(page, 'lost');
    const before = sent.length;
    for (const [typed, said] of [
      ['', 'Type the code'],
      ['ABCD EFGH', 'looks like a pickup code'],
      ['0000-0000-0000-0000-0000-0000-0000-0001', 'missing or wrong'],
    ] as const) {
      await page.fill('[name=code]', typed);
      await submit(page);
      await expect.poll(() => page.innerText('[data-of=code]')).toContain(said);
    }
    expect(sent.slice(before).filter((url) => /assist|killed|disable/.test(url))).toEqual([]);
  });

  it('prints a sheet of its own, black on white, and leaves nothing behind', async () => {
    const page = await device({ colorScheme: 'dark' });
    await open(page, 'create');
    await typeAccount(page, 'ines', PASSWORD);
    await page.waitForSelector('.rk-kit [data-code]');
    await page.waitForSelector('.rk-sheet .rk-qr', { state: 'attached' });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await page.isVisible('.rk-sheet')).toBe(true);
    expect(await page.isVisible('.rk-page > main')).toBe(false);
    const style = await page.evaluate(
      `(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.querySelector('.rk-sheet')))`,
    );
    expect(style).toEqual(['rgb(0, 0, 0)', 'rgb(255, 255, 255)']);
    expect(await page.innerText('.rk-sheet')).toMatch(/Emergency sheet.*“ines”.*Made on.*red button/s);
    await page.emulateMedia({ media: 'screen' });
    await keepKit(page);
    await page.waitForSelector('h1:has-text("Welcome, ines")');
    expect(await page.locator('.rk-sheet').count()).toBe(0);
  });

  it('leaves the account to its spare key', async () => {
    const page = await device();
    const code = await create(page, 'jane');
    await open(page, 'devices');
    await page.waitForSelector('[name=password]');
    await page.fill('[name=password]', PASSWORD);
    await page.click('button:has-text("Make a spare key")');
    await page.waitForSelector('.rk-kit [data-code]');
    const downloading = page.waitForEvent('download');
    await page.check('[name=kept]');
    await submit(page);
    const spare = await (await downloading).path();
    await page.waitForSelector('.rk-notice[data-tone=done]');
    // Added in a session of the key that is off now: a thief could have done so, too.
    expect(await switchOff(page, code)).toContain('has to confirm first that it is yours');
    const elsewhere = await device();
    await open(elsewhere, 'pickup');
    await elsewhere.setInputFiles('[name=file]', spare);
    await elsewhere.waitForSelector('h1:has-text("The key of jane")');
    await elsewhere.fill('[name=password]', PASSWORD);
    await submit(elsewhere);
    expect((await notice(elsewhere)).text).toContain('on hold');
  });
});

describe('a pickup', () => {
  it('needs name, code and password, by typing or by a picture of 33 modules', async () => {
    const [laptop, phone] = [await device(), await device()];
    await create(laptop, 'kim');
    await open(laptop, 'devices');
    await laptop.waitForSelector('button:has-text("Make a pickup code")');
    await submit(laptop);
    await laptop.waitForSelector('[data-pickup]');
    const code = (await laptop.getAttribute('[data-pickup]', 'data-pickup')) ?? '';
    await laptop.waitForSelector('.rk-kit .rk-qr');
    const view = (await laptop.getAttribute('.rk-kit .rk-qr', 'viewBox')) ?? '';
    expect(Number(view.split(' ')[2]) - 8).toBeLessThanOrEqual(37);
    await expect.poll(() => laptop.innerText('.rk-part')).toContain('Phones cannot open “localhost”');
    expect(await faultsInAllLooks(laptop)).toEqual([]);
    const sent: string[] = [];
    phone.on('request', (request) => sent.push(request.url()));
    await open(phone, 'pickup');
    for (const [typed, said] of [
      ['12', 'has 8 letters'],
      ['K3XYZ-NSEC6-WJPGH-NYPVQ-1RSZF-WX4Y', 'a kit’s code'],
    ] as const) {
      await phone.fill('[name=account]', 'kim');
      await phone.fill('[name=code]', typed);
      await phone.fill('[name=password]', PASSWORD);
      await submit(phone);
      await expect.poll(() => phone.innerText('[data-of=code]')).toContain(said);
    }
    expect(sent.filter((url) => /fetch|assist/.test(url))).toEqual([]);
    await phone.fill('[name=code]', 'ZZZZ ZZZZ');
    await submit(phone);
    expect((await notice(phone)).text).toContain('One of the three');
    expect(await phone.inputValue('[name=password]')).toBe(PASSWORD);
    await phone.goto('about:blank');
    await phone.goto(`${origin()}/account/pickup#pickup=kim&code=${code}`);
    await phone.waitForSelector('[name=password]');
    await expect.poll(() => phone.inputValue('[name=code]')).toBe(code);
    expect(phone.url()).not.toContain(code);
    await phone.fill('[name=password]', PASSWORD);
    await submit(phone);
    await phone.waitForSelector('h1:has-text("Hello, kim")');
    await open(laptop, 'devices');
    await expect.poll(() => laptop.innerText('.rk-part')).toContain('Pickups');
  });

  it('refuses a stranger’s key under a familiar name, and asks for no password', async () => {
    const [page, stranger] = [await device(), await device()];
    await create(page, 'lena');
    await create(stranger, 'mallory');
    await open(stranger, 'devices');
    const downloading = stranger.waitForEvent('download');
    await stranger.click('[data-file=login]');
    const file = JSON.parse(await readFile(await (await downloading).path(), 'utf8'));
    const forged = JSON.stringify({ ...file, account: 'lena' });
    await open(page, 'pickup');
    await page.setInputFiles('[name=file]', {
      name: 'key.json',
      mimeType: 'application/json',
      buffer: Buffer.from(forged),
    });
    expect(await notice(page)).toMatchObject({
      tone: 'stop',
      text: expect.stringContaining('does not know this key'),
    });
    expect(await page.locator('h1:has-text("The key of")').count()).toBe(0);
    await logOut(page);
    await logIn(page, 'lena', PASSWORD);
    await page.waitForSelector('h1:has-text("Hello, lena")');
  });
});

it('a password is changed, and the page says what becomes of the kit', async () => {
  const page = await device();
  await create(page, 'nora');
  await open(page, 'password');
  await page.waitForSelector('[name=newPassword]');
  await page.fill('[name=password]', PASSWORD);
  await page.fill('[name=newPassword]', 'quarry lemon sextant pillow');
  await submit(page);
  await page.waitForSelector('.rk-kit [data-code], h1:has-text("is changed")');
  if (await page.isVisible('.rk-kit [data-code]')) {
    await keepKit(page);
    await page.waitForSelector('h1:has-text("is changed")');
    expect(await page.innerText('.rk-facts')).toContain('shred it');
  } else expect(await page.innerText('.rk-facts')).toContain('Your kit stays good');
  expect(await faultsInAllLooks(page)).toEqual([]);
  await logOut(page);
  await logIn(page, 'nora', 'quarry lemon sextant pillow');
  await page.waitForSelector('h1:has-text("Hello, nora")');
});
