/** The demo, on top of the package's pages. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  accessibilityFaults,
  assistantOf,
  createAccount,
  type Demo,
  eventually,
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
  await elsewhere.click('.rk-danger');
  await elsewhere.waitForSelector('h1:has-text("The key is off")');
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
  expect(await accessibilityFaults(page)).toEqual([]);
});

it('shows what it knows, and what the assistant has written down', async () => {
  const page = await demo.device();
  await createAccount(page, demo.app.origin, 'kai');
  await visit(page, demo, '/knows');
  await page.waitForSelector('#numbers dd');
  expect(await page.innerText('#rows')).toMatch(/"name": "kai"/);
  expect(await page.locator('#numbers dd').count()).toBe(3);
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
});

it.each(['/', '/login', '/sign', '/picture', '/thief', '/lost', '/pickup', '/nowhere'])(
  '%s is accessible and fits a small phone',
  async (route) => {
    const page = await demo.device({ viewport: { width: 360, height: 640 } });
    await visit(page, demo, route);
    await page.waitForTimeout(500);
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  },
);
