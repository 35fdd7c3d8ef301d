/** Logins that are refused: whether unknown account, unknown key and bad signature are told from one another. */
import { constants, type KeyObject, randomBytes, sign } from 'node:crypto';
import { toBase64url, utf8 } from '../../lib/base/bytes.ts';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { makeChallenge } from '../../lib/strategy/challenge.ts';
import { parseLogin } from '../../lib/strategy/compact-jws.ts';
import { verifyLogin } from '../../lib/strategy/proof.ts';
import { type ProofAlgorithm, readSentJwk, verifySignature } from '../../lib/strategy/public-key.ts';
import { findKey, type RegisteredKey } from '../../lib/strategy/registered-key.ts';
import { relyingParty } from '../../lib/strategy/relying-party.ts';
import { generateKeyPairSync } from '../../test/support/key-pair.ts';
import type { TimingCase, TimingGroup } from './measure.ts';

const AUDIENCE = 'https://app.example';
const USERS = 50;
const now = () => Math.floor(Date.now() / 1000);

interface Keys {
  readonly alg: ProofAlgorithm;
  readonly make: () => { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  readonly sign: (data: Uint8Array, key: KeyObject) => Uint8Array;
}

const KINDS: readonly Keys[] = [
  {
    alg: 'Ed25519',
    make: () => generateKeyPairSync('ed25519'),
    sign: (data, key) => sign(null, data, key),
  },
  {
    alg: 'ES256',
    make: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    sign: (data, key) => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  },
  {
    alg: 'PS256',
    make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    sign: (data, key) =>
      sign('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
  },
];

type Refusal = 'unknown account' | 'unknown key' | 'bad signature';

export function logins(): readonly TimingGroup[] {
  return KINDS.map((kind) => {
    const world = relyingPartyWith(kind);
    const compare = (a: Refusal, b: Refusal): TimingCase => ({
      name: `${a} or ${b}`,
      measurements: 3000,
      prepare: (isA) => world.refused(isA ? a : b, (body) => verifyLogin(world.rp, body)),
    });
    return {
      name: `refused logins, ${kind.alg}`,
      control: {
        name: 'control: nothing is verified without a key',
        measurements: 1000,
        prepare: (isA) => world.refused(isA ? 'unknown account' : 'bad signature', world.verifyOnlyWithKey),
      },
      cases: [compare('unknown account', 'bad signature'), compare('unknown key', 'bad signature')],
    };
  });
}

function relyingPartyWith({ alg, make, sign: signWith }: Keys) {
  const accounts = new Map<string, string>();
  const kids = new Map<string, string>();
  const name = (isUser: boolean, i: number) => `${isUser ? 'user' : 'none'}${String(i).padStart(2, '0')}`;
  for (let i = 0; i < USERS; i++) {
    const read = readSentJwk(make().publicKey.export({ format: 'jwk' }));
    if (!read) throw new Error('a key that was made here is refused');
    accounts.set(name(true, i), JSON.stringify([{ jwk: read.jwk, alg, u: [toBase64url(randomBytes(32))] }]));
    kids.set(name(true, i), read.jkt);
  }
  const stranger = make();
  const standIn = accounts.get(name(true, 0)) as string;
  const rp = relyingParty({
    audience: AUDIENCE,
    secret: randomBytes(32),
    store: new MemoryStore(),
    // As out of a database: objects and texts of their own, for whoever asks.
    keysOf(account) {
      const stored = accounts.get(account);
      const row = JSON.parse(stored ?? standIn) as RegisteredKey[];
      return stored === undefined ? undefined : row;
    },
  });

  /** A proof that a stranger has signed, in all things but one alike. */
  function proof(refusal: Refusal): string {
    const user = Math.floor(Math.random() * USERS);
    const sub = name(refusal !== 'unknown account', user);
    const right = kids.get(name(true, user)) as string;
    const kid = refusal === 'bad signature' ? right : toBase64url(randomBytes(32));
    const claims = { aud: AUDIENCE, sub, nonce: makeChallenge(rp), iat: now(), exp: now() + 120, jti: 'x' };
    const encode = (value: object) => toBase64url(utf8(JSON.stringify(value)));
    const input = `${encode({ alg, typ: 'rk-login+jwt', kid })}.${encode(claims)}`;
    return `${input}.${toBase64url(signWith(utf8(input), stranger.privateKey))}`;
  }

  return {
    rp,
    refused(refusal: Refusal, verify: (body: { proof: string }) => Promise<unknown>) {
      const body = { proof: proof(refusal) };
      return async () => {
        try {
          await verify(body);
        } catch (error) {
          if (isRoamingKeyError(error, 'refused')) return;
          throw error;
        }
        throw new Error('a stranger was let in');
      };
    },
    verifyOnlyWithKey: async (body: { proof: string }): Promise<void> => {
      const { header, claims, signed, signature } = parseLogin(body.proof);
      const key = findKey((await rp.keysOf(claims.sub)) ?? [], header.kid);
      if (key && verifySignature(alg, key.jwk, signed, signature)) return;
      await verifyLogin({ ...rp, audience: '' }, body);
    },
  };
}
