import { randomBytes } from 'node:crypto';
import { DEFAULT_GUESS_POLICY } from '../../lib/store/guess-policy.ts';
import type { Mark, Store } from '../../lib/store/store.ts';

/** What a store holds before it is measured. */
export interface Filling {
  /** Keys that are disabled. */
  readonly disabled?: number;
  /** Tickets at which one wrong password was tried. */
  readonly failures?: number;
}

/** How many guesses are made at a time. */
const AT_ONCE = 64;

const name = (length: number) => randomBytes(length).toString('base64url');

export async function fill(store: Store, { disabled = 0, failures = 0 }: Filling): Promise<void> {
  await store.importMarks(marks(disabled));
  const seenUntil = Math.floor(Date.now() / 1000) + 900;
  for (let made = 0; made < failures; made += AT_ONCE) {
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, failures - made) }, async () => {
        const guess = { id: name(32), jti: name(16), policy: DEFAULT_GUESS_POLICY };
        await store.reserve({ ...guess, u: name(32), seenUntil, admitNew: true });
        await store.fail(guess);
      }),
    );
  }
}

function* marks(count: number): Generator<Mark> {
  for (let at = 1; at <= count; at++) yield { kind: 'disabled', u: name(32), t: name(16), at };
}
