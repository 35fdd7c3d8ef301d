import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  assistantOf,
  createAccount,
  type Demo,
  eventually,
  keepKit,
  logIn,
  makeNotesKey,
  makeSigningKey,
  notice,
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

describe('an account', () => {
  it('is made once its kit is kept, and neither password nor key is ever sent', async () => {
    const page = await demo.device();
    const sent: string[] = [];
    const errors: string[] = [];
    page.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await visit(page, demo, '/create');
    await page.fill('#account', 'Ada');
    await page.fill('#password', 'password1');
    await eventually(() => page.innerText('#password-meter')).toContain('Very weak');
    await page.click('#make');
    await eventually(() => page.innerText('#password-error')).toContain('Too easy to guess');
    await page.fill('#password', PASSWORD);
    await page.click('#make');
    await page.waitForSelector('#kit-code');
    await page.click('#kit-continue');
    expect(await page.innerText('#kit-kept-error')).toContain('keep it first');
    expect(sent.some((line) => line.includes('/register'))).toBe(false);

    const downloading = page.waitForEvent('download');
    await page.click('#kit-download');
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/^inkwell-disabling-kit-ada-\w{5}\.json$/);
    const kit = JSON.parse(await readFile(await download.path(), 'utf8'));
    expect(kit).toEqual({
      version: 1,
      assistant: { url: `${await assistantOf(page)}/assistant` },
      t: expect.any(String),
    });

    await keepKit(page);
    await page.waitForSelector('#part-done:visible');
    expect(await page.innerText('#nav')).toContain('ada');
    await page.click('a:has-text("Go to your account")');
    await page.waitForSelector('#keys li');
    expect(await page.innerText('#keys')).toMatch(/Ed25519.*on this device.*this session/s);

    expect(sent.length).toBeGreaterThan(10);
    for (const line of sent) {
      expect(line).not.toContain(PASSWORD);
      expect(line).not.toContain(kit.t);
    }
    expect(errors).toEqual([]);
  });

  it('can have a P-256 key, or an RSA key that is shared with the assistant', async () => {
    for (const [name, kind] of [
      ['paul', 'P-256'],
      ['rosa', 'RSA-2048'],
    ] as const) {
      const page = await demo.device();
      await createAccount(page, demo.app.origin, name, kind);
      await logIn(page, demo, name, PASSWORD);
      await page.waitForURL('**/home');
      await page.waitForSelector('#keys li');
      expect(await page.innerText('#keys')).toContain(kind);
    }
  });

  it('draws what was sent while logging in, and says what a thief would have', async () => {
    const page = await demo.device();
    await createAccount(page, demo.app.origin, 'pia');
    await logIn(page, demo, 'pia', PASSWORD);
    await page.waitForURL('**/home');
    await page.click('#panel > summary');
    await page.waitForSelector('#panel svg');
    await page.click('#panel summary:has-text("The same as text")');
    const steps = await page.locator('#panel ol li').allInnerTexts();
    expect(steps[0]).toMatch(/stretches the password, \d+ ms\. Nothing is sent/);
    expect(
      steps.some((step) => /the assistant: sealed ticket .*ticket \S+ k?B, request .* mac 43 B/.test(step)),
    ).toBe(true);
    expect(steps.some((step) => /Inkwell: signature for this app, this minute \(proof/.test(step))).toBe(
      true,
    );
    await visit(page, demo, '/picture');
    const total = steps.length;
    expect(await page.innerText('#where')).toBe(`Step ${total} of ${total}`);
    expect(await page.innerText('[data-party=app]')).toContain('a signature that is worthless elsewhere');
    for (let i = 1; i < total; i++) await page.click('#back');
    expect(await page.isDisabled('#back')).toBe(true);
    expect(await page.innerText('[data-party=app]')).not.toContain('a signature');
    await page.check('input[value=assistant]');
    expect(await page.innerText('#loot')).toMatch(/^Nothing/);
    await page.check('input[value=all]');
    expect(await page.innerText('#loot')).toContain('until you disable it');
  });

  it('is used with nothing but a keyboard', async () => {
    const page = await demo.device();
    await createAccount(page, demo.app.origin, 'kim');
    await page.context().clearCookies();
    await visit(page, demo, '/login');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/home');
    await page.waitForSelector('#keys li');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
    await page.locator('#out').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/login');
    expect((await notice(page)).text).toContain('You are signed out');
  });
});

describe('two devices', () => {
  it('share a key by account, password and pickup code, and follow a change of the password', async () => {
    const [laptop, phone] = [await demo.device(), await demo.device()];
    await createAccount(laptop, demo.app.origin, 'bea');
    await visit(laptop, demo, '/devices');
    await laptop.click('#make-code');
    const code = (await laptop.innerText('#pickup-code')).replace(/\s/g, '');
    const pickUp = async (typed: string, password: string) => {
      await visit(phone, demo, '/pickup');
      await phone.fill('#account', 'bea');
      await phone.fill('#code', typed);
      await phone.fill('#password', password);
      await phone.click('#enter');
    };
    await pickUp('ZZZZ ZZZZ', PASSWORD);
    expect(await notice(phone)).toMatchObject({
      tone: 'wrong',
      text: expect.stringContaining('One of the three'),
    });
    await pickUp('K3XYZ-NSEC6-WJPGH-NYPVQ-1RSZF-WX4Y', PASSWORD);
    expect(await phone.innerText('#code-error')).toContain('This is a disabling code');
    await pickUp(code.toLowerCase(), PASSWORD);
    await phone.waitForURL('**/home');
    await phone.waitForSelector('#pickups li');

    const next = 'quarry lemon sextant pillow';
    await visit(laptop, demo, '/password');
    await laptop.fill('#current', PASSWORD);
    await laptop.fill('#next', next);
    await laptop.click('#do-change');
    await laptop.waitForSelector('#kit-code');
    await keepKit(laptop);
    await laptop.waitForSelector('#part-done:visible');
    expect(await laptop.innerText('#checks')).toContain('The old password is dead');

    await logIn(phone, demo, 'bea', PASSWORD);
    expect(await notice(phone)).toMatchObject({
      tone: 'info',
      text: expect.stringContaining('changed on another device'),
    });
    await pickUp(code, next);
    await phone.waitForURL('**/home');
    await logIn(laptop, demo, 'bea', next);
    await laptop.waitForURL('**/home');
    await laptop.waitForFunction(
      "/\\d other session/.test(document.querySelector('#session')?.textContent ?? '')",
    );

    await laptop.click('#out-everywhere');
    await laptop.waitForURL('**/login');
    await phone.reload();
    await phone.waitForURL('**/login?next=%2Fhome');
  });

  it('share a key as a file and as a QR code, without any server', async () => {
    const laptop = await demo.device({ deviceScaleFactor: 2 });
    await createAccount(laptop, demo.app.origin, 'cleo');
    await visit(laptop, demo, '/devices');
    const downloading = laptop.waitForEvent('download');
    await laptop.click('[data-file=login]');
    const file = await (await downloading).path();
    await laptop.click('[data-qr=login]');
    await laptop.waitForSelector('.qr-place svg');
    const picture = await laptop.locator('.qr-place svg').screenshot();

    for (const input of [
      { name: 'key.json', mimeType: 'application/json', buffer: await readFile(file) },
      { name: 'photo.png', mimeType: 'image/png', buffer: picture },
    ]) {
      const phone = await demo.device();
      await visit(phone, demo, '/pickup');
      await phone.setInputFiles('#file', input);
      await phone.waitForSelector('#part-found:visible');
      expect(await phone.innerText('#part-found h1')).toBe('The key of cleo');
      await phone.fill('#found-password', PASSWORD);
      await phone.uncheck('#found-keep');
      await phone.click('#found-enter');
      await phone.waitForURL('**/home');
      await phone.waitForSelector('#keys li');
      // What was not to be kept is not kept.
      expect(await phone.innerText('#keys')).not.toContain('on this device');
    }
  });
});

describe('a lost device', () => {
  it('is shut out by the printed code, at once and everywhere', async () => {
    const [laptop, elsewhere] = [await demo.device(), await demo.device()];
    const code = await createAccount(laptop, demo.app.origin, 'dora');
    await visit(laptop, demo, '/home');
    await elsewhere.goto(`${demo.app.origin}/lost#${code}`);
    expect(await elsewhere.inputValue('#code')).toBe(code);
    expect(elsewhere.url()).toBe(`${demo.app.origin}/lost`);
    await elsewhere.click('#disable');
    await elsewhere.waitForSelector('#part-done:visible');
    expect(await elsewhere.innerText('#checks')).toMatch(/The assistant has confirmed.*Inkwell knows/s);
    await laptop.reload();
    expect(await notice(laptop)).toMatchObject({ tone: 'stop', text: expect.stringContaining('disabled') });
    await logIn(laptop, demo, 'dora', PASSWORD);
    expect(await notice(laptop)).toMatchObject({ tone: 'stop', text: expect.stringContaining('disabled') });
  });

  it('is shut out by the kit as a file', async () => {
    const laptop = await demo.device();
    await visit(laptop, demo, '/create');
    await laptop.fill('#account', 'edda');
    await laptop.fill('#password', PASSWORD);
    await laptop.click('#make');
    await laptop.waitForSelector('#kit-code');
    const downloading = laptop.waitForEvent('download');
    await laptop.click('#kit-download');
    const file = await (await downloading).path();
    await keepKit(laptop);
    await laptop.waitForSelector('#part-done:visible');
    await visit(laptop, demo, '/lost');
    await laptop.setInputFiles('#file', file);
    await laptop.click('#disable');
    await laptop.waitForSelector('#part-done:visible');
    await logIn(laptop, demo, 'edda', PASSWORD);
    expect((await notice(laptop)).tone).toBe('stop');
  });
});

describe('shared keys', () => {
  it('sign a message that anybody can check, until the key is disabled', async () => {
    const [page, stranger] = [await demo.device(), await demo.device()];
    await createAccount(page, demo.app.origin, 'finn');
    await visit(page, demo, '/sign');
    const code = await makeSigningKey(page);
    await page.fill('#message', 'I owe you ten pounds – ¡ten!');
    await page.fill('#password', PASSWORD);
    await page.click('#do-sign');
    await page.waitForSelector('.verdict[data-tone=done]');
    const signed = await page.inputValue('#signed');

    await visit(stranger, demo, '/sign');
    await stranger.fill('#signed', signed);
    await stranger.click('#do-verify');
    await stranger.waitForSelector('.verdict');
    expect(await stranger.innerText('.verdict')).toMatch(/Signed by finn.*I owe you ten pounds – ¡ten!/s);
    const [head, body = '', signature] = signed.split('.');
    const text = Buffer.from(body, 'base64url').toString();
    const forged = (payload: string) => `${head}.${Buffer.from(payload).toString('base64url')}.${signature}`;
    for (const payload of [text.replace('ten pounds', 'one pound'), text.replace('finn', 'ada')]) {
      await stranger.fill('#signed', forged(payload));
      await stranger.click('#do-verify');
      await stranger.waitForSelector('.verdict[data-tone=stop]');
    }
    await stranger.fill('#signed', 'I owe you ten pounds');
    await stranger.click('#do-verify');
    await eventually(() => stranger.innerText('#signed-error')).toContain(
      'not a message signed with Inkwell',
    );

    await visit(stranger, demo, '/lost');
    await stranger.fill('#code', code);
    await stranger.click('#disable');
    await stranger.waitForSelector('#part-done:visible');
    await page.fill('#password', PASSWORD);
    await page.click('#do-sign');
    expect(await notice(page)).toMatchObject({ tone: 'stop', text: expect.stringContaining('disabled') });
  });

  it('open notes that nobody else can read', async () => {
    const [gus, hana] = [await demo.device(), await demo.device()];
    const seen: string[] = [];
    await createAccount(gus, demo.app.origin, 'gus');
    await createAccount(hana, demo.app.origin, 'hana');
    await visit(hana, demo, '/notes');
    await hana.fill('#to', 'gus');
    await hana.fill('#text', 'Lunch on Thursday?');
    await hana.click('#send');
    await eventually(() => hana.innerText('#to-error')).toContain('has no key for notes');
    await visit(gus, demo, '/notes');
    await makeNotesKey(gus);
    hana.on('request', (request) => seen.push(request.postData() ?? ''));
    await hana.click('#send');
    expect((await notice(hana)).tone).toBe('done');
    expect(seen.join()).toContain('"jwe"');
    expect(seen.join()).not.toContain('Lunch');

    await visit(gus, demo, '/notes');
    await gus.click('[data-read]');
    await gus.fill('#password', 'wrong');
    await gus.click('#do-unlock');
    expect((await notice(gus)).tone).toBe('wrong');
    await gus.fill('#password', PASSWORD);
    await gus.click('#do-unlock');
    await gus.waitForSelector('.note-place blockquote');
    expect(await gus.innerText('.note-place')).toBe('Lunch on Thursday?');
    // Open for five minutes: the next one needs no password, until it is locked by hand.
    await gus.click('[data-read]');
    expect(await gus.isVisible('#unlock')).toBe(false);
    await gus.click('#lock');
    await gus.click('[data-read]');
    await gus.waitForSelector('#unlock:visible');
  });
});

it('shows its operator how the assistant does, and nobody else, and nothing about anybody', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'ines');
  await logIn(page, demo, 'ines', 'wrong');
  await notice(page);
  const assistant = await assistantOf(page);
  await page.goto(`${assistant}/operator#not-the-token`);
  await page.waitForSelector('#token-error:visible');
  expect(await page.isVisible('#board')).toBe(false);
  await page.fill('#token', OPERATOR_TOKEN);
  await page.click('#token-form button');
  await page.waitForSelector('#counters div');
  const helped = Number(await page.innerText('#counters div:first-child dd'));
  expect(helped).toBeGreaterThan(0);
  const other = await demo.device();
  await logIn(
    page.context().pages()[0] === page ? await page.context().newPage() : page,
    demo,
    'ines',
    PASSWORD,
  );
  await eventually(async () => Number(await page.innerText('#counters div:first-child dd')), {
    timeout: 6000,
  }).toBeGreaterThan(helped);
  const answer = await other.request.get(`${assistant}/operator/counters`, {
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}` },
  });
  const told = await answer.text();
  expect(told).toContain('wrongPassword');
  for (const secret of ['ines', '127.0.0.1', '::1', PASSWORD]) expect(told).not.toContain(secret);
});
