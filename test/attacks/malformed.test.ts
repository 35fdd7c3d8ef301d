/** Input that no honest device sends: nothing of it is counted, nothing of it is the server's failure. */
import net from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { isWireErrorCode } from '../../lib/base/errors.ts';
import { requestMac } from '../../lib/protocol/messages.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { startAssistant } from '../support/world.ts';
import { LOW_ORDER_X25519, offCurvePoint, type RawOptions, rawJwe } from './raw-jwe.ts';
import {
  assist,
  b64,
  type KnownTicket,
  makeDisabling,
  makeRequest,
  makeTicket,
  post,
  random,
  unixNow,
} from './support.ts';

/** Takes down which operations were asked of it. */
class WatchedStore extends MemoryStore {
  readonly calls: string[] = [];
  override reserve(...args: Parameters<MemoryStore['reserve']>) {
    this.calls.push('reserve');
    return super.reserve(...args);
  }
  override disable(...args: Parameters<MemoryStore['disable']>) {
    this.calls.push('disable');
    return super.disable(...args);
  }
}

async function start(keys?: KeySet) {
  const store = new WatchedStore();
  const failures: unknown[] = [];
  const world = await startAssistant({
    store,
    onError: (error) => void failures.push(error),
    disablesPerMinute: 100_000,
    ...(keys && { keys }),
  });
  /** What must hold of every answer to nonsense. */
  const expectRefusal = (answer: { status: number; type: string | null; text: string }, what: unknown) => {
    expect(failures).toEqual([]);
    expect(answer.status, JSON.stringify(what)?.slice(0, 500)).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.type).toBe('application/problem+json');
    const problem = JSON.parse(answer.text) as Record<string, unknown>;
    expect(isWireErrorCode(problem['code'])).toBe(true);
    expect(Object.keys(problem).filter((name) => !PROBLEM.includes(name))).toEqual([]);
    expect(store.calls).toEqual([]);
  };
  const send = async (
    path: string,
    body: string | Uint8Array,
    headers: Record<string, string> = JSON_TYPE,
  ) => {
    const response = await fetch(`${world.url}${path}`, { method: 'POST', headers, body: body as string });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text(),
    };
  };
  return { world, store, failures, send, expectRefusal };
}

const PROBLEM = ['type', 'title', 'status', 'code', 'response'];
const JSON_TYPE = { 'content-type': 'application/json' };
const POSTS = ['/assist', '/disable'];

describe('HTTP', () => {
  it('bodies of every wrong type, coding, length and syntax are refused', async () => {
    const { world, store, send, expectRefusal } = await start();
    const owner = await makeTicket(world.keys.active.jwk);
    const good = JSON.stringify((await makeRequest(owner)).body);
    const headers: Record<string, string>[] = [
      {},
      ...[
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/json; charset=utf-16',
        'application/json; charset=latin1',
        'application/json; charset=',
        'application/jsonp',
        'application/problem+json',
        'application/json, text/html',
        'text/html;application/json',
        '*/*',
        `application/json;${'x'.repeat(4000)}`,
      ].map((type) => ({ 'content-type': type })),
      ...['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'chunked', 'x'.repeat(1000)].map((coding) => ({
        ...JSON_TYPE,
        'content-encoding': coding,
      })),
    ];
    for (const path of POSTS) {
      for (const header of headers) expectRefusal(await send(path, Buffer.from(good), header), header);
      for (const [coding, compress] of [
        ['gzip', gzipSync],
        ['deflate', deflateSync],
        ['br', brotliCompressSync],
      ] as const) {
        const bomb = compress(Buffer.alloc(4 * 1024 * 1024, 0x20));
        for (const body of [compress(good), bomb]) {
          expectRefusal(await send(path, body, { ...JSON_TYPE, 'content-encoding': coding }), coding);
        }
      }
      const bodies: (string | Uint8Array)[] = [
        '',
        ' ',
        'null',
        '1',
        '"x"',
        '[]',
        '{}',
        '{',
        '{"ticket":',
        '[[1,2],{}]',
        `${good}{}`,
        `${good.slice(0, -1)},}`,
        `'${good}'`,
        '{"__proto__":{"ticket":"a","request":"b","mac":"c"}}',
        '{"constructor":{"prototype":{"ticket":"a"}}}',
        '['.repeat(16_000) + ']'.repeat(16_000),
        `{"ticket":${'['.repeat(15_000)}${']'.repeat(15_000)}}`,
        `${'{"a":'.repeat(6000)}1${'}'.repeat(6000)}`,
        Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
        Buffer.from(good, 'utf16le'),
        Buffer.from([0]),
        '{"request":"\\ud800"}',
        '{"request":"\\u0000"}',
        '{"ticket":1e400,"request":-0,"mac":1.0}',
        '{"ticket":true,"request":null,"mac":[]}',
      ];
      for (const body of bodies) expectRefusal(await send(path, body), body);
      for (const size of [33 * 1024, 2 * 1024 * 1024]) {
        const answer = await send(path, JSON.stringify({ ticket: 'x'.repeat(size) }));
        expectRefusal(answer, size);
        expect(answer.status).toBe(413);
      }
    }
    const extra = [
      { ...JSON.parse(good), extra: 1 },
      { ...JSON.parse(good), __proto__: null, constructor: 1 },
      { ...JSON.parse(good), mac: `${JSON.parse(good).mac}=` },
      { ...JSON.parse(good), ticket: [JSON.parse(good).ticket] },
    ];
    for (const body of extra) expectRefusal(await send('/assist', JSON.stringify(body)), body);
    const proto = good.replace('{', '{"__proto__":{"a":1},');
    expectRefusal(await send('/assist', proto), proto);
    // JSON may begin with a BOM, and the body's own spelling means nothing.
    expect((await send('/assist', `\u{feff}${good}`)).status).toBe(200);
    store.calls.length = 0;
  });

  it('a body longer or shorter than it says is refused, and one without end holds nobody up', async () => {
    const { world, failures } = await start();
    const { port, pathname } = new URL(world.url);
    const connect = (text: string, end = false) => {
      const socket = net.connect(Number(port), '127.0.0.1');
      socket.on('error', () => {}).write(text);
      return end ? socket.end() : socket;
    };
    const talk = (text: string, end = false) =>
      new Promise<string>((resolve) => {
        const socket = connect(text, end);
        socket.on('data', (data) => {
          socket.destroy();
          resolve(String(data));
        });
      });
    const head = `POST ${pathname}/assist HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
    const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
    const open = [
      connect(`${chunked}${chunk}${chunk}`),
      connect(`${head}Content-Length: 9999999999\r\n\r\n{`),
    ];
    expect(await talk(`${chunked}${chunk}${chunk}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 /);
    expect(await talk(`${head}Content-Length: 500\r\n\r\n{"ticket`, true)).toMatch(/^HTTP\/1.1 400 /);
    expect((await fetch(`${world.url}/keys`)).status).toBe(200);
    for (const socket of open) socket.destroy();
    expect(failures).toEqual([]);
  });

  it('other methods and cursors that are none are refused in the same form', async () => {
    const { world, expectRefusal } = await start();
    const agent = request(world.app);
    for (const path of ['/keys', '/disabled']) {
      for (const method of ['post', 'put', 'delete', 'patch'] as const) {
        const answer = await agent[method](`/assistant${path}`).send({});
        expectRefusal(seen(answer), [method, path]);
        expect(answer.status).toBe(405);
        expect(answer.headers['allow']).toBe('GET, HEAD');
      }
    }
    for (const path of POSTS) {
      for (const method of ['get', 'put', 'delete', 'patch'] as const) {
        const answer = await agent[method](`/assistant${path}`);
        expectRefusal(seen(answer), [method, path]);
        expect(answer.headers['allow']).toBe('POST');
      }
    }
    for (const query of ['after=1&after=2', `after=${'9'.repeat(300)}`]) {
      const answer = await agent.get(`/assistant/disabled?${query}`);
      expectRefusal(seen(answer), query);
    }
    // A cursor that was never given starts over: an entry too many does no harm.
    await world.store.disable({ u: b64(random(32)), t: b64(random(16)) });
    for (const after of [
      '',
      'x',
      '1',
      '1.',
      '-1.AAAAAAAAAAAA',
      '1e3.AAAAAAAAAAAA',
      '%00',
      "' OR 1=1",
      '999999999999999.AAAAAAAAAAAA',
    ]) {
      const { status, body } = await agent.get('/assistant/disabled').query({ after });
      expect(status).toBe(200);
      expect(body.disabled).toHaveLength(1);
    }
    for (const query of ['after[]=x', 'after[a]=b', '__proto__[after]=x', '%', 'after', '&&&=']) {
      expect((await agent.get(`/assistant/disabled?${query}`)).status).toBe(200);
    }
    expect((await agent.get('/assistant/keys?x=1')).status).toBe(200);
  });
});

const seen = ({ status, text, headers }: request.Response) => ({
  status,
  text,
  type: headers['content-type'] as string,
});

const HEADERS: readonly (readonly [string, (header: Record<string, unknown>) => string])[] = [
  ...(
    [
      'zip',
      'crit',
      'p2c',
      'apu',
      'apv',
      'jku',
      'jwk',
      'x5u',
      'cty',
      'b64',
      'constructor',
      'toString',
    ] as const
  ).map(
    (name) =>
      [name, (header: Record<string, unknown>) => JSON.stringify({ ...header, [name]: 'DEF' })] as const,
  ),
  ['crit []', (header) => JSON.stringify({ ...header, crit: [] })],
  ['p2c', (header) => JSON.stringify({ ...header, p2c: 2 ** 31, p2s: 'AA' })],
  ['__proto__', (header) => JSON.stringify(header).replace('{', '{"__proto__":{},')],
  ['alg none', (header) => JSON.stringify({ ...header, alg: 'none' })],
  ['alg dir', (header) => JSON.stringify({ ...header, alg: 'dir' })],
  ['alg ECDH-ES+A256KW', (header) => JSON.stringify({ ...header, alg: 'ECDH-ES+A256KW' })],
  ['alg RSA-OAEP', (header) => JSON.stringify({ ...header, alg: 'RSA-OAEP' })],
  ['alg RSA1_5', (header) => JSON.stringify({ ...header, alg: 'RSA1_5' })],
  ['alg PBES2', (header) => JSON.stringify({ ...header, alg: 'PBES2-HS256+A128KW' })],
  ['enc A128GCM', (header) => JSON.stringify({ ...header, enc: 'A128GCM' })],
  ['enc A256CBC-HS512', (header) => JSON.stringify({ ...header, enc: 'A256CBC-HS512' })],
  ['no typ', ({ typ: _typ, ...header }) => JSON.stringify(header)],
  ['typ of another message', (header) => JSON.stringify({ ...header, typ: 'rk-response+jwe' })],
  [
    'typ with application/',
    (header) => JSON.stringify({ ...header, typ: `application/${String(header['typ'])}` }),
  ],
  ['no kid', ({ kid: _kid, ...header }) => JSON.stringify(header)],
  ['kid of nobody', (header) => JSON.stringify({ ...header, kid: b64(random(32)) })],
  ['kid an array', (header) => JSON.stringify({ ...header, kid: [header['kid']] })],
  ['no epk', ({ epk: _epk, ...header }) => JSON.stringify({ ...header, ...(_epk ? {} : { epk: {} }) })],
  ['epk with a private half', (header) => epk(header, { d: b64(random(32)) })],
  ['epk with a kid', (header) => epk(header, { kid: 'x' })],
  ['epk with __proto__', (header) => JSON.stringify(header).replace('"epk":{', '"epk":{"__proto__":{},')],
  ['epk on X448', (header) => epk(header, { crv: 'X448' })],
  ['epk on P-521', (header) => epk(header, { crv: 'P-521' })],
  ['epk too short', (header) => epk(header, { x: b64(random(31)) })],
  ['epk padded', (header) => epk(header, { x: `${b64(random(32))}=` })],
  ['epk a string', (header) => JSON.stringify({ ...header, epk: JSON.stringify(header['epk'] ?? '') })],
  ['a member twice', (header) => JSON.stringify(header).replace('{', '{"alg":"ECDH-ES",')],
  ['a member twice, escaped', (header) => JSON.stringify(header).replace('{', '{"\\u0061lg":"none",')],
  ['an escape', (header) => JSON.stringify(header).replace('"alg"', '"\\u0061lg"')],
  ['a BOM', (header) => `\u{feff}${JSON.stringify(header)}`],
  ['an array', (header) => JSON.stringify([header])],
  ['no JSON', () => 'x'],
  ['nothing', () => ''],
  [
    'deep',
    (header) =>
      JSON.stringify({ ...header, x: 0 }).replace('"x":0', `"x":${'['.repeat(1500)}${']'.repeat(1500)}`),
  ],
];

function epk(header: Record<string, unknown>, more: object): string {
  const point = header['epk'] as object | undefined;
  return JSON.stringify({ ...header, epk: { ...point, ...more } });
}

describe('JWE', () => {
  it.each(['X25519', 'P-256', 'RSA-OAEP-256'] as const)(
    'headers that depart from the profile open nothing (%s)',
    async (type) => {
      const { world, store, expectRefusal } = await start(await KeySet.generate({ type }));
      const { jwk } = world.keys.active;
      const owner = await makeTicket(jwk);
      const { body } = await makeRequest(owner);
      const payload = JSON.stringify(owner.payload);
      const told = await tell(world, owner);
      // The hand-made message is in order as long as nothing is bent.
      const plain = rawJwe(jwk, { typ: 'rk-ticket+jwe', payload });
      expect((await assist(world, await makeRequest({ ...owner, ticket: plain }))).status).toBe(200);
      store.calls.length = 0;
      for (const [name, header] of HEADERS) {
        if (type === 'RSA-OAEP-256' && name === 'epk with __proto__') continue;
        const options = { typ: 'rk-ticket+jwe', payload, header };
        expectRefusal(await told.ticket(rawJwe(jwk, options)), name);
        expectRefusal(await told.request(rawJwe(jwk, { ...options, typ: 'rk-request+jwe' })), name);
        expectRefusal(await told.disabling(rawJwe(jwk, { ...options, typ: 'rk-disable+jwe' })), name);
      }
      // One kind of message is never another.
      for (const jwe of [owner.ticket, body.request]) {
        expectRefusal(await told.disabling(jwe), 'kind');
      }
      expectRefusal(await told.ticket(body.request), 'kind');
      expectRefusal(await told.request(owner.ticket), 'kind');
      const shapes: Partial<RawOptions>[] = [
        { ivLength: 16 },
        { ivLength: 8 },
        { tagLength: 12 },
        { tagLength: 4 },
        { encryptedKey: type === 'RSA-OAEP-256' ? new Uint8Array() : random(32) },
        { encryptedKey: random(type === 'RSA-OAEP-256' ? 383 : 1) },
        { encodedHeader: (text) => `${text}=` },
        { encodedHeader: (text) => ` ${text}` },
        { encodedHeader: (text) => text.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) },
      ];
      for (const shape of shapes) {
        expectRefusal(await told.ticket(rawJwe(jwk, { typ: 'rk-ticket+jwe', payload, ...shape })), shape);
      }
    },
  );

  it('a point whose secret everybody knows opens nothing, though the message is sealed with that secret', async () => {
    const { world, expectRefusal } = await start();
    const { jwk } = world.keys.active;
    const owner = await makeTicket(jwk);
    const told = await tell(world, owner);
    for (const x of LOW_ORDER_X25519) {
      const forced = { epk: { kty: 'OKP', crv: 'X25519', x }, z: new Uint8Array(32) };
      const payload = JSON.stringify(owner.payload);
      expectRefusal(await told.ticket(rawJwe(jwk, { typ: 'rk-ticket+jwe', payload, forced })), x);
      const t = JSON.stringify({ v: 1, t: b64(random(16)), rho: b64(random(32)), iat: 0 });
      expectRefusal(await told.disabling(rawJwe(jwk, { typ: 'rk-disable+jwe', payload: t, forced })), x);
    }
  });

  it('a point off the curve, or of the other curve, opens nothing', async () => {
    const p256 = await start(await KeySet.generate({ type: 'P-256' }));
    const x25519 = await start();
    for (const { world, expectRefusal } of [p256, x25519]) {
      const { jwk } = world.keys.active;
      const owner = await makeTicket(jwk);
      const told = await tell(world, owner);
      const payload = JSON.stringify(owner.payload);
      for (const point of [
        offCurvePoint(),
        { kty: 'EC', crv: 'P-256', x: b64(new Uint8Array(32)), y: b64(new Uint8Array(32)) },
        { kty: 'EC', crv: 'P-256', x: b64(new Uint8Array(32).fill(255)), y: b64(random(32)) },
        jwk.kty === 'EC'
          ? { kty: 'OKP', crv: 'X25519', x: b64(random(32)) }
          : { kty: 'EC', crv: 'P-256', x: b64(random(32)), y: b64(random(32)) },
        {
          kty: jwk.kty === 'EC' ? 'OKP' : 'EC',
          crv: jwk.kty === 'RSA' ? 'P-256' : jwk.crv,
          x: b64(random(32)),
        },
      ]) {
        const forced = { epk: point, z: new Uint8Array(32) };
        expectRefusal(await told.ticket(rawJwe(jwk, { typ: 'rk-ticket+jwe', payload, forced })), point);
      }
    }
  });

  it('any change of any character in any part opens nothing and counts nothing', async () => {
    const { world, expectRefusal, send } = await start();
    const owner = await makeTicket(world.keys.active.jwk);
    const { body } = await makeRequest(owner);
    const disabling = (await makeDisabling(owner.jwk)).body;
    const text = fc.oneof(
      fc.string({ maxLength: 3 }),
      fc.constantFrom('', '.', '=', '-', '_', '+', '/', '\n', '\u0000', '\u{1F600}', '\ud800', 'A', '..'),
    );
    const edit = fc.record({ at: fc.nat(), length: fc.nat({ max: 3 }), text });
    const edited = fc.array(edit, { minLength: 1, maxLength: 3 });
    const member = fc.constantFrom('ticket', 'request', 'mac', 'disable');
    await fc.assert(
      fc.asyncProperty(member, edited, async (name, edits) => {
        const original = name === 'disable' ? disabling.request : body[name as 'ticket'];
        let changed = original;
        for (const { at, length, text: by } of edits) {
          const from = at % (changed.length + 1);
          changed = changed.slice(0, from) + by + changed.slice(from + length);
        }
        if (changed === original) return;
        const path = name === 'disable' ? '/disable' : '/assist';
        const sent = name === 'disable' ? { request: changed } : { ...body, [name]: changed };
        expectRefusal(await send(path, JSON.stringify(sent)), sent);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Puts a bent message in its place, with everything around it in order. */
async function tell(world: { url: string }, owner: KnownTicket) {
  const send = async (path: string, body: object) => {
    const { status, headers, text } = await post(world, path, body);
    return { status, type: headers.get('content-type'), text };
  };
  return {
    ticket: async (ticket: string) => send('/assist', (await makeRequest({ ...owner, ticket })).body),
    request: (jwe: string) =>
      send('/assist', {
        ticket: owner.ticket,
        request: jwe,
        mac: b64(requestMac(owner.a, jwe, owner.ticket)),
      }),
    disabling: (jwe: string) => send('/disable', { request: jwe }),
  };
}

/** Payload texts that mean what the honest one means, or nearly, and are not what `JSON.stringify` writes. */
function respellings(payload: Record<string, unknown>): (string | Uint8Array)[] {
  const text = JSON.stringify(payload);
  const iat = String(payload['iat']);
  return [
    ` ${text}`,
    `${text}\n`,
    text.replace(':', ': '),
    `\u{feff}${text}`,
    text.replace('"v"', '"\\u0076"'),
    text.replace('"v":1', '"v":1.0'),
    text.replace('"v":1', '"v":1e0'),
    text.replace('"v":1', '"v":-0'),
    text.replace('"v":1', '"v":"1"'),
    text.replace('"v":1', '"v":2'),
    text.replace('"v":1', '"v":true'),
    text.replace(iat, `${iat}.0`),
    text.replace(iat, `${iat}e0`),
    text.replace(iat, `"${iat}"`),
    text.replace(iat, `-${iat}`),
    text.replace(iat, '1e400'),
    text.replace(iat, '9007199254740993'),
    text.replace('{', '{"v":1,'),
    text.replace('{', '{"__proto__":null,'),
    text.replace('{', '{"constructor":1,'),
    text.replace('{', '{"x":1,'),
    text.replace('}', ',"":0}'),
    `[${text}]`,
    `${text}${text}`,
    'null',
    '{}',
    '"x"',
    '',
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.concat([
      Buffer.from(text.slice(0, -1)),
      Buffer.from(',"\x00":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]),
    text.replace('{', '{"\\ud800":1,'),
    '['.repeat(1800),
    '['.repeat(900) + ']'.repeat(900),
  ];
}

describe('payloads', () => {
  it('that are spelled otherwise than JSON.stringify does are refused, in every message', async () => {
    const { world, expectRefusal } = await start();
    const { jwk } = world.keys.active;
    const owner = await makeTicket(jwk);
    const told = await tell(world, owner);
    const request = { v: 1, op: 'retrieve', beta: b64(owner.b), rho: b64(random(32)), iat: unixNow() };
    const honest = await makeRequest(owner);
    expect(honest.jti).toHaveLength(16);
    const rest = { jti: b64(random(16)), th: await hashOf(owner.ticket) };
    const disabling = { v: 1, t: b64(random(16)), rho: b64(random(32)), iat: unixNow() };
    for (const payload of respellings(owner.payload)) {
      expectRefusal(await told.ticket(rawJwe(jwk, { typ: 'rk-ticket+jwe', payload })), payload);
    }
    for (const payload of respellings({ ...request, ...rest })) {
      expectRefusal(await told.request(rawJwe(jwk, { typ: 'rk-request+jwe', payload })), payload);
    }
    for (const payload of respellings(disabling)) {
      expectRefusal(await told.disabling(rawJwe(jwk, { typ: 'rk-disable+jwe', payload })), payload);
    }
  });

  it('with a member missing, too many, or of any other value are refused', async () => {
    const { world, expectRefusal } = await start();
    const { jwk } = world.keys.active;
    const owner = await makeTicket(jwk);
    const told = await tell(world, owner);
    const base = {
      'rk-ticket+jwe': owner.payload,
      'rk-request+jwe': {
        v: 1,
        op: 'retrieve',
        beta: b64(owner.b),
        rho: b64(random(32)),
        iat: unixNow(),
        jti: b64(random(16)),
        th: await hashOf(owner.ticket),
      },
      'rk-disable+jwe': { v: 1, t: b64(random(16)), rho: b64(random(32)), iat: unixNow() },
    } as const;
    const send = {
      'rk-ticket+jwe': told.ticket,
      'rk-request+jwe': told.request,
      'rk-disable+jwe': told.disabling,
    };
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc
        .uint8Array({ maxLength: 40 })
        .filter(({ length }) => length !== 16 && length !== 32)
        .map((bytes) => b64(bytes)),
      fc.constantFrom('retire', 'sign', 'rsa', 'elgamal', -1, 0.5, 2 ** 53, '', ' '),
    );
    const isTime = (name: string, given: unknown) =>
      name === 'iat' && Number.isSafeInteger(given) && Number(given) >= 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('rk-ticket+jwe', 'rk-request+jwe', 'rk-disable+jwe'),
        fc.nat(),
        fc.constantFrom('set', 'drop', 'add'),
        fc.oneof(
          fc.string({ maxLength: 8 }),
          fc.constantFrom('exp', '__proto__', 'n', 'd2', 'w', 'salt', 'op', 'scheme'),
        ),
        value,
        async (typ, at, change, extra, given) => {
          const payload: Record<string, unknown> = { ...base[typ] };
          const name = Object.keys(payload)[at % Object.keys(payload).length] as string;
          // What is left out are changes that leave a message in order: another time, an expiry, the same value.
          if (change === 'drop') delete payload[name];
          else if (change === 'add') {
            if (Object.hasOwn(payload, extra) || extra === '__proto__' || isTime('iat', given)) return;
            payload[extra] = given;
          } else {
            if (payload[name] === given || isTime(name, given)) return;
            if (name === 'op' && given === 'retire') return;
            if (name === 'c' && typeof given === 'string') return;
            payload[name] = given;
          }
          expectRefusal(await send[typ](rawJwe(jwk, { typ, payload: JSON.stringify(payload) })), [
            typ,
            payload,
          ]);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('where rho, op and jti can be read get the refusal under rho as well, else in clear text alone', async () => {
    const { world } = await start();
    const owner = await makeTicket(world.keys.active.jwk);
    for (const payload of [
      { beta: 'x' },
      { v: 2 },
      { iat: 'now' },
      { th: b64(random(31)) },
      { more: 1 },
      { op: 'sign' },
    ]) {
      const { status, json, opened } = await assist(world, await makeRequest(owner, { payload }));
      expect([status, json.code]).toEqual([400, 'invalid_request']);
      expect(opened).toMatchObject({ v: 1, code: 'invalid_request', now: expect.any(Number) });
    }
    for (const payload of [
      { rho: b64(random(31)) },
      { jti: b64(random(15)) },
      { op: 'steal' },
      { rho: undefined },
    ]) {
      const { status, json } = await assist(world, await makeRequest(owner, { payload }));
      expect([status, json.code]).toEqual([400, 'invalid_request']);
      expect(json).not.toHaveProperty('response');
    }
  });
});

async function hashOf(ticket: string): Promise<string> {
  return b64(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(ticket))));
}
