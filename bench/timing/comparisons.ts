/** Comparisons of secrets: whether a guess that is wrong in its first byte is told from one that is wrong in its last. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { equalBytes, fromBase64url, toBase64url } from '../../lib/base/bytes.ts';
import { macInput } from '../../lib/protocol/messages.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { makeChallenge, verifyChallenge } from '../../lib/strategy/challenge.ts';
import { relyingParty } from '../../lib/strategy/relying-party.ts';
import type { TimingCase, TimingGroup } from './measure.ts';

const LENGTH = 32;
const secret = new Uint8Array(randomBytes(LENGTH));

/** A copy that is wrong in one byte: the first for class A, the last for class B. */
function nearly(right: Uint8Array, isA: boolean): Uint8Array {
  const wrong = new Uint8Array(right);
  const at = isA ? 0 : wrong.length - 1;
  wrong[at] = (wrong[at] as number) ^ 0x55;
  return wrong;
}

/** What a comparison must not be. */
function equalUntilDifferent(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function comparison(name: string, equal: (a: Uint8Array, b: Uint8Array) => boolean): TimingCase {
  return {
    name,
    measurements: 4000,
    calls: 400,
    prepare(isA) {
      const guess = nearly(secret, isA);
      return () => equal(guess, secret);
    },
  };
}

/** As in step 3 of docs/protocol.md section 4: the MAC is computed, then compared. */
function macCheck(name: string, equal: (a: Uint8Array, b: Uint8Array) => boolean): TimingCase {
  const [a, request, ticket] = [secret, 'x'.repeat(200), 'x'.repeat(100)];
  const right = createHmac('sha256', a).update(macInput(request, ticket)).digest();
  return {
    name,
    measurements: 8000,
    calls: 100,
    prepare(isA) {
      const mac = nearly(right, isA);
      return () => equal(createHmac('sha256', a).update(macInput(request, ticket)).digest(), mac);
    },
  };
}

function challenge(): TimingCase {
  const rp = relyingParty({
    audience: 'https://app.example',
    secret,
    store: new MemoryStore(),
    keysOf: () => undefined,
  });
  return {
    name: 'MAC of a challenge',
    measurements: 8000,
    calls: 20,
    prepare(isA) {
      const bytes = fromBase64url(makeChallenge(rp)) as Uint8Array;
      const mac = nearly(bytes.subarray(24), isA);
      const text = toBase64url(Buffer.concat([bytes.subarray(0, 24), mac]));
      return () => {
        try {
          verifyChallenge(rp, text);
        } catch {
          return;
        }
        throw new Error('a wrong challenge was taken');
      };
    },
  };
}

export function comparisons(): readonly TimingGroup[] {
  return [
    {
      name: 'comparisons of 32 bytes, wrong in the first or in the last',
      control: comparison('control: ends with the first that differs', equalUntilDifferent),
      cases: [
        comparison('equalBytes', equalBytes),
        comparison('timingSafeEqual, as for the verifier (step 6)', timingSafeEqual),
      ],
    },
    {
      name: 'MACs, wrong in the first byte or in the last',
      control: macCheck('control: ends with the first that differs', equalUntilDifferent),
      cases: [macCheck('MAC of a request (step 3)', timingSafeEqual), challenge()],
    },
  ];
}
