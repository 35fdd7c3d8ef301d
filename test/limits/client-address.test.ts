import express from 'express';
import request from 'supertest';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { addressLimit } from '../../lib/limits/address-limit.ts';
import { clientAddress } from '../../lib/limits/client-address.ts';
import { MemoryStore } from '../../lib/store/memory.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** An app that answers with the address it believes in, behind a proxy or not. */
function limited(
  trustProxy: number | false,
  { limit = 2, store = undefined as MemoryStore | undefined } = {},
) {
  const app = express().set('trust proxy', trustProxy);
  const options = { limit, windowSeconds: 60, purpose: 'test', clock: () => 1000, ...(store && { store }) };
  app.use(addressLimit(options), (req, res) => {
    res.end(clientAddress(req));
  });
  return app;
}

const from = (app: express.Express, address: string) => request(app).get('/').set('X-Forwarded-For', address);

describe('where a request comes from', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:54321', '192.0.2.1'],
    ['[192.0.2.1]:54321', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['[::ffff:192.0.2.1]:443', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:0:192.0.2.1', '192.0.2.1'],
    ['64:ff9b::192.0.2.1', '192.0.2.1'],
    ['64:FF9B::c000:0201', '192.0.2.1'],
    ['64:ff9b:1::192.0.2.1', '192.0.2.1'],
    ['2002:c000:201::7', '192.0.2.1'],
    ['2001:db8:1:2ff::1', '2001:db8:1::/48'],
    ['2001:DB8:1:201:ffff::', '2001:db8:1::/48'],
    ['2001:0db8:0001:300::1', '2001:db8:1::/48'],
    ['2001:db8:1::192.0.2.1', '2001:db8:1::/48'],
    ['2001:db8:1:ffff::1%eth0', '2001:db8:1::/48'],
    ['[2001:db8:1::9]', '2001:db8:1::/48'],
    ['[2001:db8:1::9]:2000', '2001:db8:1::/48'],
    ['[fe80::1%25en0]:2000', 'fe80::/48'],
    ['2001:db8:2::1', '2001:db8:2::/48'],
    ['2001:db8::1', '2001:db8::/48'],
    ['::1', '::/48'],
    ['', 'unknown'],
    ['unknown', 'unknown'],
    ['_hidden', 'unknown'],
    ['foo:bar', 'unknown'],
    ['192.0.2.256', 'unknown'],
    ['192.0.2.01', 'unknown'],
    ['192.0.2.1:1:1', 'unknown'],
    ['[2001:db8::1', 'unknown'],
    ['[2001:db8::1]x', 'unknown'],
    ['2001:db8:::1', 'unknown'],
    ['x'.repeat(16_384), 'unknown'],
  ])('%s counts as %s', (ip, expected) => {
    expect(clientAddress({ ip })).toBe(expected);
  });

  it('is what a trusted proxy says, and what nobody else says', async () => {
    expect((await from(limited(1), '203.0.113.7')).text).toBe('203.0.113.7');
    expect((await from(limited(1), '198.51.100.1, 203.0.113.7')).text).toBe('203.0.113.7');
    expect((await from(limited(false), '203.0.113.7')).text).toBe('127.0.0.1');
  });
});

describe('a limit per address', () => {
  it('stops one address and not another', async () => {
    const app = limited(1);
    await from(app, '203.0.113.7').expect(200);
    await from(app, '203.0.113.7').expect(200);
    const { body, headers } = await from(app, '203.0.113.7').expect(429);
    expect(body).toMatchObject({ code: 'busy', status: 429 });
    expect(headers['content-type']).toBe('application/problem+json');
    expect(Number(headers['retry-after'])).toBe(body.retryAt - 1000);
    await from(app, '203.0.113.8').expect(200);
  });

  it('cannot be escaped by moving within a /48, or by another spelling', async () => {
    const app = limited(1);
    await from(app, '2001:db8:1:200::1').expect(200);
    await from(app, '2001:db8:1:ff01::2').expect(200);
    for (const spelling of ['2001:db8:1::3', '[2001:db8:1::4]:4000', '2001:DB8:1::5', '[2001:db8:1::6]'])
      await from(app, spelling).expect(429);
    await from(app, '2001:db8:2::1').expect(200);
  });

  it('is one for all whose address cannot be read', async () => {
    const app = limited(1);
    for (const [text, status] of [
      ['unknown', 200],
      ['_hidden', 200],
      ['10.0.0.300', 429],
    ] as const)
      await from(app, text).expect(status);
  });

  it('is one for each IPv4 address behind a translator', async () => {
    const app = limited(1, { limit: 1 });
    await from(app, '64:ff9b::192.0.2.1').expect(200);
    await from(app, '192.0.2.1').expect(429);
    await from(app, '64:ff9b::192.0.2.2').expect(200);
  });

  it('cannot be escaped by a header that no proxy has set, and an operator hears of that once', async () => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const app = limited(false);
    await from(app, '203.0.113.1').expect(200);
    await from(app, '203.0.113.2').set('Forwarded', 'for=203.0.113.2').expect(200);
    await from(app, '203.0.113.3').expect(429);
    expect(warnings.mock.calls).toEqual([[expect.stringContaining('`trust proxy`'), 'RoamingKeyWarning']]);
    await from(limited(1), '203.0.113.1').expect(200);
    await request(limited(false)).get('/').expect(200);
    expect(warnings).toHaveBeenCalledTimes(1);
  });

  it('is one for two processes on one store, whatever a client says of itself', async () => {
    const store = new MemoryStore();
    const [one, other] = [limited(false, { store }), limited(false, { store })];
    await from(one, '203.0.113.1').expect(200);
    await from(other, '203.0.113.2').expect(200);
    for (const app of [one, other]) await from(app, '203.0.113.3').expect(429);
  });

  it('is one for two processes on one store, and another for every client of a trusted proxy', async () => {
    const store = new MemoryStore();
    const [one, other] = [limited(1, { store }), limited(1, { store })];
    await from(one, '203.0.113.1').expect(200);
    await from(other, '198.51.100.1, 203.0.113.1').expect(200);
    const { body, headers } = await from(one, '203.0.113.1').expect(429);
    expect(Number(headers['retry-after'])).toBe(body.retryAt - 1000);
    expect(body.retryAt).toBeLessThanOrEqual(1060);
    for (const app of [one, other]) await from(app, '203.0.113.2').expect(200);
    await from(one, '203.0.113.2').expect(429);
  });

  it('is refused at construction where it is none', () => {
    for (const limit of [0, -1, 1.5])
      expect(() => addressLimit({ limit, windowSeconds: 60, purpose: 'test' })).toThrow('limit');
    for (const windowSeconds of [0, 86_401, 0.5])
      expect(() => addressLimit({ limit: 1, windowSeconds, purpose: 'test' })).toThrow('windowSeconds');
  });
});
