/**
 * Walks through the pages of the smallest app in Chromium: an account, its kit, a login, the kit used.
 *
 *     npm run build:browser
 *     npx tsx examples/pages-in-a-browser.ts
 */
import { startBrowser } from '../test/support/browser.ts';
import { startApp } from './support/start.ts';

const [app, browser] = await Promise.all([startApp('pages.ts'), startBrowser()]);
try {
  const page = await browser.newPage();
  const submit = () => page.click('.rk-part form button[type=submit]');
  const password = 'tram ochre violin kettle';

  await page.goto(`${app.origin}/account/create`);
  await page.fill('[name=account]', 'ada');
  await page.fill('[name=password]', password);
  await submit();
  await page.waitForSelector('.rk-kit [data-code]');
  const code = await page.getAttribute('[data-code]', 'data-code');
  console.log('the kit’s code, to be kept on paper:', code);
  await page.check('[name=kept]');
  await submit();
  await page.waitForSelector('h1:has-text("Welcome, ada")');
  console.log('the account is made');

  await page.context().clearCookies();
  await page.goto(`${app.origin}/account/login`);
  await page.fill('[name=account]', 'ada');
  await page.fill('[name=password]', password);
  await submit();
  await page.waitForSelector('h1:has-text("Hello, ada")');
  console.log('logged in');

  await page.goto(`${app.origin}/account/lost#${code}`);
  await page.waitForSelector('[name=code]');
  await submit();
  await page.click('.rk-danger');
  await page.waitForSelector('h1:has-text("The key is off")');
  console.log(await page.innerText('.rk-facts'));
} finally {
  await browser.close();
  await app.stop();
}
