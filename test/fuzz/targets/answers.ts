/** What a device, an app and a record service read of servers that may be hostile. */
import type { KeyObject } from 'node:crypto';
import { toBase64url } from '../../../lib/base/bytes.ts';
import { type ErrorCode, isWireErrorCode } from '../../../lib/base/errors.ts';
import { type AssistantJwk, parseSealed } from '../../../lib/crypto/jwe/jwe.ts';
import { localUnwrap, openSealed } from '../../../lib/crypto/jwe/jwe-node.ts';
import { thumbprint } from '../../../lib/crypto/keys/public-jwk.ts';
import { AssistantClient } from '../../../lib/device/assistant-client.ts';
import { disable } from '../../../lib/device/disable.ts';
import { cryptoKeySigner, prove } from '../../../lib/device/login-proof.ts';
import { RecordServiceClient } from '../../../lib/device/roam.ts';
import { p256 } from '../../../lib/math/p256.ts';
import { DEFAULT_KDF } from '../../../lib/protocol/password.ts';
import { parseRecord } from '../../../lib/protocol/record.ts';
import { completeDecryption } from '../../../lib/protocol/schemes/elgamal-decryption.ts';
import { generateElgamalKey } from '../../../lib/protocol/schemes/elgamal-keys.ts';
import { retrieve } from '../../../lib/protocol/schemes/retrieve.ts';
import { completeSigning } from '../../../lib/protocol/schemes/rsa-signing.ts';
import { PublishedKeys } from '../../../lib/roaming/assistant-keys.ts';
import { RecordService } from '../../../lib/roaming/record-service.ts';
import { MemoryRecordStore } from '../../../lib/roaming/stores/memory.ts';
import { disabledFeed } from '../../../lib/strategy/disabled-feed.ts';
import { generateKeyPairSync } from '../../support/key-pair.ts';
import { asJson, asText, type FuzzTarget, must, once, saysTheSame, unless } from '../target.ts';
import { assistantJwk, bentRecord, chosen, enrolment } from './keys.ts';
import { sealBytes } from './messages.ts';

const URL_OF_ASSISTANT = 'https://assistant.example';
/** Seconds. A server that is busy is asked again for as long. */
const PATIENCE = { timeout: 0.5 };
const STATUSES = [200, 200, 200, 400, 401, 403, 404, 413, 429, 500, 503, 299];

/** Whatever server: the first octet chooses its status, the others are its body. */
function server(input: Uint8Array): typeof globalThis.fetch {
  const status = STATUSES[(input[0] ?? 0) % STATUSES.length] as number;
  return async () =>
    new Response(new Uint8Array(input.subarray(1)), {
      status,
      headers: {
        'content-type': 'application/json',
        'retry-after': asText(input.subarray(1, 4)).replace(/[^ -~]/g, ''),
      },
    });
}

const CODES: readonly ErrorCode[] = [
  'invalid_request',
  'unknown_key',
  'bad_ticket',
  'unsupported',
  'bad_mac',
  'busy',
  'unavailable',
  'network',
  'bad_response',
];
/** What a device believes only if it came back under its own rho. */
const GENUINE: readonly ErrorCode[] = [
  'wrong_password',
  'locked',
  'disabled',
  'retired',
  'replayed',
  'stale_request',
  'refused',
];
const PROBLEMS = ['busy', 'wrong_password', 'disabled', 'unavailable'].map((code) =>
  chosen(8, JSON.stringify({ type: 'x', title: 'x', status: 429, code, response: 'a.b.c.d.e' })),
);

const ownKey = once(async () => {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const { x } = publicKey.export({ format: 'jwk' }) as { x: string };
  const bare = { kty: 'OKP', crv: 'X25519', x } as const;
  const kid = await thumbprint(bare as never);
  return { privateKey, jwk: { ...bare, kid } as AssistantJwk };
});

/** A record that is sealed to a key whose private half is here. */
const ownRecord = once(async () => {
  const { jwk } = await ownKey();
  const head = toBase64url(
    Buffer.from(
      JSON.stringify({
        alg: 'ECDH-ES',
        enc: 'A256GCM',
        typ: 'rk-ticket+jwe',
        kid: jwk.kid,
        epk: { kty: 'OKP', crv: 'X25519', x: (await assistantJwk()).x },
      }),
    ),
  );
  return bentRecord({
    ticket: `${head}..${'A'.repeat(16)}.AAAA.${'A'.repeat(22)}`,
    assistant: { url: URL_OF_ASSISTANT, jwk },
  });
});

async function opened(jwe: string, typ: 'rk-request+jwe' | 'rk-disable+jwe', key: KeyObject) {
  const parsed = parseSealed(jwe, typ);
  const payload = parsed && (await openSealed(parsed, localUnwrap(key)));
  return JSON.parse(asText(payload as Uint8Array)) as { rho: string; jti?: string };
}

/** The assistant itself, with any plaintext under the device's own rho; `JTI` stands for the request's number. */
async function genuine(input: Uint8Array): Promise<typeof globalThis.fetch> {
  const { privateKey, jwk } = await ownKey();
  const status = STATUSES[(input[0] ?? 0) % STATUSES.length] as number;
  return async (url, init) => {
    const { pathname } = new URL(url as string);
    if (pathname.endsWith('/keys')) return Response.json({ keys: [jwk] });
    const { request } = JSON.parse(init?.body as string) as { request: string };
    const typ = pathname.endsWith('/disable') ? 'rk-disable+jwe' : 'rk-request+jwe';
    const { rho, jti = '' } = await opened(request, typ, privateKey);
    const text = asText(input.subarray(1));
    // What is no text is sealed as it is.
    const plaintext = text.includes('JTI') ? Buffer.from(text.replace('JTI', jti)) : input.subarray(1);
    const response = sealBytes('rk-response+jwe', plaintext, Buffer.from(rho, 'base64url'));
    return Response.json({ ...(status >= 400 && { code: 'wrong_password' }), response }, { status });
  };
}

const rsa = once(() => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n, e } = publicKey.export({ format: 'jwk' }) as { n: string; e: string };
  const number = (text: string) => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);
  return { n: number(n), e: number(e) };
});

const elgamal = once(() => generateElgamalKey('P-256').publicKey);

const signer = once(async () => {
  const pair = (await crypto.subtle.generateKey({ name: 'Ed25519' }, true, [
    'sign',
    'verify',
  ])) as CryptoKeyPair;
  const { x = '' } = await crypto.subtle.exportKey('jwk', pair.publicKey);
  return cryptoKeySigner(pair.privateKey, 'Ed25519', { kty: 'OKP', crv: 'Ed25519', x });
});

async function service(): Promise<RecordService> {
  return new RecordService({
    store: new MemoryRecordStore(),
    secret: 'a record service has a secret of its own, too',
    assistant: URL_OF_ASSISTANT,
    assistantKeys: async () => [await assistantJwk()],
    profile: { scheme: 'retrieve' },
    wrongPerAddress: 65_535,
    wrongPerAccount: 65_535,
  });
}
const records = once(service);

const K = new Uint8Array(32).fill(5);
const failedSince = { count: 0, last: null };

export const answers: readonly FuzzTarget[] = [
  {
    name: 'key-list',
    from: 'an assistant',
    seeds: async () => [
      chosen(0, JSON.stringify({ keys: [await assistantJwk(), { kty: 'x' }] })),
      ...PROBLEMS,
    ],
    async run(input) {
      const client = new AssistantClient(URL_OF_ASSISTANT, { fetch: server(input) });
      const keys = await unless(CODES, () => client.keys());
      must(keys === undefined || keys.length > 0, 'a list without a key');
    },
  },
  {
    name: 'published-keys',
    from: 'an assistant',
    seeds: async () => [
      chosen(0, JSON.stringify({ keys: [await assistantJwk(), { kty: 'x' }] })),
      ...PROBLEMS,
    ],
    async run(input) {
      const reader = new PublishedKeys({
        url: URL_OF_ASSISTANT,
        fetch: server(input),
        now: () => 0,
        onError: () => {},
      });
      const keys = await unless(['unavailable'], () => reader.list());
      must(keys === undefined || keys.length > 0, 'a list without a key');
    },
  },
  {
    name: 'answer',
    from: 'an assistant',
    seeds: async () => [chosen(0, JSON.stringify({ response: 'a.b.c.d.e' })), ...PROBLEMS],
    async run(input) {
      const client = new AssistantClient(URL_OF_ASSISTANT, { ...PATIENCE, fetch: server(input) });
      const record = await ownRecord();
      const answer = await unless(CODES, () => client.ask(record, K, retrieve.exchange, () => ({})));
      must(answer === undefined, 'an answer that nobody can have given');
    },
  },
  {
    name: 'genuine-answer',
    from: 'an assistant',
    seeds: async () => [
      chosen(0, JSON.stringify({ v: 1, op: 'retrieve', jti: 'JTI', c: 'AAAA', failedSince })),
      chosen(
        3,
        JSON.stringify({ v: 1, op: 'retrieve', jti: 'JTI', code: 'wrong_password', now: 1, retryAt: 2 }),
      ),
      chosen(3, JSON.stringify({ v: 1, op: 'retrieve', jti: 'JTI', code: 'stale_request', now: 1 })),
    ],
    async run(input) {
      const client = new AssistantClient(URL_OF_ASSISTANT, { ...PATIENCE, fetch: await genuine(input) });
      const record = await ownRecord();
      const answer = await unless([...CODES, ...GENUINE], () =>
        client.ask(record, K, retrieve.exchange, () => ({})),
      );
      must(answer === undefined || answer.op === 'retrieve', 'an answer to another question');
    },
  },
  {
    name: 'disable-answer',
    from: 'an assistant',
    seeds: async () => [chosen(0, JSON.stringify({ v: 1, op: 'disable', disabled: true, now: 1 }))],
    async run(input) {
      let isDone = true;
      await unless(CODES, async () => {
        isDone = false;
        await disable((await enrolment()).kit, { ...PATIENCE, fetch: await genuine(input) });
        isDone = true;
      });
      const { v, op, disabled, now } = (asJson(input.subarray(1)) ?? {}) as Record<string, unknown>;
      must(
        !isDone || saysTheSame({ v: 1, op: 'disable', disabled: true, now }, { v, op, disabled, now }),
        'a disabling that nobody confirmed',
      );
    },
  },
  {
    name: 'record-answer',
    from: 'a record service',
    seeds: async () => [
      chosen(0, JSON.stringify({ record: (await enrolment()).record })),
      chosen(0, JSON.stringify({ stored: { u: 'x', kid: 'x', at: 1 } })),
      chosen(0, JSON.stringify({ fetches: [{ at: 1, address: 'x' }] })),
      chosen(0, JSON.stringify({ others: { notes: (await enrolment()).record } })),
      chosen(0, JSON.stringify({ code: 'ABCDEFGH' })),
      chosen(0, JSON.stringify({ scheme: 'retrieve', key: 'Ed25519', kdf: { t: 3, m: 65_536, p: 4 } })),
      ...PROBLEMS,
    ],
    async run(input) {
      const client = new RecordServiceClient(
        { records: 'https://app.example/records' },
        { fetch: server(input) },
      );
      const told = [...CODES, ...GENUINE];
      await unless([...told, 'bad_record'], () => client.fetch({ account: 'ada', code: 'x' }));
      await unless(told, () => client.stored());
      await unless([...told, 'bad_record'], () => client.others(URL_OF_ASSISTANT));
      await unless(told, () => client.fetches());
      await unless(told, () => client.requireKind('retrieve', 'Ed25519', DEFAULT_KDF));
      await unless(told, async () => client.store((await enrolment()).record));
    },
  },
  {
    name: 'login-answer',
    from: 'an app',
    seeds: async () => [chosen(0, JSON.stringify({ challenge: 'x', expiresIn: 120, now: 1 })), ...PROBLEMS],
    async run(input) {
      const party = { url: 'https://app.example/login', account: 'ada' };
      const key = await signer();
      await unless([...CODES, ...GENUINE], () =>
        prove(key, { type: 'login' }, party, { fetch: server(input) }),
      );
    },
  },
  {
    name: 'feed',
    from: 'an assistant',
    seeds: async () => [
      chosen(0, JSON.stringify({ disabled: [], next: '1.AAAAAAAAAAAA' })),
      chosen(0, JSON.stringify({ disabled: ['A'.repeat(22)], next: '' })),
    ],
    async run(input) {
      let pages = 0;
      const page = server(input);
      // The same page for ever would be a list without an end, which is read for as long as it takes to see that.
      const fetch: typeof globalThis.fetch = (...args) =>
        pages++ < 3 ? page(...args) : Promise.reject(new TypeError('gone'));
      const feed = disabledFeed({ url: URL_OF_ASSISTANT, fetch, now: () => 0 });
      await unless(['unavailable'], () => feed.refresh());
    },
  },
  {
    name: 'partial-signature',
    from: 'an assistant',
    seeds: async () => [new Uint8Array(256), new Uint8Array(256).fill(1), new Uint8Array(256).fill(255)],
    async run(input) {
      const request = { alg: 'RS256', digest: new Uint8Array(32) } as const;
      const f = new Uint8Array(272).fill(3);
      const signature = await unless(['bad_response'], () =>
        completeSigning({ ...rsa(), f, request, nu: input }),
      );
      must(signature === undefined, 'a signature without the other half');
    },
  },
  {
    name: 'partial-decryption',
    from: 'an assistant',
    seeds: async () => [p256.encode(p256.generator), new Uint8Array(129)],
    async run(input) {
      const [nu, c, s] = [input.subarray(0, 65), input.subarray(65, 97), input.subarray(97, 129)];
      const f = new Uint8Array(48).fill(3);
      const w = p256.encode(p256.generator);
      const completion = { publicKey: elgamal(), f, w, answer: { nu, proof: { c, s } } };
      const z = await unless(['bad_response'], () => completeDecryption(completion));
      must(z === undefined, 'a decryption without the other half');
    },
  },
  {
    name: 'record-fetch',
    from: 'anybody',
    seeds: async () => [
      JSON.stringify({ account: 'ada', code: 'ABCD-EFGH' }),
      JSON.stringify({ account: 'x' }),
    ],
    async run(input) {
      const service = await records();
      const text = await unless(['invalid_request', 'busy'], () => service.fetch(asJson(input)));
      if (text === undefined) return;
      const { record } = JSON.parse(text) as { record: { version: number } };
      must(record.version === 1, 'an answer that is no record');
    },
  },
  {
    name: 'record-put',
    from: 'a device',
    seeds: async () => [JSON.stringify({ record: (await enrolment()).record, keepCode: true })],
    async run(input) {
      const put = await unless(['invalid_request', 'unsupported', 'unknown_key', 'refused'], async () =>
        (await records()).put('ada', asJson(input)),
      );
      must(
        put === undefined || put.code === null || /^[0-9A-Z]{8}$/.test(put.code),
        'a code of another form',
      );
    },
  },
  {
    name: 'record-put-other',
    from: 'a device',
    seeds: async () => {
      const { record } = await enrolment();
      // Others are given only beside a record of the login key.
      await (await records()).put('ada', { record });
      return [JSON.stringify({ purpose: 'notes', record })];
    },
    async run(input) {
      const service = await records();
      await unless(['invalid_request', 'unsupported', 'unknown_key'], () =>
        service.putOther('ada', asJson(input)),
      );
      const { others } = JSON.parse(await service.others('ada')) as { others: Record<string, unknown> };
      for (const record of Object.values(others)) parseRecord(record);
    },
  },
  {
    name: 'problem',
    from: 'an assistant',
    seeds: async () => PROBLEMS,
    async run(input) {
      const client = new RecordServiceClient({ records: 'https://app.example/r' }, { fetch: server(input) });
      try {
        await client.stored();
      } catch (error) {
        const { code, message, retryAt } = error as { code: unknown; message: string; retryAt?: number };
        must(
          isWireErrorCode(code) || code === 'bad_response' || code === 'network',
          'a code of another family',
        );
        must(message.length <= 400, 'a message without bounds');
        must(retryAt === undefined || Number.isSafeInteger(retryAt), 'a time that is none');
      }
    },
  },
];
