/** What devices send to an assistant, layer by layer, and the whole way through it. */
import { createCipheriv } from 'node:crypto';
import { Assistant } from '../../../lib/assistant/assistant.ts';
import { KeySet } from '../../../lib/assistant/keys.ts';
import { fromBase64url, toBase64url } from '../../../lib/base/bytes.ts';
import { isRoamingKeyError, isWireErrorCode } from '../../../lib/base/errors.ts';
import { readPayload } from '../../../lib/base/json.ts';
import {
  type AssistantJwk,
  type JweType,
  openDirect,
  parseSealed,
  sealDirect,
} from '../../../lib/crypto/jwe/jwe.ts';
import { DISABLE_REQUEST, DISABLE_RESPONSE } from '../../../lib/protocol/disabling.ts';
import {
  readAnswer,
  readRequest,
  readRequestMembers,
  requestMac,
  ticketHash,
} from '../../../lib/protocol/messages.ts';
import { encryptTo, openElgamalJwe, readElgamalJwe } from '../../../lib/protocol/schemes/elgamal-jwe.ts';
import { elgamalPublicJwk, generateElgamalKey } from '../../../lib/protocol/schemes/elgamal-keys.ts';
import { REISSUE, RETIRE, SCHEME_NAMES, schemeOf } from '../../../lib/protocol/schemes/index.ts';
import type { Exchange } from '../../../lib/protocol/schemes/scheme.ts';
import { readTicket, stateId } from '../../../lib/protocol/ticket.ts';
import { MemoryStore } from '../../../lib/store/memory.ts';
import { rawJwe } from '../../attacks/raw-jwe.ts';
import { asJson, asText, Finding, type FuzzTarget, must, once, saysTheSame, unless } from '../target.ts';

const EXCHANGES: readonly Exchange[] = [
  ...SCHEME_NAMES.map((name) => schemeOf(name).exchange),
  RETIRE,
  REISSUE,
];
const NOW = 1_800_000_000;
const bytes = (length: number, fill = 7) => toBase64url(new Uint8Array(length).fill(fill));
const A = new Uint8Array(32).fill(7);
const RHO = new Uint8Array(32).fill(9);

const ticket = (members: object) =>
  JSON.stringify({ v: 1, a: toBase64url(A), b: bytes(32, 8), u: bytes(32), iat: NOW, ...members });
const TICKETS = {
  retrieve: ticket({ scheme: 'retrieve', c: bytes(48) }),
  rsa: ticket({ scheme: 'rsa', n: bytes(256, 0xff), d2: bytes(256) }),
  'P-256': ticket({ scheme: 'elgamal', group: 'P-256', x2: bytes(32) }),
  ffdhe2048: ticket({ scheme: 'elgamal', group: 'ffdhe2048', x2: bytes(256) }),
} as const;

const request = (members: object) =>
  JSON.stringify({
    v: 1,
    beta: bytes(32, 8),
    rho: toBase64url(RHO),
    th: 'TH',
    iat: NOW,
    jti: 'JTI',
    ...members,
  });
const POINT = toBase64url(
  Buffer.from(
    '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
    'hex',
  ),
);
const REQUESTS = [
  request({ op: 'retrieve' }),
  request({ op: 'retire' }),
  request({ op: 'sign', alg: 'PS256', digest: bytes(32), salt: bytes(32) }),
  request({ op: 'sign', alg: 'RS512', digest: bytes(64) }),
  request({ op: 'decrypt', w: POINT }),
  request({ op: 'decrypt', w: bytes(256, 0) }),
  request({ op: 'reissue', a: bytes(32), b: bytes(32), delta: bytes(32) }),
];
const DISABLING = JSON.stringify({ v: 1, t: bytes(16), rho: toBase64url(RHO), iat: NOW });

const failedSince = { count: 0, last: null };
const ANSWERS = [
  { v: 1, op: 'retrieve', jti: bytes(16), c: bytes(48), failedSince },
  { v: 1, op: 'sign', jti: bytes(16), nu: bytes(256), failedSince: { count: 3, last: NOW } },
  { v: 1, op: 'decrypt', jti: bytes(16), nu: POINT, proof: { c: bytes(32), s: bytes(32) }, failedSince },
  { v: 1, op: 'retire', jti: bytes(16), retired: true, failedSince, lastUsed: null },
  {
    v: 1,
    op: 'retire',
    jti: bytes(16),
    retired: true,
    failedSince,
    lastUsed: NOW,
    reissues: { count: 1, last: NOW },
  },
  {
    v: 1,
    op: 'retrieve',
    jti: bytes(16),
    code: 'wrong_password',
    now: NOW,
    attemptsLeft: 3,
    retryAt: NOW + 30,
  },
].map((answer) => JSON.stringify(answer));

const keySet = once(() => KeySet.generate());
const jwk = async (): Promise<AssistantJwk> => (await keySet()).active.jwk;

/** A JWE whose plaintext is any bytes, which no honest sender makes. */
export function sealBytes(typ: JweType, plaintext: Uint8Array, key: Uint8Array): string {
  const head = toBase64url(Buffer.from(JSON.stringify({ alg: 'dir', enc: 'A256GCM', typ })));
  const iv = new Uint8Array(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(head));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return [head, '', toBase64url(iv), toBase64url(ciphertext), toBase64url(cipher.getAuthTag())].join('.');
}

function payload(
  name: string,
  from: FuzzTarget['from'],
  seeds: readonly string[],
  read: (input: Uint8Array) => unknown,
): FuzzTarget {
  return {
    name,
    from,
    seeds: async () => seeds,
    run(input) {
      const value = read(input);
      if (value === undefined) return;
      must(JSON.stringify(asJson(input)) === asText(input), 'a payload in a second spelling');
      must(saysTheSame(value, asJson(input)), 'a payload that was read as something else');
    },
  };
}

let asked = 0;
let served: Assistant | undefined;

/** Anew every so often, since its store remembers every request. */
async function assistant(): Promise<Assistant> {
  if (asked++ % 500 === 0) served = undefined;
  served ??= new Assistant({
    keys: await keySet(),
    store: new MemoryStore({ now: () => NOW }),
    now: () => NOW,
    // What is shared is checked to the last member and then not computed.
    allow: ({ scheme }) => scheme === 'retrieve',
  });
  return served;
}

async function answered(run: () => Promise<{ readonly response: string }>): Promise<void> {
  let response: string | undefined;
  try {
    ({ response } = await run());
  } catch (error) {
    if (!isRoamingKeyError(error) || !isWireErrorCode(error.code) || error.code === 'unavailable')
      throw new Finding(`the assistant failed: ${String(error)}`, { cause: error });
    response = error.response;
  }
  if (response === undefined) return;
  const parts = response.split('.').map(fromBase64url);
  must(parts.length === 5 && parts.every(Boolean), 'an answer of another form');
}

/** Seals a ticket and a request, one of them bent, as a device that has gone wrong would. */
async function ask(ticketText: string, requestText: string): Promise<void> {
  const key = await jwk();
  const tau = rawJwe(key, { typ: 'rk-ticket+jwe', payload: ticketText });
  const filled = requestText
    .replace('TH', toBase64url(ticketHash(tau)))
    .replace('JTI', toBase64url(crypto.getRandomValues(new Uint8Array(16))));
  const gamma = rawJwe(key, { typ: 'rk-request+jwe', payload: filled });
  const mac = toBase64url(requestMac(A, gamma, tau));
  const served = await assistant();
  await answered(() => served.assist({ ticket: tau, request: gamma, mac }));
}

const elgamalKeys = once(() => ['P-256', 'ffdhe2048'].map((group) => generateElgamalKey(group)));

export const messages: readonly FuzzTarget[] = [
  payload('ticket', 'a device', Object.values(TICKETS), (input) => {
    const read = readTicket(input);
    if (read) must(fromBase64url(stateId(read))?.length === 32, 'a ticket without an id');
    return read;
  }),
  payload(
    'request',
    'a device',
    REQUESTS.map((text) => text.replace('TH', bytes(32)).replace('JTI', bytes(16))),
    (input) => {
      const request = readRequest(input)?.request;
      if (!request) return undefined;
      const { members, ...frame } = request;
      for (const exchange of EXCHANGES) {
        const read = readRequestMembers(request, exchange);
        if (read) must(saysTheSame(read, members), 'members that were read as something else');
      }
      return { ...frame, ...members };
    },
  ),
  payload('disabling', 'a device', [DISABLING], (input) => readPayload(input, DISABLE_REQUEST)),
  payload('response', 'an assistant', ANSWERS, (input) =>
    EXCHANGES.map((exchange) => readAnswer(input, exchange)).find((answer) => answer !== undefined),
  ),
  payload(
    'disabling-response',
    'an assistant',
    [JSON.stringify({ v: 1, op: 'disable', disabled: true, now: NOW })],
    (input) => readPayload(input, DISABLE_RESPONSE),
  ),
  {
    name: 'sealed-jwe',
    from: 'a device',
    async seeds() {
      const rsa = await KeySet.generate({ type: 'RSA-OAEP-256' });
      const p256 = await KeySet.generate({ type: 'P-256' });
      const keys = [await jwk(), p256.active.jwk, rsa.active.jwk];
      return keys.map((key) => rawJwe(key, { typ: 'rk-ticket+jwe', payload: '{}' }));
    },
    run(input) {
      const text = asText(input);
      const read = parseSealed(text, 'rk-ticket+jwe');
      if (!read) return;
      const again = [read.encryptedKey, read.iv, read.ciphertext, read.tag].map(toBase64url);
      must(`${asText(read.aad)}.${again.join('.')}` === text, 'a JWE in a second spelling');
      must(parseSealed(text, 'rk-request+jwe') === undefined, 'a message of two kinds');
      const header = JSON.parse(asText(fromBase64url(asText(read.aad)) as Uint8Array)) as object;
      const names = ['alg', 'enc', 'typ', 'kid', ...(read.epk ? ['epk'] : [])];
      must(Object.keys(header).sort().join() === names.sort().join(), 'a header of another profile');
    },
  },
  {
    name: 'direct-jwe',
    from: 'an assistant',
    seeds: async () => [await sealDirect({ v: 1 }, 'rk-response+jwe', RHO)],
    async run(input) {
      const text = asText(input);
      const opened = await openDirect(text, 'rk-response+jwe', RHO);
      if (!opened) return;
      must(
        text.split('.').every((part) => fromBase64url(part) !== undefined),
        'a JWE in a second spelling',
      );
      must((await openDirect(text, 'rk-ticket+jwe', RHO)) === undefined, 'a message of two kinds');
    },
  },
  {
    name: 'elgamal-jwe',
    from: 'anybody',
    seeds: async () =>
      Promise.all(
        elgamalKeys().flatMap(({ publicKey }) =>
          (['A256GCM', 'A128CBC-HS256'] as const).map((enc) =>
            encryptTo(elgamalPublicJwk(publicKey), new Uint8Array(3), { enc }),
          ),
        ),
      ),
    async run(input) {
      const text = asText(input);
      for (const { x, publicKey } of elgamalKeys()) {
        const { group } = publicKey;
        const read = await unless(['invalid_request', 'unsupported'], () => readElgamalJwe(text, publicKey));
        if (!read) continue;
        const w = group.decode(read.w);
        must(w !== undefined, 'an ephemeral key outside the group');
        must(
          text.split('.').every((part) => fromBase64url(part) !== undefined),
          'a JWE in a second spelling',
        );
        const z = group.secret(group.exp(w, x));
        await unless(['invalid_request'], () => openElgamalJwe(read, z));
      }
    },
  },
  {
    name: 'assist-ticket',
    from: 'a device',
    seeds: async () => Object.values(TICKETS),
    run: (input) => ask(asText(input), REQUESTS[0] as string),
  },
  {
    name: 'assist-request',
    from: 'a device',
    // The first character says beside which ticket.
    seeds: async () => Object.keys(TICKETS).flatMap((_, i) => REQUESTS.map((text) => `${i}${text}`)),
    run(input) {
      const tickets = Object.values(TICKETS);
      return ask(tickets[(input[0] ?? 0) % tickets.length] as string, asText(input.subarray(1)));
    },
  },
  {
    name: 'assist-disabling',
    from: 'anybody',
    seeds: async () => [DISABLING],
    async run(input) {
      const sealed = rawJwe(await jwk(), { typ: 'rk-disable+jwe', payload: asText(input) });
      const served = await assistant();
      await answered(() => served.disable({ request: sealed }));
    },
  },
  {
    name: 'assist-body',
    from: 'anybody',
    async seeds() {
      const tau = rawJwe(await jwk(), { typ: 'rk-ticket+jwe', payload: TICKETS.retrieve });
      const gamma = rawJwe(await jwk(), { typ: 'rk-request+jwe', payload: REQUESTS[0] as string });
      const mac = toBase64url(requestMac(A, gamma, tau));
      return [JSON.stringify({ ticket: tau, request: gamma, mac }), JSON.stringify({ request: gamma })];
    },
    async run(input) {
      const served = await assistant();
      const body = asJson(input);
      await answered(() => served.assist(body));
      await answered(() => served.disable(body));
    },
  },
];
