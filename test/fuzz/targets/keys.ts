/** Keys and records as JSON, as files of other programs, and as an assistant gives them back. */
import { createHash, type KeyObject } from 'node:crypto';
import { concat, fromBase64url, toBase64url, utf8 } from '../../../lib/base/bytes.ts';
import { isRoamingKeyError } from '../../../lib/base/errors.ts';
import { readAssistantJwk } from '../../../lib/crypto/jwe/jwe.ts';
import { writePem } from '../../../lib/crypto/keys/pem.ts';
import {
  exportPrivateKey,
  importForUse,
  type PrivateKey,
  readPrivateKey,
} from '../../../lib/crypto/keys/private-key.ts';
import { type PublicJwk, readPublicJwk, thumbprint } from '../../../lib/crypto/keys/public-jwk.ts';
import type { PrivateKeySource } from '../../../lib/crypto/keys/read-private-jwk.ts';
import { makeRecord } from '../../../lib/device/make-record.ts';
import { parseKit } from '../../../lib/protocol/disabling.ts';
import { type DeviceRecord, parseRecord } from '../../../lib/protocol/record.ts';
import {
  elgamalPublicJwk,
  generateElgamalKey,
  readElgamalPublicJwk,
} from '../../../lib/protocol/schemes/elgamal-keys.ts';
import { joined } from '../../../lib/strategy/registered-key.ts';
import { generateKeyPairSync } from '../../support/key-pair.ts';
import { asJson, asText, type FuzzTarget, must, once, saysTheSame, unless } from '../target.ts';

/** An assistant's public key, of which nobody has the private half. */
export const assistantJwk = once(async () => {
  const x = 'CSAbE2oNUTPiYZ0ejnVBsfNLV2nyRUaFgZTN_dZXlDg';
  const text = JSON.stringify({ crv: 'X25519', kty: 'OKP', x });
  const kid = createHash('sha256').update(text).digest('base64url');
  return { kty: 'OKP', crv: 'X25519', x, kid } as const;
});

const privateKeys = once((): readonly KeyObject[] => [
  generateKeyPairSync('ed25519').privateKey,
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
]);
const read = once(() => Promise.all(privateKeys().map((key) => readPrivateKey(jwkOf(key)))));
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as JsonWebKey;
const der = (key: KeyObject) => new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }));

async function publicJwks(): Promise<readonly PublicJwk[]> {
  const dh = elgamalPublicJwk(generateElgamalKey('ffdhe2048').publicKey);
  return [...(await read()).map(({ publicJwk }) => publicJwk), dh];
}

/** A record and a kit for a key, made as on a device. */
export const enrolment = once(async () => {
  const target = { url: 'https://assistant.example', jwk: await assistantJwk() };
  const [{ publicJwk }] = (await read()) as [PrivateKey];
  const argon2id = async () => new Uint8Array(32).fill(5);
  return makeRecord(target, publicJwk, () => ({ scheme: 'retrieve', c: new Uint8Array(48) }), {
    password: 'x',
    argon2id,
  });
});

/** A key that was read must be the one that is written again, and work. */
async function readsWell(source: PrivateKeySource): Promise<void> {
  let key: PrivateKey;
  try {
    key = await readPrivateKey(source);
  } catch (error) {
    await unless(['bad_key', 'unsupported'], () => Promise.reject(error));
    must(isRoamingKeyError(error) && error.cause === undefined, 'an error that may quote the key');
    return;
  }
  const { pkcs8, publicJwk } = key;
  const again = await readPrivateKey(await exportPrivateKey(pkcs8, publicJwk, 'openssh'));
  must(toBase64url(again.pkcs8) === toBase64url(pkcs8), 'a key that reads otherwise the second time');
  await readPublicJwk(publicJwk);
}

/** The bytes between the lines of an OpenSSH file. */
async function opensshFiles(): Promise<readonly Uint8Array[]> {
  const files = await Promise.all(
    (await read()).map(({ pkcs8, publicJwk }) => exportPrivateKey(pkcs8, publicJwk, 'openssh')),
  );
  return files.map((file) => new Uint8Array(Buffer.from(file.replace(/-----.*/g, ''), 'base64')));
}

const armored = (label: string, bytes: Uint8Array) => writePem(label, bytes);

export const keys: readonly FuzzTarget[] = [
  {
    name: 'public-jwk',
    from: 'anybody',
    seeds: async () => (await publicJwks()).map((jwk) => JSON.stringify(jwk)),
    async run(input) {
      const json = asJson(input);
      const jwk = await unless(['bad_key'], () => readPublicJwk(json));
      if (!jwk) return;
      must(saysTheSame(jwk, json), 'a key that was read as something else');
      must(fromBase64url(await thumbprint(jwk))?.length === 32, 'a key without a thumbprint');
    },
  },
  {
    name: 'registered-key',
    from: 'an app',
    seeds: async () =>
      (await publicJwks()).map((jwk) => JSON.stringify({ jwk, alg: 'PS256', u: ['A'.repeat(43)] })),
    run(input) {
      const json = asJson(input);
      if (typeof json !== 'object' || json === null || !('u' in json)) return;
      const { u } = json;
      if (typeof u !== 'string' && !Array.isArray(u)) return;
      const known = joined([json as never]);
      must(known === undefined || fromBase64url(known.jkt)?.length === 32, 'a key without a thumbprint');
    },
  },
  {
    name: 'assistant-jwk',
    from: 'an assistant',
    async seeds() {
      const [, p256, rsa] = (await publicJwks()) as [unknown, object, object];
      const jwks = [await assistantJwk(), { ...p256, kid: 'A'.repeat(43) }, { ...rsa, kid: 'A'.repeat(43) }];
      return jwks.map((jwk) => JSON.stringify(jwk));
    },
    async run(input) {
      const json = asJson(input);
      const jwk = await readAssistantJwk(json);
      must(jwk === undefined || saysTheSame(jwk, json), 'a key that was read as something else');
    },
  },
  {
    name: 'elgamal-jwk',
    from: 'anybody',
    seeds: async () => (await publicJwks()).map((jwk) => JSON.stringify(jwk)),
    run(input) {
      const json = asJson(input);
      const key = readElgamalPublicJwk(json);
      if (!key) return;
      const again = elgamalPublicJwk(key) as unknown as Record<string, unknown>;
      const given = json as Record<string, unknown>;
      must(
        Object.keys(again).every((name) => again[name] === given[name]),
        'a key read as something else',
      );
    },
  },
  {
    name: 'record',
    from: 'a file',
    seeds: async () => [JSON.stringify((await enrolment()).record)],
    async run(input) {
      const json = asJson(input);
      const record = await unless(['bad_record'], () => parseRecord(json));
      must(record === undefined || saysTheSame(record, json), 'a record that was read as something else');
    },
  },
  {
    name: 'kit',
    from: 'a file',
    seeds: async () => [JSON.stringify((await enrolment()).kit)],
    async run(input) {
      const json = asJson(input);
      const kit = await unless(['bad_kit'], () => parseKit(json));
      must(kit === undefined || saysTheSame(kit, json), 'a kit that was read as something else');
    },
  },
  {
    name: 'private-pem',
    from: 'a file',
    async seeds() {
      const [ed25519, ec, rsa] = privateKeys() as [KeyObject, KeyObject, KeyObject];
      const pem = (key: KeyObject, type: 'pkcs1' | 'pkcs8' | 'sec1') =>
        key.export({ format: 'pem', type } as never) as unknown as string;
      const files = (await opensshFiles()).map((file) => armored('OPENSSH PRIVATE KEY', file));
      return [pem(ed25519, 'pkcs8'), pem(ec, 'pkcs8'), pem(ec, 'sec1'), pem(rsa, 'pkcs1'), ...files];
    },
    run: (input) => readsWell(asText(input)),
  },
  {
    name: 'private-der',
    from: 'a file',
    seeds: async () => privateKeys().map(der),
    run: (input) => readsWell(new Uint8Array(input)),
  },
  {
    name: 'private-pkcs1',
    from: 'a file',
    seeds: async () => [
      new Uint8Array(privateKeys()[2]?.export({ format: 'der', type: 'pkcs1' }) as Uint8Array<ArrayBuffer>),
    ],
    run: (input) => readsWell(armored('RSA PRIVATE KEY', input)),
  },
  {
    name: 'private-openssh',
    from: 'a file',
    seeds: opensshFiles,
    run: (input) => readsWell(armored('OPENSSH PRIVATE KEY', input)),
  },
  {
    name: 'private-jwk',
    from: 'a file',
    seeds: async () => privateKeys().map((key) => JSON.stringify(jwkOf(key))),
    run(input) {
      const json = asJson(input);
      if (typeof json === 'object' && json !== null) return readsWell(json as JsonWebKey);
    },
  },
  {
    name: 'retrieved-key',
    from: 'an assistant',
    seeds: async () => (await read()).map(({ pkcs8 }) => pkcs8),
    async run(input) {
      for (const { pkcs8, publicJwk } of await read()) {
        const alg = publicJwk.kty === 'OKP' ? 'Ed25519' : publicJwk.kty === 'EC' ? 'ES256' : 'PS256';
        const key = await unless(['bad_response'], () => importForUse(input, publicJwk, alg));
        must(
          key === undefined || toBase64url(input) === toBase64url(pkcs8),
          'another spelling of a key, or another key, that was taken for the own one',
        );
      }
    },
  },
];

/** A record as JSON with members replaced. */
export async function bentRecord(members: object): Promise<DeviceRecord> {
  return { ...(await enrolment()).record, ...members };
}

/** Bytes with a first octet that chooses among ways to use the others. */
export function chosen(way: number, text: string): Uint8Array {
  return concat(Uint8Array.of(way), utf8(text));
}
