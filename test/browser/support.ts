import express, { type Express } from 'express';
import type { Browser, BrowserContext, Page, Request } from 'playwright-core';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { MemoryStore } from '../../lib/store/memory.ts';
import { type BrowserBuild, buildBrowser } from '../../scripts/build-browser.ts';
import { startBrowser } from '../support/browser.ts';
import {
  type AssistantWorld,
  listen,
  type RelyingPartyWorld,
  startAssistant,
  startRelyingParty,
} from '../support/world.ts';

declare global {
  /** The client, as the page's own script has loaded it. */
  var rk: typeof import('../../lib/device/index.ts');
}

/** Where the app serves the build. */
const FOLDER = '/rk/1.0.0';

/** The policy that docs/browser.md gives, for one assistant. */
export function strictPolicy(assistant: string): Record<string, string> {
  return {
    'default-src': "'none'",
    'script-src': "'self' 'wasm-unsafe-eval'",
    'worker-src': "'self'",
    'connect-src': `'self' ${new URL(assistant).origin}`,
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
  };
}

/** An app and an assistant on two origins, and a way to open the app's page. */
export interface PageWorld {
  readonly assistant: AssistantWorld;
  readonly rp: RelyingPartyWorld;
  /** Opens the page, in a context of its own unless one is given. */
  open(options?: OpenOptions): Promise<TestPage>;
}

export interface OpenOptions {
  readonly context?: BrowserContext;
  /** Directives that differ from the strict policy; `undefined` leaves one out. */
  readonly policy?: Readonly<Record<string, string | undefined>>;
  /** Whether the page takes the client from an origin of its own. */
  readonly elsewhere?: boolean;
  /** Runs before the page's scripts. */
  readonly before?: () => void;
  /** The page's own address. */
  readonly url?: string;
}

export interface TestPage extends Page {
  /** What the page said on its console. */
  readonly said: string[];
  /** What it asked servers for. */
  readonly asked: Request[];
}

/**
 * One browser for a file of tests, and worlds for each. Where Chromium cannot be started tests are skipped, loudly,
 * and fail under CI.
 */
export function useBrowser(): { world(test: TestContext): Promise<PageWorld>; browser(): Browser } {
  let browser: Browser | undefined;
  let build: BrowserBuild | undefined;
  beforeAll(async () => {
    build = await buildBrowser();
    browser = await startBrowser().catch((error: unknown) => {
      if (process.env['CI']) throw error;
      console.warn(`no Chromium, so nothing is tested in a browser: ${String(error)}`);
      return undefined;
    });
  });
  afterAll(() => browser?.close());
  return {
    browser: () => browser as Browser,
    async world(test) {
      if (!browser || !build) return test.skip('no Chromium');
      return startPages(browser, build);
    },
  };
}

async function startPages(browser: Browser, build: BrowserBuild): Promise<PageWorld> {
  const store = new MemoryStore();
  const rp = await startRelyingParty(store);
  const assistant = await startAssistant({ store, cors: rp.origin });
  const cdn = express();
  cdn.use((_req, res, next) => {
    res.set('Access-Control-Allow-Origin', '*');
    next();
  });
  serve(cdn, build);
  const elsewhere = await listen(cdn);
  let policy = '';
  rp.app.use((_req, res, next) => {
    res.set('Content-Security-Policy', policy);
    next();
  });
  serve(rp.app, build);
  rp.app.get('/', (req, res) => {
    res
      .type('html')
      .send(`<!doctype html><script type="module" src="/page.js?${req.url.split('?')[1] ?? ''}"></script>`);
  });
  rp.app.get('/page.js', (req, res) => {
    // A sandboxed page is of no origin, so that even its own scripts come from another.
    res.set('Access-Control-Allow-Origin', '*');
    const from = req.query['elsewhere'] === undefined ? '' : elsewhere;
    res.type('js').send(`import * as rk from '${from}${FOLDER}/device.js'; globalThis.rk = rk`);
  });
  return {
    assistant,
    rp,
    async open({
      context,
      policy: other = {},
      elsewhere: isElsewhere = false,
      before,
      url = `${rp.origin}/`,
    } = {}) {
      const directives = { ...strictPolicy(assistant.url), ...other };
      policy = Object.entries(directives)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name} ${value?.replace('ELSEWHERE', elsewhere)}`)
        .join('; ');
      const page = await (context ?? (await browser.newContext())).newPage();
      const said: string[] = [];
      const asked: Request[] = [];
      page.on('console', (message) => {
        // Answers of a server that are no success are on every browser's console.
        if (!message.text().includes('the server responded with')) said.push(message.text());
      });
      page.on('pageerror', (error) => void said.push(String(error)));
      page.on('request', (request) => void asked.push(request));
      if (before) await page.addInitScript(before);
      await page.goto(isElsewhere ? `${url}?elsewhere` : url);
      return Object.assign(page, { said, asked });
    },
  };
}

function serve(app: Express, { files }: BrowserBuild): void {
  app.get(`${FOLDER}/:file`, (req, res) => {
    const contents = files.get(req.params.file);
    if (contents) res.type('js').send(Buffer.from(contents));
    else res.sendStatus(404);
  });
}
