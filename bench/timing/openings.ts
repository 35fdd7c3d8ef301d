/** Messages that do not open: whether one that was made for another key is told from one that was damaged. */
import {
  constants,
  createPrivateKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { toBase64url } from '../../lib/base/bytes.ts';
import {
  type AssistantJwk,
  parseSealed,
  readAssistantJwk,
  type SealedJwe,
  seal,
} from '../../lib/crypto/jwe/jwe.ts';
import { localUnwrap, openSealed, type Unwrap } from '../../lib/crypto/jwe/jwe-node.ts';
import { thumbprint } from '../../lib/crypto/keys/public-jwk.ts';
import type { TimingCase, TimingGroup } from './measure.ts';

type Type = 'X25519' | 'P-256' | 'RSA-OAEP-256';

interface Key {
  readonly jwk: AssistantJwk;
  readonly privateKey: KeyObject;
  readonly unwrap: Unwrap;
}

async function makeKey(type: Type): Promise<Key> {
  const { privateKey } =
    type === 'RSA-OAEP-256'
      ? await generateKeyPair('RSA-OAEP-256', { extractable: true, modulusLength: 2048 })
      : await generateKeyPair('ECDH-ES', { extractable: true, crv: type });
  const { d, p, q, dp, dq, qi, ...bare } = await exportJWK(privateKey);
  const jwk = await readAssistantJwk({ ...bare, kid: await thumbprint(bare as never) });
  if (!jwk) throw new Error('a key that was made here is refused');
  const ownKey = createPrivateKey({ key: { ...bare, d, p, q, dp, dq, qi } as never, format: 'jwk' });
  return { jwk, privateKey: ownKey, unwrap: localUnwrap(ownKey) };
}

async function sealed(key: Key): Promise<SealedJwe> {
  const jwe = await seal({ x: toBase64url(randomBytes(300)) }, 'rk-ticket+jwe', key.jwk);
  return parseSealed(jwe, 'rk-ticket+jwe') as SealedJwe;
}

/** Another byte at a place of a part. */
function damaged(jwe: SealedJwe, part: 'tag' | 'ciphertext', at: number): SealedJwe {
  const bytes = new Uint8Array(jwe[part]);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] as number) ^ 0x55;
  return { ...jwe, [part]: bytes };
}

const failing = (jwe: SealedJwe, open: (jwe: SealedJwe) => Promise<unknown>) => async () => {
  if ((await open(jwe)) !== undefined) throw new Error('a damaged message was opened');
};

async function agreed(type: 'X25519' | 'P-256'): Promise<TimingGroup> {
  const key = await makeKey(type);
  const open = (jwe: SealedJwe) => openSealed(jwe, key.unwrap);
  const compare = (
    name: string,
    make: (jwe: SealedJwe, isA: boolean) => SealedJwe | Promise<SealedJwe>,
  ): TimingCase => ({
    name,
    measurements: 4000,
    prepare: async (isA) => failing(await make(await sealed(key), isA), open),
  });
  return {
    name: `messages that do not open, ECDH-ES on ${type}`,
    control: {
      name: 'control: gives up before the key is agreed on',
      measurements: 1000,
      async prepare(isA) {
        const jwe = damaged(await sealed(key), 'tag', 0);
        return failing(jwe, async (one) => (isA ? undefined : open(one)));
      },
    },
    cases: [
      compare('tag wrong in its first byte or in its last', (jwe, isA) => damaged(jwe, 'tag', isA ? 0 : -1)),
      compare('ciphertext damaged at its beginning or at its end', (jwe, isA) =>
        damaged(jwe, 'ciphertext', isA ? 0 : -1),
      ),
      compare('made for another key, or damaged', async (jwe, isA) => {
        const { epk } = await sealed(key);
        return isA ? { ...jwe, epk } : damaged(jwe, 'tag', 0);
      }),
    ],
  };
}

/**
 * Manger's oracle (CRYPTO 2001): whoever learns whether what RSA yields begins with a zero byte, before anything else
 * about it is checked, reads a message in a thousand questions.
 */
async function wrapped(): Promise<TimingGroup> {
  const key = await makeKey('RSA-OAEP-256');
  const length = 256;
  const model = await sealed(key);
  const question = (isA: boolean): SealedJwe => {
    const block = randomBytes(length);
    // Always below the modulus, whose first bit is set.
    block[0] = isA ? 0 : 1 + ((block[0] as number) & 0x3f);
    const publicKey = { key: key.jwk as never, format: 'jwk', padding: constants.RSA_NO_PADDING } as const;
    return { ...model, encryptedKey: new Uint8Array(publicEncrypt(publicKey, block)) };
  };
  const raw = (encryptedKey: Uint8Array) =>
    privateDecrypt({ key: key.privateKey, padding: constants.RSA_NO_PADDING }, encryptedKey);
  const open = (jwe: SealedJwe) => openSealed(jwe, key.unwrap);
  return {
    name: 'messages that do not open, RSA-OAEP-256',
    control: {
      name: 'control: looks at the first byte first',
      measurements: 1500,
      prepare(isA) {
        const jwe = question(isA);
        return failing(jwe, async (one) => (raw(one.encryptedKey)[0] === 0 ? open(one) : undefined));
      },
    },
    cases: [
      {
        name: 'what RSA yields begins with a zero byte or does not',
        measurements: 3000,
        prepare: (isA) => failing(question(isA), open),
      },
    ],
  };
}

export async function openings(): Promise<readonly TimingGroup[]> {
  return [await agreed('X25519'), await agreed('P-256'), await wrapped()];
}
