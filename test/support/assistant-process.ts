/** An assistant as a process of its own; arguments: folder, port. Prints its URL. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import express from 'express';
import { KeySet } from '../../lib/assistant/keys.ts';
import { assistant } from '../../lib/assistant/router.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';

const [folder = '', port = '0'] = process.argv.slice(2);
const keys = await KeySet.file(path.join(folder, 'keys.json'));
const store = new SqliteStore(path.join(folder, 'store.db'));
const router = assistant({ keys, store });
await router.assistant.init();
const server = createServer(express().use(router));
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
