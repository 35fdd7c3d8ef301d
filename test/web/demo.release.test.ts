/** The demo, on top of the package's pages. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  assistantOf,
  createAccount,
  type Demo,
  eventually,
  faultsInAllLooks,
  keepPendingKit,
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
});
afterAll(() => demo.stop());

it('lets one in with one form; the kit waits as a card until it is kept', async () => {
  const page = await demo.device();
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.message));
  await createAccount(page, demo.app.origin, 'ada');
  expect(await page.innerText('#keys')).toMatch(/Logs in.*on this device.*this login/s);
  await eventually(() => page.innerText('#timeline')).toMatch(/Logged in.*Account made.*just now/s);
  expect(await page.innerText('roaming-key-kit')).toContain('You have not kept the kit');
  const code = await keepPendingKit(page);
  expect(code).toMatch(/^(\w{4}-){7}\w{4}$/);
  await page.reload();
  await page.waitForSelector('#timeline li');
  expect(await page.locator('roaming-key-kit button').count()).toBe(0);
  expect(await faultsInAllLooks(page)).toEqual([]);
  expect(errors).toEqual([]);
});

it('has one kit for all keys of an account, which it switches off together', async () => {
  const [page, elsewhere] = [await demo.device(), await demo.device()];
  await createAccount(page, demo.app.origin, 'bea');
  await visit(page, demo, '/sign');
  await makeSigningKey(page);
  await visit(page, demo, '/home');
  const code = await keepPendingKit(page);
  await elsewhere.goto(`${demo.app.origin}/lost#${code}`);
  await elsewhere.waitForSelector('[name=code]');
  await elsewhere.click('.rk form button[type=submit]');
  await elsewhere.waitForSelector('.rk-danger');
  expect(await elsewhere.innerText('.rk-facts')).toContain('login key and signing key of “bea”');
  await elsewhere.click('.rk-danger');
  await elsewhere.waitForSelector('h1:has-text("The key is off")');
  // The app has read the assistant's list by now.
  expect(await elsewhere.innerText('.rk-facts')).toMatch(/are off, on every device.*has ended the logins/s);
  await logIn(page, demo, 'bea', PASSWORD);
  expect(await notice(page)).toMatchObject({ tone: 'stop', text: expect.stringContaining('switched off') });
});

it('turns a signature’s verdict as one types', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'finn');
  await visit(page, demo, '/sign');
  await makeSigningKey(page);
  await page.fill('#message', 'I owe you ten pounds');
  await page.fill('#password', PASSWORD);
  await page.click('#do-sign');
  await page.waitForSelector('.verdict[data-tone=done]');
  const signed = await page.inputValue('#signed');
  expect(signed).toContain('I owe you ten pounds');
  await page.fill('#signed', signed.replace('ten', 'two'));
  await page.waitForSelector('.verdict[data-tone=stop]');
  expect(await faultsInAllLooks(page)).toEqual([]);
  await page.fill('#signed', signed);
  await page.waitForSelector('.verdict[data-tone=done]');
  await page.fill('#signed', signed.replace('by finn', 'by ada'));
  await page.waitForSelector('.verdict[data-tone=stop]');
});

it('seals notes that only their key opens', async () => {
  const [gus, hana] = [await demo.device(), await demo.device()];
  const seen: string[] = [];
  await createAccount(gus, demo.app.origin, 'gus');
  await createAccount(hana, demo.app.origin, 'hana');
  await visit(gus, demo, '/notes');
  await makeNotesKey(gus);
  hana.on('request', (request) => seen.push(request.postData() ?? ''));
  await visit(hana, demo, '/notes');
  await hana.fill('#to', 'gus');
  await hana.fill('#text', 'Lunch on Thursday?');
  await hana.click('#send');
  expect(await notice(hana)).toMatchObject({ tone: 'done', text: expect.stringContaining('fingerprint') });
  expect(seen.join()).not.toContain('Lunch');
  await visit(gus, demo, '/notes');
  await gus.click('[data-read]');
  await gus.fill('#password', PASSWORD);
  await gus.click('#do-unlock');
  await gus.waitForSelector('.note-place blockquote');
  expect(await gus.innerText('.note-place')).toBe('Lunch on Thursday?');
  expect(await faultsInAllLooks(gus)).toEqual([]);
  // A note says which key it is for. One for another key than that on this device is not offered to be opened.
  expect(await gus.innerText('[data-note]')).toContain('for key');
});

it('brings all keys of an account with one pickup code', async () => {
  const [laptop, phone] = [await demo.device(), await demo.device()];
  await createAccount(laptop, demo.app.origin, 'ivo');
  await visit(laptop, demo, '/notes');
  await makeNotesKey(laptop);
  // Before it has come, the second device says where it is, and offers none in its place.
  const pickUp = async () => {
    await visit(laptop, demo, '/devices');
    await laptop.click('.rk-part form button[type=submit]');
    await laptop.waitForSelector('[data-pickup]');
    const code = await laptop.getAttribute('[data-pickup]', 'data-pickup');
    await visit(phone, demo, '/pickup');
    await phone.fill('[name=account]', 'ivo');
    await phone.fill('[name=code]', code ?? '');
    await phone.fill('[name=password]', PASSWORD);
    await phone.click('.rk form button[type=submit]');
    await phone.waitForURL('**/home');
  };
  await pickUp();
  expect((await notice(phone)).text).toContain('Brought along: key for notes.');
  await visit(laptop, demo, '/sign');
  await makeSigningKey(laptop);
  await visit(phone, demo, '/sign');
  expect((await notice(phone)).text).toContain('Your signing key is on another device.');
  expect(await phone.isVisible('#part-new')).toBe(false);
  await visit(phone, demo, '/notes');
  await phone.waitForSelector('#part-inbox:visible');
  await phone.fill('#to', 'ivo');
  await phone.fill('#text', 'From one to the other');
  await phone.click('#send');
  await phone.click('[data-read]');
  await phone.fill('#password', PASSWORD);
  await phone.click('#do-unlock');
  await phone.waitForSelector('.note-place blockquote');
});

it('lets one be the thief: five guesses, a wait, a kit; and a table that falls', async () => {
  const page = await demo.device();
  await visit(page, demo, '/thief');
  await page.waitForSelector('#guesses button');
  await page.locator('#guesses button').first().click();
  await page.waitForSelector('#verdict .verdict');
  expect(await page.innerText('#made')).toBe('1');
  await page.click('#crack');
  await eventually(() => page.innerText('#speed')).toMatch(/(\d+) of \1 in .*guesses a second/);
  await page.click('#use-kit');
  await page.waitForSelector('.verdict[data-tone=stop]');
  await page.locator('#guesses button').last().click();
  await eventually(() => page.innerText('#verdict')).toContain('Dead');
  expect(await faultsInAllLooks(page)).toEqual([]);
});

it('shows what it knows, and what the assistant has written down', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'kai');
  await visit(page, demo, '/knows');
  await page.waitForSelector('#numbers dd');
  expect(await page.innerText('#rows')).toMatch(/"name": "kai"/);
  expect(await page.locator('#numbers dd').count()).toBe(3);
  expect(await faultsInAllLooks(page)).toEqual([]);
});

it('draws what was sent while logging in, from its first step', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'pia');
  await logIn(page, demo, 'pia', PASSWORD);
  await page.waitForURL('**/home');
  await visit(page, demo, '/picture');
  expect(await page.innerText('#where')).toMatch(/^Step 1 of \d+$/);
  await page.click('#forth');
  expect(await page.innerText('#where')).toMatch(/^Step 2 of/);
  await page.check('input[value=all]');
  expect(await page.innerText('#loot')).toContain('until you disable it');
  expect(await faultsInAllLooks(page)).toEqual([]);
});

it('shows its operator how the assistant does, and nobody else', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'ines');
  const assistant = await assistantOf(page);
  await page.goto(`${assistant}/operator#not-the-token`);
  await page.waitForSelector('#token-error:visible');
  await page.fill('#token', OPERATOR_TOKEN);
  await page.click('#token-form button');
  await page.waitForSelector('#counters div');
  expect(Number(await page.innerText('#counters div:first-child dd'))).toBeGreaterThan(0);
  expect(await faultsInAllLooks(page)).toEqual([]);
});

it.each([
  ['/', 'roaming-key-enroll [name=account]'],
  ['/login', '.rk-part h1'],
  ['/sign', '.rk-notice'],
  ['/picture', '#picture svg'],
  ['/thief', '#guesses button'],
  ['/lost', '.rk-part h1'],
  ['/pickup', '.rk-part h1'],
  ['/nowhere', 'h1'],
])('%s is accessible and fits a small phone', async (route, drawn) => {
  const page = await demo.device();
  await visit(page, demo, route);
  await page.waitForSelector(drawn);
  expect(await faultsInAllLooks(page)).toEqual([]);
});
