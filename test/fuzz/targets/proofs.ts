/** What an app reads of a login. */
import { sign } from 'node:crypto';
import { fromBase64url, toBase64url, utf8 } from '../../../lib/base/bytes.ts';
import { MemoryStore } from '../../../lib/store/memory.ts';
import { makeChallenge, verifyChallenge } from '../../../lib/strategy/challenge.ts';
import { parseLogin, parseRegistration } from '../../../lib/strategy/compact-jws.ts';
import { readRegistration, verifyLogin, verifyRegistration } from '../../../lib/strategy/proof.ts';
import { readSentJwk } from '../../../lib/strategy/public-key.ts';
import { relyingParty } from '../../../lib/strategy/relying-party.ts';
import { generateKeyPairSync } from '../../support/key-pair.ts';
import { asText, type FuzzTarget, must, once, unless } from '../target.ts';

const NOW = 1_800_000_000;
const AUDIENCE = 'https://app.example';
const U = 'A'.repeat(43);
/** Stands for a challenge that is fresh when the input is tried. */
const NONCE = 'NONCE';

const key = once(() => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const read = readSentJwk(publicKey.export({ format: 'jwk' }));
  if (!read) throw new Error('a key that this package made is refused');
  return { ...read, sign: (text: string) => toBase64url(sign(null, utf8(text), privateKey)) };
});

const party = once(() => {
  const now = () => NOW;
  const keysOf = (account: string) =>
    account === 'ada' ? [{ jwk: key().jwk, alg: 'Ed25519' as const, u: U }] : undefined;
  const secret = 'an app has a secret of at least thirty-two bytes';
  return relyingParty({ audience: AUDIENCE, secret, store: new MemoryStore({ now }), keysOf, now });
});

const claims = (more: object = {}) =>
  JSON.stringify({ aud: AUDIENCE, sub: 'ada', nonce: NONCE, iat: NOW, exp: NOW + 120, jti: 'x', ...more });
const loginHeader = () => JSON.stringify({ alg: 'Ed25519', typ: 'rk-login+jwt', kid: key().jkt });
const registerHeader = () =>
  JSON.stringify({ alg: 'Ed25519', typ: 'rk-register+jwt', kid: key().jkt, jwk: key().jwk });

/** A compact JWS over exactly these texts. */
function jws(header: string, payload: string): string {
  const input = `${toBase64url(utf8(header))}.${toBase64url(utf8(payload))}`;
  return `${input}.${key().sign(input)}`;
}

/** A proof that is in order but for its challenge. */
export async function loginProof(): Promise<string> {
  return jws(loginHeader(), claims());
}

/** Two texts, header and claims, that are signed as they are: what only the holder of a key can try. */
function signed(input: Uint8Array): string {
  const [header = '', payload = ''] = asText(input).split('\n');
  return jws(header, payload.replace(NONCE, makeChallenge(party())));
}

const REFUSALS = ['invalid_request', 'unsupported'] as const;
const VERDICTS = [...REFUSALS, 'stale_request', 'replayed', 'refused'] as const;

export const proofs: readonly FuzzTarget[] = [
  {
    name: 'login-proof',
    from: 'a device',
    seeds: async () => [await loginProof(), jws(registerHeader(), claims({ u: U }))],
    async run(input) {
      const proof = asText(input);
      for (const parse of [parseLogin, parseRegistration]) {
        const parsed = await unless(REFUSALS, () => parse(proof));
        if (!parsed) continue;
        const parts = proof.split('.');
        must(parts.length === 3 && proof.length <= 8192, 'a proof of another form');
        must(
          parts.every((part) => fromBase64url(part) !== undefined),
          'a proof in a second spelling',
        );
        must(toBase64url(parsed.signature) === parts[2], 'another signature than was sent');
        must(asText(parsed.signed) === `${parts[0]}.${parts[1]}`, 'signed is other than what was sent');
      }
    },
  },
  {
    name: 'signed-login',
    from: 'a device',
    seeds: async () => [`${loginHeader()}\n${claims()}`],
    async run(input) {
      const proven = await unless(VERDICTS, () => verifyLogin(party(), { proof: signed(input) }));
      must(proven === undefined || proven.account === 'ada', 'a login as somebody else');
      must(proven === undefined || proven.key.jkt === key().jkt, 'a login with another key');
    },
  },
  {
    name: 'signed-registration',
    from: 'a device',
    seeds: async () => [`${registerHeader()}\n${claims({ u: U })}`],
    async run(input) {
      const proof = signed(input);
      const proven = await unless(VERDICTS, () =>
        verifyRegistration(party(), readRegistration({ proof }), 'ada'),
      );
      must(proven === undefined || proven.jkt === key().jkt, 'a key registered that has signed nothing');
    },
  },
  {
    name: 'challenge',
    from: 'a device',
    seeds: async () => [makeChallenge(party())],
    async run(input) {
      const text = asText(input);
      const fresh = await unless(['stale_request'], () => verifyChallenge(party(), text));
      if (!fresh) return;
      const bytes = fromBase64url(text);
      must(bytes?.length === 56, 'a challenge in a second spelling');
      must(fresh.name === `challenge:${toBase64url(bytes.subarray(0, 24))}`, 'claimed under another name');
    },
  },
];
