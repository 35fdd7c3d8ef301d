/**
 * An assistant in a process of its own, for tests that kill it, starve it and set its clock.
 *
 * Tells its parent where it listens, and writes what it does line by line into a file, so that a kill loses nothing:
 * every event, and before each comparison's outcome is stored, that a password was compared.
 */
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { KeySet } from '../../lib/assistant/keys.ts';
import { assistant } from '../../lib/assistant/router.ts';
import type { GuessPolicy } from '../../lib/store/guess-policy.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { storeFromUrl } from '../../lib/store/url.ts';

/** What a process is started with. */
export interface ServerSettings {
  readonly store: string;
  /** The file with the assistant's keys. */
  readonly keys: string;
  /** The file that is written to. */
  readonly audit: string;
  readonly policy: Partial<GuessPolicy>;
  /** Milliseconds that the store waits for its server, or for the lock of its file. */
  readonly timeout: number;
}

const settings = JSON.parse(process.argv[2] as string) as ServerSettings;
const audit = openSync(settings.audit, 'a');
const note = (line: object) => writeSync(audit, `${JSON.stringify({ at: Date.now(), ...line })}\n`);

let offset = 0;
const now = () => Math.floor(Date.now() / 1000) + offset;
process.on('message', (clock: { offset: number }) => {
  offset = clock.offset;
  process.send?.({ offset });
});
process.once('disconnect', () => process.exit());

const { timeout } = settings;
const [scheme, ...file] = settings.store.split(':');
const store =
  scheme === 'sqlite'
    ? new SqliteStore(file.join(':'), { now, busyTimeout: timeout })
    : await storeFromUrl(settings.store, { timeout, onWarning: () => {} });
const fail = store.fail.bind(store);
store.fail = (reservation) => {
  note({ type: 'comparedWrong', id: reservation.id });
  return fail(reservation);
};

const app = express();
app.use(
  '/assistant',
  assistant({
    keys: await KeySet.load(settings.keys),
    store,
    now,
    policy: settings.policy,
    serve: { rsa: [], elgamal: [] },
    storeTimeout: (2 * timeout) / 1000,
    disablesPerMinute: 1_000_000,
    newIdsPerHour: 1_000_000,
    onEvent: (event) => note({ ...event, error: undefined }),
    onError: () => {},
  }),
);
await store.init().catch(() => {});
// A client that loses the race with the end of an idle connection gets no answer: not what is tested here.
const server = createServer({ keepAliveTimeout: 120_000 }, app).listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
