/**
 * An app with an assistant and a login as a process of its own, on a store that others share:
 * `node limited-process.mjs keys-file store-url limit`. Prints its URL.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { KeySet } from '../../lib/assistant/keys.ts';
import { assistant } from '../../lib/assistant/router.ts';
import { addressLimit } from '../../lib/limits/address-limit.ts';
import { storeFromUrl } from '../../lib/store/url.ts';

const [keys = '', url = '', limit = ''] = process.argv.slice(2);
const store = await storeFromUrl(url, { onWarning: () => {} });
await store.init();
const app = express().set('trust proxy', 1);
const serve = { rsa: [], elgamal: [] };
app.use(
  '/assistant',
  assistant({ keys: await KeySet.load(keys), store, serve, disablesPerMinute: Number(limit) }),
);
app.post(
  '/login/challenge',
  addressLimit({ limit: Number(limit), windowSeconds: 60, purpose: 'challenge', store }),
  (_req, res) => void res.json({}),
);
const server = createServer(app).listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
