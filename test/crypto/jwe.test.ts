import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import {
  CompactEncrypt,
  calculateJwkThumbprint,
  compactDecrypt,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { toBase64url, utf8 } from '../../lib/base/bytes.ts';
import {
  type AssistantJwk,
  matchesKey,
  openDirect,
  parseSealed,
  readAssistantJwk,
  type SealedJwe,
  seal,
  sealDirect,
  sealingAlg,
} from '../../lib/crypto/jwe/jwe.ts';
import { localUnwrap, openSealed, sealResponse, type Unwrap } from '../../lib/crypto/jwe/jwe-node.ts';
import { LOW_ORDER_X25519, offCurvePoint, rawJwe } from '../attacks/raw-jwe.ts';
import { random } from '../attacks/support.ts';

interface Pair {
  readonly jwk: AssistantJwk;
  readonly privateJwk: JWK;
  readonly unwrap: Unwrap;
}

async function makePair(type: 'X25519' | 'P-256' | 'RSA'): Promise<Pair> {
  const { publicKey, privateKey } = await (type === 'RSA'
    ? generateKeyPair('RSA-OAEP-256', { extractable: true, modulusLength: 2048 })
    : generateKeyPair('ECDH-ES', { extractable: true, crv: type }));
  const bare = await exportJWK(publicKey);
  const privateJwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(bare);
  const key = createPrivateKey({ key: privateJwk as JsonWebKey, format: 'jwk' });
  return { jwk: { ...bare, kid } as AssistantJwk, privateJwk, unwrap: localUnwrap(key) };
}

const PAYLOAD = { v: 1, text: 'ä', n: 5 };
const PAYLOAD_BYTES = new Uint8Array(utf8(JSON.stringify(PAYLOAD)));
const open = (jwe: string, unwrap: Unwrap) =>
  openSealed(parseSealed(jwe, 'rk-ticket+jwe') as SealedJwe, unwrap);

describe.each(['X25519', 'P-256', 'RSA'] as const)('a message to a key of type %s', (type) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await makePair(type);
  });

  it('is opened by ours and by jose, whoever of the two has sealed it, and by the hand-made one’s rules', async () => {
    const { jwk, privateJwk, unwrap } = pair;
    const alg = sealingAlg(jwk);
    const ours = await seal(PAYLOAD, 'rk-ticket+jwe', jwk);
    const { kid, ...bare } = jwk;
    const joses = await new CompactEncrypt(PAYLOAD_BYTES)
      .setProtectedHeader({ alg, enc: 'A256GCM', typ: 'rk-ticket+jwe', kid })
      .encrypt(await importJWK(bare as JWK, alg));
    const raw = rawJwe(jwk, { typ: 'rk-ticket+jwe', payload: JSON.stringify(PAYLOAD) });
    for (const jwe of [ours, joses, raw]) {
      expect(new Uint8Array((await open(jwe, unwrap)) as Uint8Array)).toEqual(PAYLOAD_BYTES);
      const { plaintext } = await compactDecrypt(jwe, await importJWK(privateJwk, alg));
      expect(new Uint8Array(plaintext)).toEqual(PAYLOAD_BYTES);
      expect(matchesKey(parseSealed(jwe, 'rk-ticket+jwe') as SealedJwe, jwk)).toBe(true);
    }
  });

  it('has exactly the members of the profile in its header', async () => {
    const [head = ''] = (await seal(PAYLOAD, 'rk-request+jwe', pair.jwk)).split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, object>;
    const expected = ['alg', 'enc', 'typ', 'kid', ...(type === 'RSA' ? [] : ['epk'])];
    expect(Object.keys(header).sort()).toEqual(expected.sort());
    if (header['epk']) {
      const members = type === 'P-256' ? ['crv', 'kty', 'x', 'y'] : ['crv', 'kty', 'x'];
      expect(Object.keys(header['epk']).sort()).toEqual(members);
    }
  });

  it('is sealed anew each time', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => seal(PAYLOAD, 'rk-ticket+jwe', pair.jwk)));
    const parts = (jwe = '') => jwe.split('.').slice(2);
    for (const part of parts(one)) expect(parts(two)).not.toContain(part);
  });

  it('is opened by no other key of its kind, and after no change of a bit', async () => {
    const jwe = await seal(PAYLOAD, 'rk-ticket+jwe', pair.jwk);
    expect(await open(jwe, (await makePair(type)).unwrap)).toBeUndefined();
    const parsed = parseSealed(jwe, 'rk-ticket+jwe') as SealedJwe;
    for (const part of ['iv', 'ciphertext', 'tag', 'aad'] as const) {
      const bent = new Uint8Array(parsed[part]);
      bent[0] = (bent[0] as number) ^ 1;
      expect(await openSealed({ ...parsed, [part]: bent }, pair.unwrap)).toBeUndefined();
    }
  });

  it('names its key: a kid that is no thumbprint is no key of an assistant', async () => {
    const { jwk } = pair;
    expect(await readAssistantJwk(jwk)).toEqual(jwk);
    expect(await readAssistantJwk({ ...jwk, use: 'enc', alg: sealingAlg(jwk) })).toMatchObject(jwk);
    for (const wrong of [
      { ...jwk, kid: toBase64url(random(32)) },
      { ...jwk, use: 'sig' },
      { ...jwk, alg: 'dir' },
      { ...jwk, d: 'AA' },
      { ...jwk, key_ops: [] },
      { ...jwk, kty: 'oct' },
      null,
      'x',
      [],
    ]) {
      expect(await readAssistantJwk(wrong)).toBeUndefined();
    }
  });
});

describe('sealing', () => {
  it.each(LOW_ORDER_X25519)(
    'to the point %s of small order is refused, since everybody could open it',
    async (x) => {
      const bare = { kty: 'OKP', crv: 'X25519', x } as const;
      const jwk = { ...bare, kid: await calculateJwkThumbprint(bare) };
      await expect(seal(PAYLOAD, 'rk-ticket+jwe', jwk)).rejects.toMatchObject({ code: 'bad_record' });
    },
  );

  it('to a point off the curve is refused', async () => {
    const bare = offCurvePoint();
    const jwk = { ...bare, kid: await calculateJwkThumbprint(bare) };
    await expect(seal(PAYLOAD, 'rk-ticket+jwe', jwk)).rejects.toMatchObject({ code: 'bad_record' });
  });
});

describe('opening', () => {
  it.each(LOW_ORDER_X25519)(
    'with the point %s of small order fails, whatever it was sealed with',
    async (x) => {
      const { jwk, unwrap } = await makePair('X25519');
      const forced = { epk: { kty: 'OKP', crv: 'X25519', x }, z: new Uint8Array(32) };
      expect(
        await open(rawJwe(jwk, { typ: 'rk-ticket+jwe', payload: '{}', forced }), unwrap),
      ).toBeUndefined();
    },
  );

  it('survives an unwrap that rejects, throws or gives nonsense, and tells none of it', async () => {
    const { jwk } = await makePair('X25519');
    const jwe = await seal(PAYLOAD, 'rk-ticket+jwe', jwk);
    const unwraps: Unwrap[] = [
      () => Promise.reject(new Error('HSM down')),
      () => {
        throw new Error('no');
      },
      () => new Uint8Array(0),
      () => new Uint8Array(32),
      () => undefined as never,
      () => null as never,
      () => 5 as never,
    ];
    for (const unwrap of unwraps) expect(await open(jwe, unwrap)).toBeUndefined();
  });

  it('asks the key for nothing but its one operation', async () => {
    const x = await makePair('X25519');
    const rsa = await makePair('RSA');
    const asked: unknown[] = [];
    const spying =
      (pair: Pair): Unwrap =>
      (request) => {
        asked.push(Object.keys(request).sort());
        return pair.unwrap(request);
      };
    expect(await open(await seal(PAYLOAD, 'rk-ticket+jwe', x.jwk), spying(x))).toBeDefined();
    expect(await open(await seal(PAYLOAD, 'rk-ticket+jwe', rsa.jwk), spying(rsa))).toBeDefined();
    expect(asked).toEqual([
      ['alg', 'epk'],
      ['alg', 'encryptedKey'],
    ]);
  });
});

describe('an answer under a symmetric key', () => {
  const key = random(32);

  it('of the server is opened by the device’s code and by jose, and the other way round', async () => {
    const jwe = sealResponse(PAYLOAD, key);
    expect(new Uint8Array((await openDirect(jwe, 'rk-response+jwe', key)) as Uint8Array)).toEqual(
      PAYLOAD_BYTES,
    );
    expect(new Uint8Array((await compactDecrypt(jwe, key)).plaintext)).toEqual(PAYLOAD_BYTES);
    const device = await sealDirect(PAYLOAD, 'rk-response+jwe', key);
    expect(new Uint8Array((await compactDecrypt(device, key)).plaintext)).toEqual(PAYLOAD_BYTES);
    const joses = await new CompactEncrypt(PAYLOAD_BYTES)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: 'rk-response+jwe' })
      .encrypt(key);
    expect(new Uint8Array((await openDirect(joses, 'rk-response+jwe', key)) as Uint8Array)).toEqual(
      PAYLOAD_BYTES,
    );
    expect(device.split('.')[0]).toBe(jwe.split('.')[0]);
  });

  it('is opened with no other key, as no other message, in no other spelling and with no other header', async () => {
    const jwe = sealResponse(PAYLOAD, key);
    const [head = '', , iv = '', ciphertext = '', tag = ''] = jwe.split('.');
    expect(await openDirect(jwe, 'rk-response+jwe', random(32))).toBeUndefined();
    expect(await openDirect(jwe, 'rk-response+jwe', random(16))).toBeUndefined();
    expect(await openDirect(jwe, 'rk-ticket+jwe', key)).toBeUndefined();
    const sealed = (header: object) =>
      new CompactEncrypt(PAYLOAD_BYTES).setProtectedHeader(header as never).encrypt(key);
    const base = { alg: 'dir', enc: 'A256GCM', typ: 'rk-response+jwe' };
    for (const bent of [
      await sealed({ ...base, kid: 'x' }),
      await sealed({ ...base, cty: 'json' }),
      await sealed({ alg: 'dir', enc: 'A256GCM' }),
      await sealed({ ...base, typ: 'RK-RESPONSE+JWE' }),
      `${jwe}=`,
      `${jwe}.`,
      `${jwe} `,
      [head, 'AA', iv, ciphertext, tag].join('.'),
      [head, '', iv, `${ciphertext}A`, tag].join('.'),
      [head, '', iv, ciphertext, tag.slice(0, -2)].join('.'),
      [head, '', iv.slice(0, -4), ciphertext, tag].join('.'),
      [head, '', iv, '', tag].join('.'),
      '',
      '....',
    ]) {
      expect(await openDirect(bent, 'rk-response+jwe', key)).toBeUndefined();
    }
  });
});
