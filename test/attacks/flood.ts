/**
 * Wrong passwords by the thousand, each on a ticket of the stranger's own, from as many addresses as he needs, while an owner
 * uses her key behind one of them and others begin to.
 */
import { Assistant } from '../../lib/assistant/assistant.ts';
import { KeySet } from '../../lib/assistant/keys.ts';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import type { Store } from '../../lib/store/store.ts';
import { type KnownTicket, makeRequest, makeTicket, random } from './support.ts';

export interface FloodOptions {
  readonly store: Store;
  /** How many wrong passwords, and for how long at most, in milliseconds. */
  readonly guesses: number;
  readonly lasts: number;
  /** How much the store holds, in bytes. */
  readonly sizeOf: () => number;
}

/** What came of it; times are in milliseconds. */
export interface Flood {
  readonly guesses: number;
  readonly codes: Readonly<Record<string, number>>;
  /** What the owner was answered, and how long that took at most. */
  readonly owner: readonly string[];
  readonly slowestOwner: number;
  /** What first uses were answered: behind another address, and behind the flooded one, with how long that took. */
  readonly elsewhere: string;
  readonly behind: string;
  readonly behindAfter: number;
  readonly bytesPerGuess: number;
}

/** Fewer than an address may make the store keep in an hour. */
const EACH = 290;
const AT_ONCE = 8;
const HOME = '192.0.2.1';

export async function flood({ store, guesses, lasts, sizeOf }: FloodOptions): Promise<Flood> {
  const keys = await KeySet.generate();
  const assistant = new Assistant({ keys, store, newIdsPerHour: 300 });
  const { jwk } = keys.active;
  const ask = async (known: KnownTicket, address: string, beta?: Uint8Array): Promise<string> => {
    const { body } = await makeRequest(known, beta ? { beta } : {});
    try {
      await assistant.assist(body, { address });
      return 'ok';
    } catch (error) {
      if (!isRoamingKeyError(error)) throw error;
      return error.code;
    }
  };
  const codes: Record<string, number> = {};
  const guess = async (address: string) => {
    const code = await ask(await makeTicket(jwk), address, random(32));
    codes[code] = (codes[code] ?? 0) + 1;
  };
  const owner = await makeTicket(jwk);
  const answers = [await ask(owner, HOME)];
  // All that her address may have, and one that waits for its turn.
  for (let i = 0; i < 300; i++) await guess(HOME);
  const waiting = guess(HOME);
  const before = sizeOf();
  const began = performance.now();
  const since = (start: number) => Math.round(performance.now() - start);
  const elsewhere = ask(await makeTicket(jwk), '198.51.100.1');
  const newcomer = await makeTicket(jwk);
  let behindAfter = 0;
  const behind = ask(newcomer, HOME).then((code) => {
    behindAfter = since(began);
    return code;
  });
  let made = 0;
  let slowestOwner = 0;
  const strangers = async () => {
    while (made < guesses && performance.now() - began < lasts) {
      const at = Math.floor(made++ / EACH);
      await guess(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);
    }
  };
  const using = async () => {
    // However slow the machine is, there is something to judge by.
    while (answers.length < 7 || (made < guesses && performance.now() - began < lasts)) {
      const start = performance.now();
      answers.push(await ask(owner, HOME));
      slowestOwner = Math.max(slowestOwner, since(start));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await Promise.all([using(), ...Array.from({ length: AT_ONCE }, strangers)]);
  const bytesPerGuess = Math.round((sizeOf() - before) / made);
  const result = { elsewhere: await elsewhere, behind: await behind, behindAfter };
  await waiting;
  await assistant.close();
  return { guesses: made, codes, owner: answers, slowestOwner, bytesPerGuess, ...result };
}
