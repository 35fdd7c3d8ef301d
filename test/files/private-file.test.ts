import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { replaceJsonFile } from '../../lib/device/private-file.ts';
import { readPrivateFile, writePrivateFile } from '../../lib/files/private-file.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rk-files-'));
  file = path.join(folder, 'secret.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('writes for its owner alone, whatever the umask, and reads what it wrote', async () => {
  const before = process.umask(0);
  try {
    await writePrivateFile(file, 'one');
  } finally {
    process.umask(before);
  }
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await readPrivateFile(file)).toBe('one');
  await writePrivateFile(file, 'two');
  expect(await readPrivateFile(file)).toBe('two');
  expect(readdirSync(folder)).toEqual(['secret.json']);
});

it('makes a folder that only its owner enters', async () => {
  const deep = path.join(folder, 'a', 'b', 'secret.json');
  await writePrivateFile(deep, 'x');
  expect(statSync(path.join(folder, 'a')).mode & 0o777).toBe(0o700);
  expect(statSync(path.join(folder, 'a', 'b')).mode & 0o777).toBe(0o700);
});

it.each([0o640, 0o604, 0o644, 0o660, 0o666, 0o610, 0o601])(
  'does not read a file of mode %o',
  async (mode) => {
    writeFileSync(file, 'x');
    chmodSync(file, mode);
    await expect(readPrivateFile(file)).rejects.toThrow(TypeError);
    chmodSync(file, 0o600);
    expect(await readPrivateFile(file)).toBe('x');
  },
);

it('looks at the file, not at the link that leads to it', async () => {
  const target = path.join(folder, 'target');
  writeFileSync(target, 'x', { mode: 0o644 });
  chmodSync(target, 0o644);
  symlinkSync(target, file);
  await expect(readPrivateFile(file)).rejects.toThrow(TypeError);
});

it('replaces a file that others could read by one that they cannot', async () => {
  writeFileSync(file, 'old');
  chmodSync(file, 0o644);
  await writePrivateFile(file, 'new');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it('made exclusively, exists once: of twenty at a time one is written, whole', async () => {
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000));
  const results = await Promise.allSettled(
    texts.map((text) => writePrivateFile(file, text, { exclusive: true })),
  );
  const won = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
  expect(won).toHaveLength(1);
  expect(readFileSync(file, 'utf8')).toBe(texts[won[0] as number]);
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'EEXIST' });
  expect(readdirSync(folder)).toEqual(['secret.json']);
});

it('is the old one or the new one for whoever reads while it is replaced, never half', async () => {
  const texts = ['a'.repeat(200_000), 'b'.repeat(200_000)];
  await writePrivateFile(file, texts[0] as string);
  let done = false;
  const writing = (async () => {
    for (let i = 0; i < 30; i++) await writePrivateFile(file, texts[i % 2] as string);
    done = true;
  })();
  while (!done) expect(texts).toContain(await readPrivateFile(file));
  await writing;
});

it('leaves no draft, and the old file, where it cannot be written', async () => {
  mkdirSync(file);
  await expect(writePrivateFile(file, 'x')).rejects.toThrow();
  expect(readdirSync(folder)).toEqual(['secret.json']);
  await expect(writePrivateFile(path.join(folder, 'nul\0byte'), 'x')).rejects.toThrow();
  expect(existsSync(path.join(folder, 'nul'))).toBe(false);
});

it('tells by code that there is none', async () => {
  await expect(readPrivateFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('follows links to what they point at, there or not, and keeps the links', async () => {
  const elsewhere = path.join(folder, 'volume');
  mkdirSync(elsewhere);
  writeFileSync(path.join(elsewhere, 'target'), 'old', { mode: 0o600 });
  symlinkSync('volume/target', path.join(folder, 'second'));
  symlinkSync(path.join(folder, 'second'), file);
  await writePrivateFile(file, 'new');
  expect(readFileSync(path.join(elsewhere, 'target'), 'utf8')).toBe('new');
  expect([lstatSync(file).isSymbolicLink(), lstatSync(path.join(folder, 'second')).isSymbolicLink()]).toEqual(
    [true, true],
  );
  rmSync(path.join(elsewhere, 'target'));
  await writePrivateFile(file, 'made');
  expect(readFileSync(path.join(elsewhere, 'target'), 'utf8')).toBe('made');
  expect(readdirSync(elsewhere)).toEqual(['target']);
  await replaceJsonFile(file, { a: 1 });
  expect(JSON.parse(readFileSync(path.join(elsewhere, 'target'), 'utf8'))).toEqual({ a: 1 });
  await expect(writePrivateFile(file, 'x', { exclusive: true })).rejects.toMatchObject({ code: 'EEXIST' });
  symlinkSync('round', path.join(folder, 'round'));
  await expect(writePrivateFile(path.join(folder, 'round'), 'x')).rejects.toMatchObject({ code: 'ELOOP' });
});

it.skipIf(process.getuid?.() !== 0)(
  'reads what another owner lets its group read, as Kubernetes does',
  async () => {
    for (const mode of [0o640, 0o440, 0o400]) {
      writeFileSync(file, 'x');
      chmodSync(file, mode);
      chownSync(file, 12_345, 0);
      expect(await readPrivateFile(file)).toBe('x');
      rmSync(file);
    }
    for (const mode of [0o644, 0o660, 0o650, 0o444]) {
      writeFileSync(file, 'x');
      chmodSync(file, mode);
      chownSync(file, 12_345, 0);
      await expect(readPrivateFile(file)).rejects.toThrow(TypeError);
      rmSync(file);
    }
  },
);
