import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { fileRecords, readKitFile, writeKitFile } from '../../lib/device/node.ts';
import { memoryRecords, type Records } from '../../lib/device/records.ts';
import type { DisablingKit } from '../../lib/protocol/disabling.ts';
import { type DeviceRecord, parseRecord } from '../../lib/protocol/record.ts';
import { programOf } from '../support/builds.ts';
import { vectors } from '../support/vectors.ts';

const record: DeviceRecord = parseRecord({
  ...vectors.retrieve.record,
  kdf: { name: 'argon2id', t: 3, m: 65536, p: 4 },
});
const another: DeviceRecord = { ...record, u: 'A'.repeat(43) };

const base = mkdtempSync(path.join(tmpdir(), 'records-'));
afterAll(() => rmSync(base, { recursive: true }));
let count = 0;
const fresh = () => path.join(base, `${count++}`, 'keys');

const storages: [string, () => Records][] = [
  ['memory', memoryRecords],
  ['files', () => fileRecords(fresh())],
];

describe.each(storages)('records in %s', (_, make) => {
  let records: Records;
  beforeEach(() => {
    records = make();
  });

  it('are loaded as they were saved', async () => {
    expect(await records.load('alice')).toBeUndefined();
    await records.save('alice', record);
    expect(await records.load('alice')).toStrictEqual(record);
    await records.save('alice', another);
    expect(await records.load('alice')).toStrictEqual(another);
  });

  it('of another key are not replaced by saving, only where that is said', async () => {
    const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
    const theirs: DeviceRecord = { ...another, ticket: 'another', jwk: { kty: 'OKP', crv: 'Ed25519', x } };
    await records.save('alice', record);
    await expect(records.save('alice', theirs)).rejects.toMatchObject({ code: 'refused' });
    expect(await records.load('alice')).toStrictEqual(record);
    expect(await records.replace?.('alice', record, theirs)).toBe(true);
    expect(await records.replace?.('alice', record, another)).toBe(false);
    expect(await records.load('alice')).toStrictEqual(theirs);
    await records.remove('alice');
    await records.save('alice', record);
  });

  it('are listed and removed', async () => {
    expect(await records.list()).toEqual([]);
    for (const name of ['bob', 'alice', 'Bob']) await records.save(name, record);
    expect(await records.list()).toEqual(['Bob', 'alice', 'bob']);
    await records.remove('bob');
    await records.remove('bob');
    expect(await records.list()).toEqual(['Bob', 'alice']);
    expect(await records.load('bob')).toBeUndefined();
  });

  it('are nothing but records', async () => {
    await records.save('alice', record);
    for (const wrong of [
      { ...record, version: 2 },
      { ...record, more: 1 },
      { ...record, salt: 'AA' },
      null,
      'text',
    ]) {
      await expect(records.save('alice', wrong as DeviceRecord)).rejects.toMatchObject({
        code: 'bad_record',
      });
    }
    const weak = { ...record, kdf: { ...record.kdf, m: 64 } };
    await expect(records.save('bob', weak)).rejects.toMatchObject({ code: 'bad_record' });
    expect(await records.load('alice')).toStrictEqual(record);
    expect(await records.list()).toEqual(['alice']);
  });

  it('cannot be changed through what was given or got', async () => {
    const mine = structuredClone(record) as { u: string };
    await records.save('alice', mine as DeviceRecord);
    mine.u = another.u;
    ((await records.load('alice')) as unknown as { u: string }).u = another.u;
    expect((await records.load('alice'))?.u).toBe(record.u);
  });

  it.each(['', 'x'.repeat(81), 'ü'.repeat(41), 'a\ud800', '\udc00'])('have no name %j', async (name) => {
    await expect(records.save(name, record)).rejects.toThrow(RangeError);
    await expect(records.load(name)).rejects.toThrow(RangeError);
    await expect(records.remove(name)).rejects.toThrow(RangeError);
  });

  it('are told apart by any name', async () => {
    const name = fc.oneof(
      fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
      fc.constantFrom(
        '__proto__',
        'constructor',
        '.',
        '..',
        '../x',
        '/etc/passwd',
        'CON',
        'nul',
        'a:b',
        '%61',
        '\0',
      ),
    );
    const names = fc
      .uniqueArray(name, { maxLength: 8 })
      .filter((all) => all.every((n) => Buffer.byteLength(n) <= 80));
    await fc.assert(
      fc.asyncProperty(names, async (all) => {
        const some = make();
        for (const n of all) await some.save(n, record);
        expect(await some.list()).toEqual([...all].sort());
        for (const n of all) expect(await some.load(n)).toStrictEqual(record);
        for (const n of all) await some.remove(n);
        expect(await some.list()).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});

describe('record files', () => {
  let folder: string;
  let records: Records;
  const fileOf = (name: string) => path.join(folder, `key-${name}.json`);
  beforeEach(() => {
    folder = fresh();
    records = fileRecords(folder);
  });

  it('belong to their owner alone', async () => {
    await records.save('alice', record);
    expect(statSync(fileOf('alice')).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    chmodSync(folder, 0o777);
    chmodSync(fileOf('alice'), 0o666);
    await records.save('alice', another);
    expect(statSync(fileOf('alice')).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('have names that every file system keeps apart and none takes for a path', async () => {
    const names = [
      '../../up',
      '..',
      '/abs',
      'C:\\x',
      'CON',
      'Alice',
      'alice',
      'alice@example.org',
      'é',
      'e\u0301',
      'a b.',
    ];
    for (const name of names) await records.save(name, record);
    const files = readdirSync(folder);
    expect(files).toHaveLength(names.length);
    expect(new Set(files.map((file) => file.toLowerCase().normalize('NFC'))).size).toBe(names.length);
    for (const file of files) expect(file).toMatch(/^key-[a-z0-9_@.%-]+\.json$/);
    expect(readdirSync(path.dirname(folder))).toEqual(['keys']);
    expect(files).toContain('key-alice@example.org.json');
    expect(files).toContain('key-%41lice.json');
  });

  it('have names within what file systems allow', async () => {
    await records.save('Ü'.repeat(40), record);
    expect(readdirSync(folder)[0]?.length).toBeLessThanOrEqual(255);
  });

  it.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['half a record', JSON.stringify(record).slice(0, 500)],
    ['another value', 'null'],
    ['a changed record', JSON.stringify({ ...record, kdf: { ...record.kdf, m: 8 } })],
    ['no UTF-8', Buffer.concat([Buffer.from(JSON.stringify(record)), Buffer.of(0xff)])],
    ['too much', JSON.stringify(record) + ' '.repeat(70_000)],
  ])('with %s in them are bad_record and are left alone', async (_, contents) => {
    await records.save('alice', record);
    writeFileSync(fileOf('alice'), contents);
    await expect(records.load('alice')).rejects.toMatchObject({ code: 'bad_record' });
    expect(readFileSync(fileOf('alice'))).toEqual(Buffer.from(contents));
    expect(await records.list()).toEqual(['alice']);
    await records.save('alice', another);
    expect(await records.load('alice')).toStrictEqual(another);
  });

  it.skipIf(process.platform === 'win32')('are not waited for where there is a pipe instead', async () => {
    mkdirSync(folder, { recursive: true });
    execFileSync('mkfifo', [fileOf('alice')]);
    await expect(records.load('alice')).rejects.toMatchObject({ code: 'bad_record' });
  });

  it('of others are none of ours', async () => {
    await records.save('alice', record);
    const foreign = [
      'notes.txt',
      'key-alice.json.bak',
      'key-Alice.json',
      'key-%61.json',
      'key-%4.json',
      'key-.json',
    ];
    for (const file of [...foreign, '.0123.tmp', 'key-%C3%BC.json', 'key-%ff.json']) {
      writeFileSync(path.join(folder, file), '{}');
    }
    expect(await records.list()).toEqual(['alice']);
  });

  it('are seen whole by readers while others write', async () => {
    await records.save('alice', record);
    let isDone = false;
    const readers = Array.from({ length: 4 }, async () => {
      let reads = 0;
      for (; !isDone; reads++) {
        const seen = await records.load('alice');
        expect([record.u, another.u]).toContain(seen?.u);
      }
      return reads;
    });
    await Promise.all(
      Array.from({ length: 4 }, async (_, i) => {
        for (let n = 0; n < 25; n++) await records.save('alice', (n + i) % 2 ? record : another);
      }),
    );
    isDone = true;
    for (const reads of await Promise.all(readers)) expect(reads).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(['key-alice.json']);
  });

  it('are replaced by several processes at once, and no replacement is lost', async () => {
    await records.save('ada', { ...record, ticket: '0' });
    const program = await programOf(path.join(import.meta.dirname, 'replace-worker.ts'));
    const children = Array.from({ length: 2 }, () =>
      spawn(process.execPath, [program, folder, '15'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    );
    await Promise.all(children.map(({ stdout }) => once(stdout, 'data')));
    for (const { stdin } of children) stdin.write('go');
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'close'))[0]));
    expect(codes).toEqual([0, 0]);
    expect((await records.load('ada'))?.ticket).toBe('30');
    expect(readdirSync(folder)).toEqual(['key-ada.json']);
  });

  it('leave no draft behind when saving fails', async () => {
    mkdirSync(path.join(fileOf('alice'), 'inside'), { recursive: true });
    await expect(records.save('alice', record)).rejects.toThrow(/EISDIR|ENOTEMPTY|EPERM|EEXIST/);
    expect(readdirSync(folder)).toEqual(['key-alice.json']);
  });

  it('pass on what the file system says', async () => {
    mkdirSync(path.dirname(folder), { recursive: true });
    writeFileSync(folder, 'a file where the folder should be');
    const attempts = [
      () => records.load('a'),
      () => records.save('a', record),
      () => records.remove('a'),
      () => records.list(),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toThrow(/ENOTDIR|EEXIST/);
  });

  it('need a folder', () => {
    expect(() => fileRecords('')).toThrow(TypeError);
    expect(() => fileRecords(undefined as unknown as string)).toThrow(TypeError);
  });
});

describe('kit files', () => {
  const kit: DisablingKit = vectors.retrieve.kit;

  it('are read as they were written, by their owner alone', async () => {
    const file = path.join(base, 'kit.json');
    await writeKitFile(file, kit);
    expect(await readKitFile(file)).toStrictEqual(kit);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('never replace another kit', async () => {
    const file = path.join(base, 'once.json');
    await writeKitFile(file, kit);
    await expect(writeKitFile(file, { ...kit, t: 'A'.repeat(22) })).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readKitFile(file)).toStrictEqual(kit);
  });

  it('hold nothing but a kit', async () => {
    const file = path.join(base, 'bad.json');
    await expect(writeKitFile(file, { ...kit, t: 'AA' })).rejects.toMatchObject({ code: 'bad_kit' });
    await expect(readKitFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
    for (const contents of ['', '{', JSON.stringify(record), JSON.stringify({ ...kit, version: 2 })]) {
      writeFileSync(file, contents);
      await expect(readKitFile(file)).rejects.toMatchObject({ code: 'bad_kit' });
      expect(readFileSync(file, 'utf8')).toBe(contents);
    }
  });
});
