/** `roamingKeyPages` in other people's apps: Express 4 with CSRF protection, helmet and EJS; Express 5 in CommonJS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.ts';
import { browserBuild } from '../support/builds.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PASSWORD = 'tram ochre violin kettle';
const folder = mkdtempSync(path.join(ROOT, '.compat-'));
const children: ChildProcess[] = [];
let browser: Browser;

beforeAll(async () => {
  await browserBuild();
  browser = await startBrowser();
});
afterAll(async () => {
  for (const child of children) child.kill();
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The package as one module beside the app, on the Express that the app has. */
async function install(name: string, express: string): Promise<string> {
  const home = path.join(folder, name);
  mkdirSync(home);
  await build({
    stdin: {
      contents: ['index', 'pages/index', 'roaming/index', 'store/memory']
        .map((file) => `export * from './lib/${file}.ts';`)
        .join('\n'),
      resolveDir: ROOT,
    },
    outfile: path.join(home, 'package.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    alias: { express },
  });
  return home;
}

/** Starts a CommonJS app. */
async function start(home: string, app: string): Promise<string> {
  const file = path.join(home, 'app.cjs');
  writeFileSync(file, app);
  const child = spawn(process.execPath, [file], { cwd: home, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const [, origin] = /listening on (\S+)/.exec(text) ?? [];
      if (origin) resolve(origin);
    });
    child.once('exit', (code) => reject(new Error(`the app ended with ${code}`)));
  });
}

const common = (express: string) => `
const express = require('${express}');
const session = require('express-session');
const passport = require('passport');
const http = require('node:http');
async function main() {
  const rk = await import('./package.mjs');
  const app = express();
  const server = http.createServer(app).listen(0);
  await new Promise((ready) => server.once('listening', ready));
  const origin = 'http://localhost:' + server.address().port;
  const secret = 'a secret of thirty-two bytes or more, for tests';
  const helperStore = new rk.MemoryStore();
  const helper = rk.assistant({ keys: await rk.KeySet.generate(), store: helperStore, cors: [origin] });
  const helperServer = http.createServer(express().use('/assistant', helper)).listen(0);
  await new Promise((ready) => helperServer.once('listening', ready));
  const assistant = 'http://localhost:' + helperServer.address().port + '/assistant';
  const accounts = new Map();
  const keysOf = (account) => accounts.get(account);
  const rp = { audience: origin, secret, store: new rk.MemoryStore(), disabled: helperStore, keysOf };
  const save = (_req, key, { isNew }) => {
    if (isNew && accounts.has(key.account)) throw new rk.RoamingKeyError('refused', 'this name is taken');
    accounts.set(key.account, rk.mergeKey(accounts.get(key.account) || [], key));
  };
  passport.use(new rk.RoamingKeyStrategy(rp, (account) => ({ account })));
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user, done) => done(null, user));
  const sessions = session({ secret, resave: false, saveUninitialized: false, cookie: { sameSite: 'lax' } });
  const records = { store: new rk.MemoryRecordStore(), secret };
  const kdf = { t: 2, m: 19456, p: 1 };
`;
const end = `
  app.get('/', (req, res) => res.send('<!doctype html><title>App</title><h1>Hello, ' + (req.user ? req.user.account : 'stranger') + '</h1>'));
  console.log('listening on ' + origin);
}
main();
`;

async function walk(origin: string, mount: string): Promise<void> {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const broken: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico'))
      broken.push(message.text());
  });
  page.on('pageerror', (error) => broken.push(error.message));
  const submit = () => page.click('.rk-part form button[type=submit]');
  await page.goto(`${origin}${mount}/create`);
  await page.fill('[name=account]', 'ada');
  await page.fill('[name=password]', PASSWORD);
  await submit();
  await page.waitForSelector('.rk-kit [data-code]');
  await page.check('[name=kept]');
  await submit();
  await page.waitForSelector('h1:has-text("Welcome, ada")');
  await page.goto(`${origin}${mount}/devices`);
  await page.click('button:has-text("Make a pickup code")');
  await page.waitForSelector('[data-pickup]');
  await page.click('[data-logout]');
  await page.waitForSelector('.rk-notice[data-tone=done]');
  await page.goto(`${origin}${mount}/login`);
  await page.fill('[name=account]', 'ada');
  await page.fill('[name=password]', PASSWORD);
  await submit();
  await page.waitForSelector('h1:has-text("Hello, ada")').catch(async () => {
    throw new Error(`not greeted, but shown ${page.url()}: ${await page.innerText('body')}`);
  });
  expect(broken).toEqual([]);
  await context.close();
}

it('a server-rendered Express 4 app with CSRF protection, helmet’s default headers and EJS', async () => {
  const home = await install('four', 'express4');
  mkdirSync(path.join(home, 'views'));
  writeFileSync(
    path.join(home, 'views/layout.ejs'),
    '<!doctype html><html lang="<%= locale %>"><head><title><%= title %></title><%- head %></head><body><header>Old app</header><main><%- body %></main></body></html>',
  );
  const origin = await start(
    home,
    `const helmet = require('helmet').default || require('helmet');
const { csrfSync } = require('csrf-sync');
${common('express4')}
  const { generateToken, csrfSynchronisedProtection } = csrfSync();
  app.set('views', __dirname + '/views');
  app.set('view engine', 'ejs');
  app.use(helmet(), express.urlencoded({ extended: true }), express.json(), sessions, passport.initialize(), passport.session());
  app.use(csrfSynchronisedProtection);
  app.use('/account', rk.roamingKeyPages({
    rp, passport, assistant, records, save, kdf,
    site: 'Old app',
    headers: (req) => ({ 'x-csrf-token': generateToken(req) }),
    layout: (page, _req, res) => new Promise((resolve, reject) =>
      res.render('layout', page, (error, html) => (error ? reject(error) : resolve(html)))),
  }));
${end}`,
  );
  await walk(origin, '/account');
  const html = await fetch(`${origin}/account/login`).then((response) => response.text());
  expect(html).toContain('<header>Old app</header>');
  // The app's protection stands in front of the pages' own.
  const bare = await fetch(`${origin}/account/api/names`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"account":"ada"}',
  });
  expect(bare.status).toBe(403);
});

it('an Express 5 app in CommonJS, with pages at its root', async () => {
  const home = await install('five', 'express');
  const origin = await start(
    home,
    `${common('express')}
  app.use(sessions, passport.session(), rk.requireLiveKey(rp));
  app.use(rk.roamingKeyPages({ rp, passport, assistant, records, save, kdf, site: 'New app', csp: (policy) => ({ ...policy, 'img-src': ["'self'"] }) }));
${end}`,
  );
  await walk(origin, '');
  const policy = (await fetch(`${origin}/login`)).headers.get('content-security-policy');
  expect(policy).toContain("img-src 'self';");
});
