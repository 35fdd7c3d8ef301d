import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { SqliteStore } from '../../lib/store/sqlite.ts';

/**
 * A process of its own on a store's file, which reports what was acknowledged to it, line by line.
 * `churn`: disables and guesses until it is killed. `rush`: waits for a line, then guesses as fast as it can.
 */
const [file = '', mode = '', name = ''] = process.argv.slice(2);
const store = new SqliteStore(file, { busyTimeout: 20_000 });
const policy = {
  free: mode === 'churn' ? 1_000_000 : 5,
  firstWait: 30,
  maxWait: 86_400,
  limit: mode === 'churn' ? 1_000_000 : 100,
  window: 2_592_000,
  reservationTimeout: 60,
  knownFor: 5_000,
};
const say = (line: string) => writeSync(1, `${line}\n`);
const reserve = (id: string, jti: string) =>
  store.reserve({ id, u: `u-${id}`, jti, policy, seenUntil: 4_000_000_000, admitNew: true });

async function churn(): Promise<void> {
  for (let i = 0; ; i++) {
    const id = `${name}-${i % 3}`;
    const jti = randomBytes(16).toString('base64url');
    if (i % 4 === 0) {
      await store.disable({ u: `${name}-u${i}`, t: `${name}-t${i}` });
      say(`disabled ${name}-u${i} ${name}-t${i}`);
      continue;
    }
    say(`asking ${id}`);
    await reserve(id, jti);
    say(`reserved ${id}`);
    if (i % 4 === 1) continue;
    await store.fail({ id, jti, policy });
  }
}

async function rush(): Promise<void> {
  await new Promise((go) => process.stdin.once('data', go));
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => reserve('one', `${name}-${i}`)));
  say(`${answers.filter(({ answer }) => answer === 'reserved').length}`);
  process.exit(0);
}

await store.init();
say('ready');
await (mode === 'churn' ? churn() : rush());
