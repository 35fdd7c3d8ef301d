/**
 * The quickstart app as on three machines that share one PostgreSQL. A thief guesses through all of them at once while
 * one dies: he gets five answers, and not one more. Then the owner disables the key at one that is left.
 *
 *     DATABASE_URL=postgres://localhost/app npx tsx examples/postgres-cluster.ts
 *
 * Without DATABASE_URL it starts a PostgreSQL of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Device, disable, enroll, isRoamingKeyError } from 'passport-roaming-key/device';
import { startPostgres } from '../test/support/postgres.ts';

interface Machine {
  readonly child: ChildProcess;
  readonly assistant: string;
}

const given = process.env['DATABASE_URL'];
const database = given ? { url: given, stop: async () => {} } : await startPostgres();

// What all machines share besides the database: the assistant's keys, and the secret of the app.
const data = mkdtempSync(path.join(tmpdir(), 'roaming-key-'));
const env = {
  ...process.env,
  PORT: '0',
  DATA: data,
  STORE_URL: database.url,
  SECRET: randomBytes(32).toString('hex'),
};

function start(): Promise<Machine> {
  const script = new URL('quickstart.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`quickstart.ts ended with ${code}`)));
    child.stdout.on('data', (text: Buffer) => {
      const origin = /http:\S+/.exec(text.toString())?.[0];
      if (origin) resolve({ child, assistant: `${origin}/assistant` });
    });
  });
}

const machines = await Promise.all([start(), start(), start()]);
const [dying, second, third] = machines as [Machine, Machine, Machine];
console.log('three machines on one database');

// An owner enrols, and somebody gets hold of the record.
const { record, kit } = await enroll({
  scheme: 'retrieve',
  assistant: second.assistant,
  password: 'correct horse battery staple',
  kdf: { t: 2, m: 19_456, p: 1 },
});

/** Tries a password at one machine; resolves with `right` or with the error's code. */
async function guess(machine: Machine, password: string): Promise<string> {
  const { assistant } = machine;
  const here = { ...record, assistant: { ...record.assistant, url: assistant } };
  // What the dying machine was asked is open for a minute: an owner would wait, this thief asks the next one.
  const device = new Device(here, { assistant, timeout: 5 });
  try {
    await device.unlock(password);
    return 'right';
  } catch (error) {
    if (!isRoamingKeyError(error)) throw error;
    if (error.code === 'wrong_password') dying.child.kill('SIGKILL');
    return error.code;
  }
}

const guesses = Array.from({ length: 30 }, (_, i) => guess(machines[i % 3] as Machine, `guess number ${i}`));
const counts: Record<string, number> = {};
for (const code of await Promise.all(guesses)) counts[code] = (counts[code] ?? 0) + 1;
console.log('30 guesses at once, one machine killed:', counts);
const compared = counts['wrong_password'] ?? 0;
if (compared === 0 || compared > 5) throw new Error(`${compared} guesses were answered`);

const late = await guess(third, 'correct horse battery staple');
console.log('the next one, at another machine, is right and gets:', late);
if (late !== 'locked' && late !== 'busy') throw new Error('the count did not hold');

await disable(kit);
const last = await guess(third, 'correct horse battery staple');
console.log('after disabling at one machine, another says:', last);
if (last !== 'disabled') throw new Error('the mark was not seen');

for (const { child } of machines) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await ended;
}
await database.stop();
rmSync(data, { recursive: true, force: true });
