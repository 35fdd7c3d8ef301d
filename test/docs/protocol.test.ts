/** docs/protocol.md names functions for every equation, message and check, and numbers to start with. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromBase64url, toBase64url } from '../../lib/base/bytes.ts';
import { isWireErrorCode, RoamingKeyError } from '../../lib/base/errors.ts';
import { disablingCode, disablingName } from '../../lib/protocol/disabling.ts';
import { stretchPassword, verifier } from '../../lib/protocol/password.ts';
import { stateId } from '../../lib/protocol/ticket.ts';
import { hex, toHex } from '../support/vectors.ts';
import { quoted, readPage, root, section, tableRows } from './pages.ts';

const page = readPage('docs/protocol.md');
const named = tableRows(page)
  .filter(([, , file]) => quoted(file).some((name) => name.startsWith('lib/')))
  .flatMap(([what, functions, file]) =>
    quoted(functions).map((name) => ({ what, name, file: quoted(file)[0] as string })),
  );

describe('the functions that the page names', () => {
  it('are many', () => {
    expect(named.length).toBeGreaterThan(90);
  });

  it.each(named)('$what: $name is in $file', async ({ name, file }) => {
    const module = (await import(path.join(root, file))) as Record<string, unknown>;
    const [exported, method] = name.split('#') as [string, string?];
    expect(module[exported]).toBeDefined();
    if (method === undefined) return;
    expect(typeof (module[exported] as { prototype: Record<string, unknown> }).prototype[method]).toBe(
      'function',
    );
  });

  it('leave none of the operations of the schemes out', async () => {
    const names = new Set(named.map(({ name }) => name));
    const files = ['retrieve', 'ed25519-signing', 'rsa-signing', 'elgamal-decryption'];
    for (const file of [...files.map((name) => `schemes/${name}`), 'claims', 'disabling', 'ticket']) {
      const module = (await import(path.join(root, `lib/protocol/${file}.ts`))) as Record<string, unknown>;
      const functions = Object.keys(module).filter((name) => typeof module[name] === 'function');
      // A kit is no message: it never travels.
      const missing = functions.filter((name) => !names.has(name) && !/kit/i.test(name));
      expect(missing, file).toEqual([]);
    }
  });
});

it('the table of errors is the one that the code has', () => {
  const rows = tableRows(section(page, '10. Errors over HTTP')).filter(([status]) =>
    /^\d/.test(status ?? ''),
  );
  const usual = rows.filter(([status]) => status !== '405, 413');
  const told = usual.flatMap(([status, codes]) => quoted(codes).map((code) => [code, Number(status)]));
  for (const [code, status] of told) {
    expect(isWireErrorCode(code), `${code}`).toBe(true);
    expect(new RoamingKeyError(code as 'busy', '').status, `${code}`).toBe(status);
  }
  expect(told).toHaveLength(15);
});

it('the numbers to start with are right', async () => {
  const rows = new Map(
    tableRows(section(page, 'Test vectors')).map(([what, value]) => [what, quoted(value)[0]]),
  );
  const value = (what: string) => rows.get(what) as string;
  const kdf = { name: 'argon2id', t: 3, m: 65_536, p: 4 } as const;
  const k = await stretchPassword(value('password'), hex(value('salt')), kdf);
  expect(toHex(k)).toBe(value('K'));
  expect(toHex(verifier(k))).toBe(value('β'));
  expect(toHex(disablingName(hex(value('t'))))).toBe(value('u'));
  const kit = { t: toBase64url(hex(value('t'))), assistant: { url: value('url') } };
  expect(disablingCode(kit)).toBe(value('code'));
  const fill = (length: number, byte: number) => new Uint8Array(length).fill(byte);
  const ticket = { v: 1, iat: 0, a: fill(32, 0xaa), b: fill(32, 0xbb), u: fill(32, 0xcc) } as const;
  const id = stateId({ ...ticket, scheme: 'retrieve', c: fill(48, 0xdd) });
  const [label] = [...rows.keys()].filter((what) => what?.startsWith('id of'));
  expect(toHex(fromBase64url(id) as Uint8Array)).toBe(value(label as string));
});
