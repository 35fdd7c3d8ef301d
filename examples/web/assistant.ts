/**
 * The assistant's side of the demo: `/assistant` for devices, and a page for whoever runs it. It has an origin, keys and
 * a store of its own, and has not heard of any account.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import express, { type RequestHandler } from 'express';
import Database from 'libsql';
import {
  type AssistantEvent,
  assistant,
  KeySet,
  problemHandler,
  RoamingKeyError,
} from 'passport-roaming-key';
import type { BrowserAssets } from 'passport-roaming-key/pages';
import { SqliteStore } from 'passport-roaming-key/store/sqlite';
import { type Assets, escapeHtml, renderPage, securityHeaders, serveAssets } from './assets.ts';
import { OperatorCounters } from './operator-counters.ts';

export interface AssistantSideOptions {
  readonly folder: string;
  readonly origin: string;
  /** Whose pages may ask. */
  readonly appOrigin: string;
  readonly assets: Assets;
  /** The package's client and elements. */
  readonly packageAssets: BrowserAssets;
}

export interface AssistantSide {
  readonly handler: RequestListener;
  /** Opens the operator's page. */
  readonly token: string;
  close(): Promise<void>;
}

export async function startAssistant(options: AssistantSideOptions): Promise<AssistantSide> {
  const { folder, origin, appOrigin, assets, packageAssets } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const token = process.env['OPERATOR_TOKEN'] ?? randomBytes(16).toString('base64url');
  const counters = new OperatorCounters();
  const keys = await KeySet.file(`${folder}/keys.json`);
  const store = new SqliteStore(`${folder}/assistant.db`);
  const onEvent = (event: AssistantEvent) => counters.count(event);
  const helper = assistant({ keys, store, cors: [appOrigin], onEvent });
  await helper.assistant.init();
  const numbers = new Database(`${folder}/assistant.db`, { readonly: true });

  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders({ connect: [] }), serveAssets(assets));
  app.use('/assets', packageAssets);
  app.use('/assistant', helper);
  const frame = {
    site: 'Assistant',
    config: {},
    head: `<link rel="stylesheet" href="/assets${packageAssets.pathOf('ui.css')}">`,
    navigation: `<a class="brand brand-assistant" href="/"><span class="brand-mark" aria-hidden="true"></span>Assistant</a>
<nav aria-label="Main"><a href="/operator">Operator</a></nav>`,
    footer: `<p class="origins"><span class="party party-assistant">${escapeHtml(new URL(origin).host)}</span>
<span>is the assistant. It is not <a href="${escapeHtml(appOrigin)}/">Inkwell</a>, and knows none of its accounts.</span></p>`,
  };
  for (const [route, name] of [
    ['/', 'assistant'],
    ['/operator', 'operator'],
  ] as const) {
    const html = renderPage(name, frame);
    app.get(route, (_req, res) => void res.set('Cache-Control', 'no-store').type('html').send(html));
  }
  // How many rows there are, for whoever wants to know what an assistant writes down.
  app.get('/numbers', (_req, res) => {
    const rows = (table: string) =>
      (numbers.prepare(`SELECT count(*) AS n FROM ${table}`).get([]) as { n: number }).n;
    res.set({ 'Cache-Control': 'no-store', 'Access-Control-Allow-Origin': appOrigin });
    res.json({
      'keys with a count of tries or a last use': rows('roaming_key_guesses'),
      'keys switched off': rows('roaming_key_disabled'),
      'old passwords stopped': rows('roaming_key_retired'),
    });
  });
  app.get('/operator/counters', requireToken(token), async (_req, res) => {
    const published = helper.assistant.keys().keys as readonly Record<string, string>[];
    const listed = published.map(({ kid, kty, alg }) => ({ kid, kty, alg }));
    res.set('Cache-Control', 'no-store');
    res.json({ ...counters.read(), health: await helper.assistant.health(), keys: listed });
  });
  app.use(problemHandler());

  return {
    handler: app,
    token,
    async close() {
      numbers.close();
      await helper.assistant.close();
      await store.close();
    },
  };
}

/** Lets those through who show the token, in a time that does not tell how much of it they have. */
function requireToken(token: string): RequestHandler {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  const wanted = hash(`Bearer ${token}`);
  return (req, _res, next) => {
    const isRight = timingSafeEqual(hash(req.get('authorization') ?? ''), wanted);
    next(isRight ? undefined : new RoamingKeyError('refused', 'the operator’s token is needed'));
  };
}
