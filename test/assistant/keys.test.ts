import { spawn } from 'node:child_process';
import type { JsonWebKey } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { calculateJwkThumbprint } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AssistantKeyType, KeySet } from '../../lib/assistant/keys.ts';
import type { AssistantJwk } from '../../lib/crypto/jwe/jwe.ts';
import { localUnwrap, type Unwrap } from '../../lib/crypto/jwe/jwe-node.ts';
import { assist, makeRequest, makeTicket, random } from '../attacks/support.ts';
import { compiledModules } from '../support/builds.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';
import { startAssistant } from '../support/world.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rk-keys-'));
  file = path.join(folder, 'keys.json');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

interface Stored {
  keys: { state: string; since: number; jwk: Record<string, string> }[];
}
const stored = () => JSON.parse(readFileSync(file, 'utf8')) as Stored;
const days = (n: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + n * 86_400_000 });

/** Whether tickets that are sealed to `jwk` are helped with by an assistant with these keys. */
async function works(keys: KeySet, jwk: AssistantJwk): Promise<boolean> {
  const world = await startAssistant({ keys });
  return (await assist(world, await makeRequest(await makeTicket(jwk)))).status === 200;
}

describe.each<AssistantKeyType>(['X25519', 'P-256', 'RSA-OAEP-256'])('a key of type %s', (type) => {
  it('is generated, saved, loaded, and works after that', async () => {
    const keys = await KeySet.generate({ type });
    await keys.save(file);
    const loaded = await KeySet.load(file);
    expect(loaded.active.jwk).toEqual(keys.active.jwk);
    expect(await works(loaded, keys.active.jwk)).toBe(true);
  });

  it('is published without its private half', async () => {
    const keys = await KeySet.generate({ type });
    const [published] = keys.jwks().keys as Record<string, string>[];
    const members = { X25519: ['crv', 'x'], 'P-256': ['crv', 'x', 'y'], 'RSA-OAEP-256': ['e', 'n'] }[type];
    expect(Object.keys(published ?? {}).sort()).toEqual(['alg', 'kid', 'kty', 'use', ...members].sort());
    const { kid, use: _use, alg: _alg, ...bare } = published as Record<string, string>;
    expect(kid).toBe(await calculateJwkThumbprint(bare));
    expect(JSON.stringify(keys)).not.toContain('"d"');
  });

  it('whose halves do not belong together is not loaded', async () => {
    await (await KeySet.generate({ type })).save(file);
    const other = (await KeySet.generate({ type })).active.jwk as unknown as Record<string, string>;
    const set = stored();
    const { jwk } = set.keys[0] as Stored['keys'][0];
    for (const name of type === 'RSA-OAEP-256' ? ['n'] : ['x', 'y']) {
      if (jwk[name]) jwk[name] = other[name] as string;
    }
    const text = JSON.stringify(set);
    writeFileSync(file, text);
    await expect(KeySet.load(file)).rejects.toThrow(TypeError);
    await expect(KeySet.file(file)).rejects.toThrow(TypeError);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

describe('the file', () => {
  it('is made at the first start and read at every later one', async () => {
    const first = await KeySet.file(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const second = await KeySet.file(file, { type: 'P-256' });
    expect(second.active.jwk).toEqual(first.active.jwk);
  });

  it('is refused when others may read it, and stays as it is', async () => {
    await KeySet.file(file);
    const before = readFileSync(file, 'utf8');
    for (const mode of [0o640, 0o644, 0o604]) {
      chmodSync(file, mode);
      await expect(KeySet.load(file)).rejects.toThrow(/chmod 600/);
      await expect(KeySet.file(file)).rejects.toThrow(TypeError);
    }
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('of twenty callers at once has the keys that all of them get', async () => {
    const sets = await Promise.all(Array.from({ length: 20 }, () => KeySet.file(file)));
    expect(new Set(sets.map((set) => set.active.jwk.kid)).size).toBe(1);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  it('of two processes that start at once has the keys that both get', async () => {
    const code = `import { KeySet } from '${await compiledModules()}assistant/keys.js';
      process.stdin.once('data', async () => {
        console.log((await KeySet.file(${JSON.stringify(file)})).active.jwk.kid);
        process.exit();
      });
      console.log('ready');`;
    const start = () => {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
        env: { ...process.env, NODE_NO_WARNINGS: '1' },
      });
      const lines: string[] = [];
      child.stderr.on('data', (data) => lines.push(String(data)));
      const ready = new Promise<void>((resolve) =>
        child.stdout.on('data', (data) => {
          lines.push(...String(data).trim().split('\n'));
          resolve();
        }),
      );
      const ended = new Promise<string[]>((resolve) => child.once('exit', () => resolve(lines)));
      return { child, ready, ended };
    };
    const two = [start(), start()];
    await Promise.all(two.map(({ ready }) => ready));
    for (const { child } of two) child.stdin.write('go');
    const [one, other] = await Promise.all(two.map(({ ended }) => ended));
    expect(one).toHaveLength(2);
    expect(one).toEqual(other);
    expect((await KeySet.load(file)).active.jwk.kid).toBe(one?.[1]);
  });

  it.each<[string, (set: Stored) => unknown]>([
    ['cut off', (set) => JSON.stringify(set).slice(0, -20)],
    ['empty', () => ''],
    ['null', () => 'null'],
    ['of another version', (set) => JSON.stringify({ ...set, version: 2 })],
    ['without keys', (set) => JSON.stringify({ ...set, keys: [] })],
    ['with two active keys', (set) => JSON.stringify({ ...set, keys: [...set.keys, ...set.keys] })],
    [
      'with no active key',
      (set) => JSON.stringify({ ...set, keys: set.keys.map((key) => ({ ...key, state: 'retiring' })) }),
    ],
    ['with a public key alone', (set) => edit(set, { d: undefined })],
    ['without a public key', (set) => edit(set, { x: undefined })],
    ['with a key of another kind', (set) => edit(set, { crv: 'Ed25519' })],
    ['with a symmetric key', (set) => edit(set, { kty: 'oct', k: 'AA' })],
    ['with a key that is short', (set) => edit(set, { d: 'AA' })],
    [
      'with a state nobody knows',
      (set) => JSON.stringify({ ...set, keys: [{ ...set.keys[0], state: 'asleep' }] }),
    ],
    [
      'with a time that is none',
      (set) => JSON.stringify({ ...set, keys: [{ ...set.keys[0], since: 'now' }] }),
    ],
  ])('that is %s is refused and left untouched', async (_name, damage) => {
    await KeySet.file(file);
    const text = damage({ version: 1, ...stored() } as Stored) as string;
    writeFileSync(file, text);
    await expect(KeySet.load(file)).rejects.toThrow(TypeError);
    await expect(KeySet.file(file)).rejects.toThrow(TypeError);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  it('that does not exist is told by code', async () => {
    await expect(KeySet.load(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('no error of loading shows a key', async () => {
    await KeySet.file(file);
    const [{ jwk }] = stored().keys as [Stored['keys'][0]];
    const d = jwk['d'] as string;
    writeFileSync(file, edit(stored(), { crv: 'P-256' }));
    const error = await KeySet.load(file).catch((e: unknown) => e);
    expect(`${(error as Error).stack} ${JSON.stringify(error)}`).not.toContain(d);
  });
});

function edit(set: Stored, change: Record<string, string | undefined>): string {
  return JSON.stringify({
    version: 1,
    keys: set.keys.map((key) => ({ ...key, jwk: { ...key.jwk, ...change } })),
  });
}

describe('rotation', () => {
  it('publishes the new key first, keeps the old, and both work, after a restart too', async () => {
    const keys = await KeySet.file(file);
    const old = keys.active.jwk;
    await keys.rotate({ type: 'P-256' });
    await keys.save(file);
    for (const set of [keys, await KeySet.load(file)]) {
      expect(set.active.jwk).toMatchObject({ kty: 'EC' });
      expect(set.jwks().keys.map((key) => (key as { kid: string }).kid)).toEqual([
        set.active.jwk.kid,
        old.kid,
      ]);
      expect(set.find(old.kid)?.retiring).toBe(true);
      expect(set.find(set.active.jwk.kid)?.retiring).toBe(false);
      expect(await works(set, old)).toBe(true);
      expect(await works(set, set.active.jwk)).toBe(true);
    }
  });

  it('drops a key after 400 days of retirement, and not of activity, across restarts', async () => {
    const keys = await KeySet.file(file);
    const { kid } = keys.active.jwk;
    days(1000);
    expect(keys.retire()).toEqual([]);
    await keys.rotate();
    await keys.save(file);
    days(399);
    expect((await KeySet.load(file)).retire()).toEqual([]);
    days(2);
    const loaded = await KeySet.load(file);
    expect(loaded.retire()).toEqual([kid]);
    expect(loaded.find(kid)).toBeUndefined();
    expect(loaded.jwks().keys).toHaveLength(1);
    await loaded.save(file);
    expect(stored().keys).toHaveLength(1);
  });

  it('takes an age that is one', async () => {
    const keys = await KeySet.generate();
    await keys.rotate();
    for (const age of [-1, Number.NaN, '30' as never, Number.POSITIVE_INFINITY]) {
      expect(() => keys.retire({ age })).toThrow(TypeError);
    }
    expect(keys.retire({ age: 60 })).toEqual([]);
    expect(keys.retire({ age: 0 })).toHaveLength(1);
  });
});

describe('keys that live elsewhere', () => {
  async function elsewhere(): Promise<{ jwk: AssistantJwk; unwrap: Unwrap; asked: string[] }> {
    const { publicKey, privateKey } = generateKeyPairSync('x25519');
    const bare = publicKey.export({ format: 'jwk' }) as JsonWebKey;
    const jwk = { ...bare, kid: await calculateJwkThumbprint(bare) } as AssistantJwk;
    const local = localUnwrap(privateKey);
    const asked: string[] = [];
    const unwrap: Unwrap = async (request) => {
      asked.push(request.alg);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return local(request);
    };
    return { jwk, unwrap, asked };
  }

  it('open tickets and requests through the function alone, active and retiring', async () => {
    const [now, before] = await Promise.all([elsewhere(), elsewhere()]);
    const keys = await KeySet.of(now, [before]);
    expect(await works(keys, now.jwk)).toBe(true);
    expect(now.asked).toEqual(['ECDH-ES', 'ECDH-ES']);
    const world = await startAssistant({ keys });
    const { opened } = await assist(world, await makeRequest(await makeTicket(before.jwk)));
    expect(opened).toMatchObject({ renewed: { key: now.jwk } });
    expect(before.asked).toEqual(['ECDH-ES', 'ECDH-ES']);
  });

  it('that cannot be reached answer as for a damaged message, and count nothing', async () => {
    const { jwk, unwrap } = await elsewhere();
    let down = false;
    const keys = await KeySet.of({
      jwk,
      unwrap: (request) => (down ? Promise.reject(new Error('KMS')) : unwrap(request)),
    });
    const world = await startAssistant({ keys });
    const owner = await makeTicket(jwk);
    const typo = await makeRequest(owner, { beta: random(32) });
    down = true;
    expect((await assist(world, typo)).json.code).toBe('bad_ticket');
    down = false;
    expect((await assist(world, await makeRequest(owner))).opened).toMatchObject({
      failedSince: { count: 0 },
    });
  });

  it('are checked, and cannot be saved', async () => {
    const { jwk, unwrap } = await elsewhere();
    const keys = await KeySet.of({ jwk, unwrap });
    await expect(keys.save(file)).rejects.toThrow(/live elsewhere/);
    expect(readdirSync(folder)).toEqual([]);
    await expect(KeySet.of({ jwk: { ...jwk, kid: (await elsewhere()).jwk.kid }, unwrap })).rejects.toThrow(
      TypeError,
    );
    await expect(KeySet.of({ jwk: { ...jwk, d: 'AA' } as never, unwrap })).rejects.toThrow(TypeError);
    await expect(KeySet.of({ jwk, unwrap: 'kms' as never })).rejects.toThrow(TypeError);
    await expect(KeySet.of({ jwk, unwrap }, [{ jwk: {} as never, unwrap }])).rejects.toThrow(TypeError);
  });
});

describe('a key set in the environment', () => {
  it('is read from the text of a file, or from its value', async () => {
    const keys = await KeySet.file(file);
    await keys.rotate();
    await keys.save(file);
    const text = readFileSync(file, 'utf8');
    for (const given of [text, JSON.parse(text) as object]) {
      const read = await KeySet.from(given);
      expect(read.jwks()).toEqual(keys.jwks());
      const again = `${file}.again`;
      await read.save(again);
      expect(JSON.parse(readFileSync(again, 'utf8'))).toEqual(JSON.parse(text));
    }
  });

  it('that is none is refused, and the message holds nothing of it', async () => {
    await KeySet.file(file);
    const text = readFileSync(file, 'utf8');
    const { d } = (stored().keys[0] as { jwk: Record<string, string> }).jwk;
    for (const wrong of [undefined, '', '{}', text.slice(0, -9), text.replace('X25519', 'Ed25519'), 'null']) {
      const error = await KeySet.from(wrong).catch((reason: unknown) => reason as Error);
      expect(error, `${wrong}`).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/key set|key that/);
      expect((error as Error).message).not.toContain(d);
    }
  });
});

it('a new key set is warned of, one that was there is not', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await KeySet.file(file);
  expect(warn.mock.calls.map(([text]) => text)).toEqual([
    expect.stringContaining(`NEW key set for the assistant was made in ${file}`),
  ]);
  await KeySet.file(file);
  await KeySet.from(readFileSync(file, 'utf8'));
  expect(warn).toHaveBeenCalledTimes(1);
  warn.mockRestore();
});

it('a set that is saved exclusively replaces none', async () => {
  await KeySet.file(file);
  const before = readFileSync(file, 'utf8');
  const other = await KeySet.generate();
  await expect(other.save(file, { exclusive: true })).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readFileSync(file, 'utf8')).toBe(before);
});
