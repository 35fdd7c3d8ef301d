import assert from 'node:assert/strict';
import { randomBytes, toBase64url } from '../../base/bytes.ts';
import type { GuessPolicy } from '../guess-policy.ts';
import type { ReserveRequest, SettleRequest, Store } from '../store.ts';

/** An empty store, and what its tests may do to it. */
export interface StoreUnderTest {
  readonly store: Store;
  /**
   * Lets `seconds` pass for the store: by an injected clock or, where the clock is a server's, by moving every time
   * that the store holds `seconds` into the past.
   */
  readonly advance: (seconds: number) => Promise<void>;
  /** Opens the same data once more, as another process would. */
  readonly another?: () => Promise<Store>;
  /** Cleans up after a case. */
  readonly close: () => Promise<void>;
}

/** What one case of the contract does, with a store and a way to open further ones. */
export type Case = (under: StoreUnderTest, open: () => Promise<StoreUnderTest>) => Promise<void>;

export const SMALL: GuessPolicy = {
  free: 3,
  firstWait: 100,
  maxWait: 250,
  limit: 6,
  window: 10_000,
  reservationTimeout: 60,
  knownFor: 5_000,
};
export const FAR = 4_000_000_000;
export const SLACK = 5;

export const fresh = (bytes = 16) => toBase64url(randomBytes(bytes));

/** A few seconds may pass for a server's clock while a case runs. */
export function assertNear(actual: number | undefined, expected: number): void {
  assert.ok(
    actual !== undefined && actual <= expected && actual >= expected - SLACK,
    `${actual} ≈ ${expected}`,
  );
}

/** One ticket at one store. */
export class Subject {
  readonly id = fresh(32);
  readonly u = fresh(32);
  readonly t = fresh();
  readonly store: Store;
  readonly policy: GuessPolicy;

  constructor(store: Store, policy: GuessPolicy = SMALL) {
    this.store = store;
    this.policy = policy;
  }

  reserve(jti: string = fresh(), more: Partial<ReserveRequest> = {}) {
    const { id, u, policy } = this;
    return this.store.reserve({ id, u, jti, policy, seenUntil: FAR, admitNew: true, ...more });
  }

  async reserved(jti: string = fresh(), more: Partial<ReserveRequest> = {}) {
    const answer = await this.reserve(jti, more);
    assert.equal(answer.answer, 'reserved');
    return { jti, now: answer.now };
  }

  fail(jti: string) {
    return this.store.fail({ id: this.id, jti, policy: this.policy });
  }

  settle(jti: string, more: Partial<SettleRequest> = {}) {
    return this.store.settle({ id: this.id, u: this.u, jti, policy: this.policy, ...more });
  }

  release(jti: string) {
    return this.store.release({ id: this.id, jti, policy: this.policy });
  }

  async wrong() {
    return this.fail((await this.reserved()).jti);
  }

  async settled(more: Partial<SettleRequest> = {}) {
    const settled = await this.settle((await this.reserved()).jti, more);
    assert.ok(settled.answer === 'settled');
    return settled;
  }

  async right() {
    return (await this.settled()).failedSince;
  }

  disable() {
    return this.store.disable({ u: this.u, t: this.t });
  }
}

export async function readFeed(store: Store, limit: number, after = '') {
  const disabled: string[] = [];
  let cursor = after;
  for (;;) {
    const page = await store.feed({ after: cursor, limit });
    assert.ok(page.disabled.length <= limit);
    disabled.push(...page.disabled);
    if (page.disabled.length === 0) {
      assert.equal(page.next, cursor, 'with nothing new, next equals the cursor');
      return { disabled, cursor };
    }
    cursor = page.next;
  }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}
