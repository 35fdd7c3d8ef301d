/**
 * Builds the package twice, from two clean copies in different folders, and fails unless both tarballs are the same
 * bytes and hold exactly what they should. With `--out` the tarball stays, to be published as it is.
 *
 *     npm run release:check -- [--out folder] [--quick]
 *
 * `--quick` builds once, and takes the build that is here for the other: it must be of these sources.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { LIFECYCLE } from './lifecycle.ts';

const ROOT = path.join(import.meta.dirname, '..');
const TOP_LEVEL = [
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'dist',
  'docs',
  'examples',
  'lib',
  'package.json',
];
const MAX_UNPACKED = 7_000_000;

interface Entry {
  readonly mode: number;
  readonly contents: Buffer;
}

/** File name without `package/` → the file. */
type Tarball = ReadonlyMap<string, Entry>;

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): string {
  const options = { cwd, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 2 ** 26 } as const;
  const { status, stdout, stderr, error } = spawnSync(command, args, options);
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
  return stdout;
}

/** The files that git knows, as they are now, and the installed dependencies beside them. */
function copy(to: string): void {
  mkdirSync(to, { recursive: true });
  const listed = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], ROOT);
  for (const file of listed.split('\0').filter(Boolean))
    cpSync(path.join(ROOT, file), path.join(to, file), { recursive: true });
  const [from, into] = [path.join(ROOT, 'node_modules'), path.join(to, 'node_modules')];
  // Links cost no space, and no time; but not every file system is the same one.
  const linked = spawnSync('cp', ['-al', from, into]);
  if (linked.status === 0) return;
  rmSync(into, { recursive: true, force: true });
  cpSync(from, into, { recursive: true, verbatimSymlinks: true });
}

/** Builds as for a release, in a clean copy. */
function buildIn(to: string, env: NodeJS.ProcessEnv): string {
  copy(to);
  run('npm', ['run', '--silent', 'build'], to, env);
  run('npm', ['run', '--silent', 'build:browser'], to, env);
  return to;
}

/** Packs what is built. */
function pack(from: string, env: NodeJS.ProcessEnv): Buffer {
  const args = ['pack', '--json', '--pack-destination', folder];
  const [packed] = JSON.parse(run('npm', args, from, env)) as { filename: string }[];
  return readFileSync(path.join(folder, packed?.filename as string));
}

/** Reads a tarball of plain files, as npm makes them. */
function untar(tarball: Buffer): Tarball {
  const tar = gunzipSync(tarball);
  const entries = new Map<string, Entry>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const field = (from: number, length: number) =>
      tar.toString('utf8', at + from, at + from + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(field(124, 12), 8);
    const name = [field(345, 155), field(0, 100)].filter(Boolean).join('/');
    if (field(156, 1) !== '0') throw new Error(`${name} is no plain file`);
    const contents = tar.subarray(at + 512, at + 512 + size);
    entries.set(name.replace(/^package\//, ''), { mode: Number.parseInt(field(100, 8), 8), contents });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}

/** What is wrong with a tarball, one line each. */
function problems(files: Tarball): string[] {
  const found: string[] = [];
  const must = (holds: boolean, what: string) => {
    if (!holds) found.push(what);
  };
  const names = [...files.keys()];
  const text = (name: string) => files.get(name)?.contents.toString('utf8') ?? '';
  const top = [...new Set(names.map((name) => name.split('/')[0] as string))].sort();
  must(top.join() === TOP_LEVEL.join(), `holds ${top.join(', ')} instead of ${TOP_LEVEL.join(', ')}`);

  const manifest = JSON.parse(text('package.json')) as Manifest;
  for (const target of targetsOf(manifest.exports).filter((to) => to !== './package.json'))
    must(files.has(target.slice(2)), `exports names ${target}, which is not there`);
  for (const [name, file] of Object.entries(manifest.bin)) {
    const entry = files.get(file.slice(2));
    must(entry !== undefined && (entry.mode & 0o111) === 0o111, `${name} cannot be run`);
    must(text(file.slice(2)).startsWith('#!/usr/bin/env node\n'), `${name} does not say what runs it`);
  }
  must(text('LICENSE') === readFileSync(path.join(ROOT, 'LICENSE'), 'utf8'), 'LICENSE is another');
  for (const name of LIFECYCLE)
    must(manifest.scripts[name] === undefined, `runs ${name} where it is installed`);

  const sources = names.filter((name) => name.startsWith('lib/') && !name.endsWith('.css'));
  const built = names.filter((name) => name.startsWith('dist/') && !name.startsWith('dist/browser/'));
  const endings = ['.js', '.js.map', '.d.ts', '.d.ts.map'];
  const expected = sources.flatMap((name) =>
    endings.map((end) => `dist/${name.slice(4).replace(/\.[jt]s$/, end)}`),
  );
  must(built.sort().join() === expected.sort().join(), 'dist is not what lib is compiled to');
  for (const name of sources) must(/^lib\/[a-z0-9/-]+\.[jt]s$/.test(name), `${name} is no source`);

  const ofThisMachine = [ROOT, tmpdir(), homedir(), hostname()].filter((one) => one.length > 4);
  for (const name of names) {
    const contents = text(name);
    must(!/(^|[/.-])(test|spec|fixtures?)([/.-]|$)/.test(name), `${name} is a test`);
    must(!ofThisMachine.some((one) => contents.includes(one)), `${name} names a place on this machine`);
    must(!/-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=\s]{40}/.test(contents), `${name} holds a key`);
    must(!/"d"\s*:\s*"[\w-]{40,}"/.test(contents), `${name} holds a private JWK`);
    if (name.endsWith('.map')) found.push(...problemsOfMap(name, contents, files));
  }
  return found;
}

function problemsOfMap(name: string, contents: string, files: Tarball): string[] {
  const { sources, sourceRoot = '' } = JSON.parse(contents) as { sources: string[]; sourceRoot?: string };
  return sources
    .map((source) => path.posix.join(path.posix.dirname(name), sourceRoot, source))
    .filter((source) => !files.has(source))
    .map((source) => `${name} leads to ${source}, which is not there`);
}

interface Manifest {
  readonly exports: unknown;
  readonly bin: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}

function targetsOf(exports: unknown): readonly string[] {
  if (typeof exports === 'string') return [exports];
  return Object.values(exports as object).flatMap(targetsOf);
}

const { values } = parseArgs({
  options: { out: { type: 'string' }, quick: { type: 'boolean', default: false } },
});
const folder = mkdtempSync(path.join(tmpdir(), 'release-'));
try {
  const here = { TZ: 'UTC', LANG: 'C' };
  const far = { TZ: 'Asia/Kathmandu', LANG: 'de_DE.UTF-8' };
  const second = pack(buildIn(path.join(folder, 'two/and deeper'), far), far);
  const first = pack(values.quick ? ROOT : buildIn(path.join(folder, 'one'), here), here);
  const files = untar(first);
  const again = untar(second);
  const differing = [...new Set([...files.keys(), ...again.keys()])].filter((name) => {
    const [one, other] = [files.get(name), again.get(name)];
    return !one || !other || one.mode !== other.mode || !one.contents.equals(other.contents);
  });
  const wrong = [...problems(files), ...differing.map((name) => `${name} differs from build to build`)];
  if (differing.length === 0 && !first.equals(second)) wrong.push('the tarball differs, and no file in it');
  const unpacked = [...files.values()].reduce((sum, { contents }) => sum + contents.length, 0);
  if (unpacked > MAX_UNPACKED) wrong.push(`has ${unpacked} bytes, and may have ${MAX_UNPACKED}`);
  for (const problem of wrong) console.error(problem);
  const integrity = `sha512-${createHash('sha512').update(first).digest('base64')}`;
  console.log(`${files.size} files, ${first.length} bytes, ${unpacked} unpacked\n${integrity}`);
  if (values.out !== undefined && wrong.length === 0) {
    mkdirSync(values.out, { recursive: true });
    const [name] = readdirSync(folder).filter((file) => file.endsWith('.tgz')) as [string];
    cpSync(path.join(folder, name), path.join(values.out, name));
  }
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
