/** What both compute from the same secrets: the peer is held against vectors that a third implementation made. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { safePrimeOf } from '../../lib/math/groups.ts';
import { vectors, vectors2 } from '../support/vectors.ts';
import { isSkipped, Peer } from './support.ts';

describe.skipIf(isSkipped)('the peer', () => {
  let peer: Peer;
  beforeAll(() => {
    peer = new Peer('device');
  });
  afterAll(() => peer.stop());

  it('stretches passwords and derives shares', async () => {
    const { v, kdf, K, verifier, share } = vectors.derivations.small;
    for (const [scheme, sizes] of Object.entries(share as Record<string, Record<string, string>>)) {
      for (const [size, f] of Object.entries(sizes)) {
        const given = { password: vectors.password, salt: v, ...kdf, scheme, size: Number(size) };
        expect(await peer.do('derive', given)).toEqual({ K, verifier, f });
      }
    }
  });

  it('writes disabling codes', async () => {
    expect(vectors2.code.length).toBeGreaterThan(3);
    for (const { t, url, code } of vectors2.code) expect(await peer.do('code', { t, url })).toEqual({ code });
  });

  it.each(['retrieve', 'rsa'])('opens and names a ticket: %s', async (scheme) => {
    const { ticket, id, ticketSeal } = vectors[scheme].enrol;
    const opened = await peer.do('open-ticket', { text: ticket, private: vectors.assistantKey.d });
    expect(opened).toEqual({ id, payload: JSON.parse(ticketSeal.plaintext) });
  });

  // It computes them from the digits of e, as RFC 7919 says.
  it.each(['ffdhe2048', 'ffdhe3072', 'ffdhe4096'])('has the same prime: %s', async (name) => {
    const { p } = await peer.do<{ p: string }>('primes', { name });
    expect(BigInt(p)).toBe(safePrimeOf({ name }));
  });
});
