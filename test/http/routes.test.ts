/** Every route that reads a body, of every router and handler: what is no request of the protocol is refused in good order. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isWireErrorCode } from '../../lib/base/errors.ts';
import { startWorld } from '../roaming/support.ts';

const MEMBERS = ['type', 'title', 'status', 'code', 'response', 'retryAt'];

const rejections: unknown[] = [];
const onRejection = (reason: unknown) => void rejections.push(reason);
beforeAll(() => void process.on('unhandledRejection', onRejection));
afterAll(() => void process.off('unhandledRejection', onRejection));

interface Route {
  readonly method: string;
  readonly url: string;
}

/** All of them, and how each is asked. A JSON body of any content may be a good request of `lenient` ones. */
async function start() {
  const { assistant, rp, service } = await startWorld();
  const at = (base: string, method: string, ...paths: string[]) =>
    paths.map((path): Route => ({ method, url: `${base}${path}` }));
  const strict = [
    ...at(assistant.url, 'POST', '/assist', '/disable'),
    ...at(rp.origin, 'POST', '/login', '/register'),
    ...at(service.url, 'PUT', '/', '/others'),
  ];
  const lenient = at(service.url, 'POST', '/fetch');
  const ask = async ({ method, url }: Route, headers: Record<string, string>, body?: string | Uint8Array) => {
    const response = await fetch(url, {
      method,
      headers: { 'x-account': 'ada', 'x-invited': 'ada', ...headers },
      ...(body !== undefined && { body: body as string }),
    });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text(),
    };
  };
  const expectGoodOrder = ({ status, type, text }: Awaited<ReturnType<typeof ask>>) => {
    expect(status, text).toBeLessThan(500);
    expect([...service.errors, ...rejections]).toEqual([]);
    if (status < 400) return;
    expect(type).toMatch(/^application\/problem\+json/);
    const problem = JSON.parse(text) as Record<string, unknown>;
    expect(isWireErrorCode(problem['code'] as string)).toBe(true);
    expect(Object.keys(problem).filter((name) => !MEMBERS.includes(name))).toEqual([]);
  };
  return { strict, routes: [...strict, ...lenient], ask, expectGoodOrder };
}

const JSON_TYPE = { 'content-type': 'application/json' };

describe('every route that reads a body', () => {
  it('refuses any bytes under any content type', async () => {
    const { routes, ask, expectGoodOrder } = await start();
    const types = fc.constantFrom(
      'application/json',
      'application/json; charset=utf-8',
      'application/json; charset=\u00e9',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      '/',
    );
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...routes), types, bytes, async (route, type, body) => {
        const answer = await ask(route, { 'content-type': type }, body);
        expectGoodOrder(answer);
        if (!/^[[{]/.test(Buffer.from(body).toString().trim()))
          expect(answer.status).toBeGreaterThanOrEqual(400);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses any JSON, or answers it', async () => {
    const { strict, routes, ask, expectGoodOrder } = await start();
    const members = [
      'ticket',
      'request',
      'mac',
      'proof',
      'account',
      'code',
      'record',
      'purpose',
      '__proto__',
      'toString',
    ];
    const bodies = fc.oneof(
      fc.json(),
      fc.dictionary(fc.constantFrom(...members), fc.jsonValue()).map((body) => JSON.stringify(body)),
      fc
        .dictionary(fc.constantFrom(...members), fc.string({ unit: 'binary' }))
        .map((body) => JSON.stringify(body)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...routes), bodies, async (route, body) => {
        const answer = await ask(route, JSON_TYPE, body);
        expectGoodOrder(answer);
        if (strict.includes(route)) expect(answer.status).toBeGreaterThanOrEqual(400);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses what is too large, compressed, or asked by another method', async () => {
    const { routes, ask, expectGoodOrder } = await start();
    const large = JSON.stringify({ code: 'x'.repeat(200_000) });
    for (const route of routes) {
      const refused: [number[], Awaited<ReturnType<typeof ask>>][] = [
        [[413], await ask(route, JSON_TYPE, large)],
        [[400], await ask(route, { ...JSON_TYPE, 'content-encoding': 'gzip' }, '{}')],
      ];
      const other = await ask({ ...route, method: 'PATCH' }, JSON_TYPE, '{}');
      refused.push([[404, 405], other]);
      for (const [statuses, answer] of refused) expect(statuses, route.url).toContain(answer.status);
      for (const [, answer] of refused.slice(0, 2)) expectGoodOrder(answer);
    }
  });
});
