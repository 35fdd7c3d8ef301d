import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fetchRecord, quickRecord, type RecordsWorld, startWorld } from './support.ts';

const CODES = ['invalid_request', 'unsupported', 'unknown_key', 'refused', 'busy'];

async function expectGoodOrder(service: RecordsWorld, status: number, text: string): Promise<void> {
  expect(status, text).toBeLessThan(500);
  expect(service.errors).toEqual([]);
  if (status < 400) return;
  const problem = JSON.parse(text);
  expect(CODES).toContain(problem.code);
  expect(
    Object.keys(problem)
      .filter((key) => key !== 'retryAt')
      .sort(),
  ).toEqual(['code', 'status', 'title', 'type']);
}

it('any JSON, any account, any code are answered in good order', async () => {
  const { service } = await startWorld();
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: 'grapheme' }));
  const bodies = fc.oneof(
    fc.json(),
    fc.record({ account: text, code: text }).map((body) => JSON.stringify(body)),
    fc.record({ account: fc.jsonValue(), code: fc.jsonValue() }).map((body) => JSON.stringify(body)),
    fc
      .tuple(text, text)
      .map(([a, b]) => `{"account":${JSON.stringify(a)},"__proto__":{},"code":${JSON.stringify(b)}}`),
  );
  let records = 0;
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      const answer = await fetchRecord(service, body);
      await expectGoodOrder(service, answer.status, answer.text);
      if (answer.status === 200) records += 1;
    }),
    { numRuns: 400 },
  );
  expect(records).toBeGreaterThan(20);
});

it('a record with any member changed is refused in good order, or taken for what it is', async () => {
  const { assistant, service } = await startWorld();
  const record = (await quickRecord(assistant)) as unknown as Record<string, unknown>;
  const paths = [
    ...Object.keys(record).map((name) => [name]),
    ...['kty', 'crv', 'x'].map((name) => ['jwk', name]),
    ...['t', 'm', 'p', 'name'].map((name) => ['kdf', name]),
    ['assistant', 'url'],
    ...['kty', 'crv', 'x', 'kid'].map((name) => ['assistant', 'jwk', name]),
    ['extra'],
    ['__proto__'],
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), async (path, value) => {
      const changed = structuredClone(record);
      let at = changed;
      for (const name of path.slice(0, -1)) at = at[name] as Record<string, unknown>;
      Object.defineProperty(at, path.at(-1) as string, { value, enumerable: true, configurable: true });
      const response = await fetch(`${service.url}/`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json', 'x-account': 'ada' },
        body: JSON.stringify({ record: changed }),
      });
      await expectGoodOrder(service, response.status, await response.text());
    }),
    { numRuns: 300 },
  );
});

it('a ticket with one character changed, or any other, is refused in good order, or has the same form', async () => {
  const { assistant, service } = await startWorld();
  const record = await quickRecord(assistant);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 100 }),
        fc.tuple(fc.nat(), fc.constantFrom(...'AZaz09-_.=+/ {'.split(''))).map(([place, character]) => {
          const at = place % record.ticket.length;
          return record.ticket.slice(0, at) + character + record.ticket.slice(at + 1);
        }),
      ),
      async (ticket) => {
        const response = await fetch(`${service.url}/`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json', 'x-account': 'ada' },
          body: JSON.stringify({ record: { ...record, ticket } }),
        });
        await expectGoodOrder(service, response.status, await response.text());
      },
    ),
    { numRuns: 200 },
  );
});
