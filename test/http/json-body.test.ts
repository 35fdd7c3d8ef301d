import { AsyncLocalStorage } from 'node:async_hooks';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { jsonBody } from '../../lib/http/json-body.ts';
import { problemHandler } from '../../lib/http/problem.ts';
import { listen } from '../support/world.ts';

const LIMIT = 100;

async function start(before: express.RequestHandler = (_req, _res, next) => next()) {
  const heard: unknown[] = [];
  const app = express()
    .use(before)
    .post('/', jsonBody({ limit: LIMIT }), (req, res) => {
      heard.push(req.body);
      res.json(req.body);
    })
    .use(problemHandler());
  return { url: await listen(app), heard };
}

/** Sends bytes as they are, pieces apart in time, and reads to the connection's end. */
async function raw(
  url: string,
  pieces: readonly (string | Buffer)[],
  { hangUp = false } = {},
): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let answer = '';
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('error', () => {});
  socket.on('data', (data) => {
    answer += data.toString('latin1');
  });
  for (const piece of pieces) {
    socket.write(piece);
    await sleep(20);
  }
  if (hangUp) socket.destroy();
  await closed;
  return answer;
}

const head = (...lines: string[]) =>
  `${['POST / HTTP/1.1', 'Host: x', 'Connection: close', 'Content-Type: application/json', ...lines].join('\r\n')}\r\n\r\n`;
const chunk = (data: string | Buffer) =>
  Buffer.concat([
    Buffer.from(`${Buffer.byteLength(data).toString(16)}\r\n`),
    Buffer.from(data),
    Buffer.from('\r\n'),
  ]);
const CHUNKED = head('Transfer-Encoding: chunked');
const END = '0\r\n\r\n';

describe('a body in pieces', () => {
  it('is put together, also where a character is cut', async () => {
    const { url, heard } = await start();
    const bytes = Buffer.from('{"a":"\u{1f511}é"}');
    const answer = await raw(url, [CHUNKED, chunk(bytes.subarray(0, 8)), chunk(bytes.subarray(8)), END]);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(heard).toEqual([{ a: '\u{1f511}é' }]);
  });

  it.each([
    [
      'with its length',
      [head(`Content-Length: ${LIMIT}`), `"${'x'.repeat(LIMIT - 4)}`.padStart(LIMIT, '[')],
      400,
    ],
    ['of exactly the limit', [head(`Content-Length: ${LIMIT}`), `["${'x'.repeat(LIMIT - 4)}"]`], 200],
    ['of one byte more', [head(`Content-Length: ${LIMIT + 1}`), `["${'x'.repeat(LIMIT - 3)}"]`], 413],
    ['without its length', [CHUNKED, chunk(`["${'x'.repeat(LIMIT - 4)}"]`), END], 200],
    [
      'without its length, one byte more',
      [CHUNKED, chunk('["x'), chunk(`${'x'.repeat(LIMIT - 4)}"]`), END],
      413,
    ],
  ])('%s is held against the limit', async (_name, pieces, status) => {
    const { url } = await start();
    expect(await raw(url, pieces)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('that never ends is answered as soon as it is too large, and its connection ended', async () => {
    const { url, heard } = await start();
    const endless = head('Transfer-Encoding: chunked').replace('Connection: close', 'Connection: keep-alive');
    const answer = await raw(url, [endless, ...Array.from({ length: 5 }, () => chunk(' '.repeat(60)))]);
    expect(answer).toMatch(/^HTTP\/1.1 413 .*\r\nConnection: close\r\n/s);
    expect(heard).toEqual([]);
  });

  it('that breaks off reaches nobody, and the server goes on', async () => {
    const { url, heard } = await start();
    await raw(url, [head('Content-Length: 50'), '{"a":'], { hangUp: true });
    await raw(url, [CHUNKED, chunk('{"a":1}')], { hangUp: true });
    expect(heard).toEqual([]);
    expect(await raw(url, [head('Content-Length: 2'), '{}'])).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe('many bodies in chunks of a byte', () => {
  it('take memory for their bytes, not for their chunks', async () => {
    const [CONNECTIONS, CHUNKS] = [12, 30_000];
    let arrived = 0;
    const app = express()
      .use((req, _res, next) => {
        req.on('data', () => {
          arrived += 1;
        });
        next();
      })
      .post('/', jsonBody({ limit: 32_768 }), (_req, res) => void res.end());
    const port = Number(new URL(await listen(app)).port);
    const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external;
    const before = used();
    const sockets = Array.from({ length: CONNECTIONS }, () => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {}).write(`${CHUNKED}${'1\r\n \r\n'.repeat(CHUNKS)}`);
      return socket;
    });
    while (arrived < CONNECTIONS * CHUNKS) await sleep(20);
    globalThis.gc?.();
    const each = (used() - before) / CONNECTIONS;
    for (const socket of sockets) socket.destroy();
    // A buffer for each chunk came to six million.
    expect(each).toBeLessThan(3_000_000);
  });
});

describe('what is no JSON object or array in UTF-8', () => {
  it.each([
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d])],
    ['an overlong form', Buffer.from([0x5b, 0x22, 0xc0, 0xaf, 0x22, 0x5d])],
    ['half a surrogate pair', Buffer.from([0x5b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x5d])],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
    ['blanks', Buffer.from('   ')],
    ['null', Buffer.from('null')],
    ['a number', Buffer.from('1')],
    ['a string', Buffer.from('"{}"')],
    ['two objects', Buffer.from('{}{}')],
    ['an object and a zero byte', Buffer.from('{}\0')],
  ])('%s is refused', async (_name, body) => {
    const { url, heard } = await start();
    const answer = await raw(url, [head(`Content-Length: ${body.length}`), body]);
    expect(answer).toMatch(/^HTTP\/1.1 400 .*"code":"invalid_request"/s);
    expect(heard).toEqual([]);
  });

  it.each(['gzip', 'deflate', 'br', 'GZIP', 'identity, gzip', 'x'])(
    'coded as %s is refused',
    async (coding) => {
      const { url, heard } = await start();
      const answer = await raw(url, [head('Content-Length: 2', `Content-Encoding: ${coding}`), '{}']);
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      expect(heard).toEqual([]);
    },
  );
});

describe('beside other middleware', () => {
  it('leaves what an earlier parser has read', async () => {
    const { url, heard } = await start(express.json());
    await raw(url, [head('Content-Length: 7'), '{"a":1}']);
    expect(heard).toEqual([{ a: 1 }]);
  });

  it.each([
    ['bytes', () => Buffer.from('{"a":1}')],
    ['a Uint8Array', () => new TextEncoder().encode('{"a":1}')],
    ['text', () => '{"a":1}'],
    ['a value', () => ({ a: 1 })],
  ])('reads what a platform has left as %s', async (_name, body) => {
    const { url, heard } = await start((req, _res, next) => {
      req.body = body();
      next();
    });
    await raw(url, [head('Content-Length: 7'), '{"a":1}']);
    expect(heard).toEqual([{ a: 1 }]);
  });

  it.each([
    ['bytes that are too many', Buffer.alloc(LIMIT + 1, ' '), 413],
    ['text that is too long', ' '.repeat(LIMIT + 1), 413],
    ['text that is too long in UTF-8', `["${'\u{e9}'.repeat(LIMIT / 2)}"]`, 413],
    ['no bytes', Buffer.alloc(0), 400],
    ['no text', '', 400],
    ['bytes that are no JSON', Buffer.from('{'), 400],
    ['bytes that are no UTF-8', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]), 400],
    ['text that is a number', '1', 400],
    ['a number', 1, 400],
    ['true', true, 400],
  ])('refuses %s', async (_name, body, status) => {
    const { url, heard } = await start((req, _res, next) => {
      req.body = body;
      next();
    });
    expect(await raw(url, [head('Content-Length: 2'), '{}'])).toMatch(
      new RegExp(`^HTTP/1.1 ${status} .*"code":"invalid_request"`, 's'),
    );
    expect(heard).toEqual([]);
  });

  it('reads the bytes of express.raw', async () => {
    const { url, heard } = await start(express.raw({ type: '*/*' }));
    await raw(url, [head('Content-Length: 7'), '{"a":1}']);
    expect(heard).toEqual([{ a: 1 }]);
  });

  it('says that there is none where somebody else has used it up', async () => {
    const { url } = await start((req, _res, next) => {
      req.on('end', () => next()).resume();
    });
    expect(await raw(url, [head('Content-Length: 7'), '{"a":1}'])).toMatch(/^HTTP\/1.1 400 /);
  });

  it.each([
    ['too large', [CHUNKED, chunk('{"a":'), chunk(' '.repeat(LIMIT)), END]],
    ['no JSON', [CHUNKED, chunk('{"a":'), chunk('x'), END]],
    ['good', [CHUNKED, chunk('{"a":'), chunk('1}'), END]],
  ])('that has answered already, a body that turns out %s harms nobody', async (_name, pieces) => {
    const { url, heard } = await start((_req, res, next) => {
      res.status(503).end();
      next();
    });
    expect(await raw(url, pieces)).toMatch(/^HTTP\/1.1 503 /);
    expect(heard).toEqual([]);
    // The process lives.
    expect((await fetch(`${url}/nowhere`)).status).toBe(503);
  });

  it('that has set an encoding, reads text', async () => {
    const { url, heard } = await start((req, _res, next) => {
      req.setEncoding('utf8');
      next();
    });
    await raw(url, [CHUNKED, chunk('{"a":'), chunk('"\u{e9}"}'), END]);
    expect(heard).toEqual([{ a: '\u{e9}' }]);
  });

  it("keeps the app's AsyncLocalStorage", async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const app = express()
      .use((_req, _res, next) => context.run('mine', next))
      .post('/', jsonBody({ limit: LIMIT }), (_req, res) => {
        seen.push(context.getStore());
        res.end();
      });
    const url = await listen(app);
    await raw(url, [CHUNKED, chunk('{"a"'), chunk(':1}'), END]);
    expect(seen).toEqual(['mine']);
  });
});
