/**
 * Looks for time that tells a record from a decoy, or a name that has a record from one that has none.
 *
 * Method (after Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?"): two classes of requests in random
 * order; Welch's t-test on the times below several percentiles. |t| above 4.5 is a leak that was found. Below, none was
 * found with that many measurements, which is no proof. The positive control, a service that makes its decoys only where
 * it needs them, must be found out, else the whole run counts for nothing.
 *
 * Measured is the service without HTTP, whose own noise would only hide things.
 *
 * Run: tsx bench/roaming-timing.ts [measurements for each case, default 4000]
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KeySet } from '../lib/assistant/keys.ts';
import { makeRecord } from '../lib/device/make-record.ts';
import { makeDecoy } from '../lib/roaming/decoy.ts';
import { MemoryRecordStore } from '../lib/roaming/memory-records.ts';
import { RecordService } from '../lib/roaming/record-service.ts';
import type { RecordStore } from '../lib/roaming/record-store.ts';
import { ServiceSecret } from '../lib/roaming/service-secret.ts';
import { SqliteRecordStore } from '../lib/roaming/sqlite-records.ts';

const THRESHOLD = 4.5;
const PERCENTILES = [0.5, 0.75, 0.9, 1];
const USERS = 200;
const ASSISTANT = 'https://assistant.example';
const SECRET = randomBytes(32);

const measurements = Number(process.argv[2] ?? 4000);
const keys = await KeySet.generate();
const folder = mkdtempSync(path.join(tmpdir(), 'rk-'));

interface Case {
  readonly name: string;
  /** Class A or class B of requests. */
  readonly run: (isA: boolean) => Promise<unknown>;
}

async function serviceOn(store: RecordStore, isOpen: boolean) {
  const service = new RecordService({
    store,
    secret: SECRET,
    assistant: ASSISTANT,
    assistantKeys: () => [keys.active.jwk],
    disabled: { isDisabled: async () => false },
    wrongPerAddress: 65_535,
    wrongPerAccount: 65_535,
    ...(isOpen && { withoutPickupCode: 'anyone who knows an account name may hold its record' }),
  });
  for (let i = 0; i < USERS; i++) {
    const { record } = await makeRecord(
      { url: ASSISTANT, jwk: keys.active.jwk },
      { kty: 'OKP', crv: 'Ed25519', x: 'WGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY' },
      () => ({ scheme: 'retrieve', c: randomBytes(48) }),
      { password: 'x', argon2id: async () => randomBytes(32) },
    );
    await service.put(`user${i}`, { record });
  }
  return service;
}

/** One of the users, or one of as many names that nobody has. */
const name = (isUser: boolean) => `${isUser ? 'user' : 'none'}${Math.floor(Math.random() * USERS)}`;

async function casesOn(label: string, open: () => RecordStore): Promise<readonly Case[]> {
  const withCodes = await serviceOn(open(), false);
  const without = await serviceOn(open(), true);
  // Of its own, since what the control does not note, it would leave different lists of fetches behind.
  const ofControl = open();
  const control = await serviceOn(ofControl, true);
  const secret = new ServiceSecret(SECRET);
  return [
    {
      name: `${label}: control, decoys only where needed`,
      async run(isA) {
        const account = name(isA);
        const key = secret.key(account, '');
        const found = await ofControl.fetch({ key, otherwise: '', stranger: '', address: '' });
        return found?.record ?? makeDecoy(secret, control.profile, account, keys.active.jwk);
      },
    },
    {
      name: `${label}: wrong code, name with a record or without`,
      run: (isA) => withCodes.fetch({ account: name(isA), code: 'AAAAAAAA' }),
    },
    {
      name: `${label}: no codes, record or decoy`,
      run: (isA) => without.fetch({ account: name(isA) }),
    },
  ];
}

let files = 0;
const cases = [
  ...(await casesOn('memory', () => new MemoryRecordStore())),
  ...(await casesOn('SQLite', () => new SqliteRecordStore(path.join(folder, `${files++}.db`)))),
];

let controlsFound = true;
for (const each of cases) {
  const t = await largestT(each);
  const found = t > THRESHOLD;
  if (each.name.includes('control')) controlsFound &&= found;
  console.log(`${each.name.padEnd(54)} |t| = ${t.toFixed(2).padStart(7)}  ${found ? 'LEAK' : 'none found'}`);
}
console.log(
  controlsFound ? 'the controls were found out' : 'A CONTROL WAS NOT FOUND OUT: this run shows nothing',
);
rmSync(folder, { recursive: true });
process.exitCode = controlsFound ? 0 : 1;

async function largestT({ run }: Case): Promise<number> {
  for (let i = 0; i < 200; i++) await run(i % 2 === 0);
  const times: { isA: boolean; time: number }[] = [];
  for (let i = 0; i < measurements; i++) {
    const isA = (randomBytes(1)[0] as number) < 128;
    const start = process.hrtime.bigint();
    await run(isA);
    times.push({ isA, time: Number(process.hrtime.bigint() - start) });
  }
  const sorted = times.map(({ time }) => time).sort((a, b) => a - b);
  return Math.max(
    ...PERCENTILES.map((percentile) => {
      const cut = sorted[Math.ceil(sorted.length * percentile) - 1] as number;
      const of = (wanted: boolean) =>
        times.filter(({ isA, time }) => isA === wanted && time <= cut).map(({ time }) => time);
      const [a, b] = [of(true), of(false)];
      // Below a low percentile a gross leak leaves one class alone; the higher ones show it.
      return a.length < 10 || b.length < 10 ? 0 : Math.abs(welch(a, b));
    }),
  );
}

/** Welch's t of two samples. */
function welch(a: readonly number[], b: readonly number[]): number {
  const [left, right] = [moments(a), moments(b)];
  return (left.mean - right.mean) / Math.sqrt(left.variance / a.length + right.variance / b.length);
}

function moments(sample: readonly number[]): { mean: number; variance: number } {
  const mean = sample.reduce((sum, x) => sum + x, 0) / sample.length;
  const variance = sample.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (sample.length - 1);
  return { mean, variance };
}
