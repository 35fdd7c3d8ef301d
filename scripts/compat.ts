/**
 * Installs the package as its users do and tries it there: from CommonJS and from ES modules, with Express 5, with
 * Express 4 and Express 5 side by side, with Express 4 alone, and bundled into one file; and has releases of TypeScript
 * check a program against its types. Needs npm's registry.
 *
 *     tsx scripts/compat.ts [--quick] [further node programs to run with …]
 *
 * `--quick` takes the build at hand, and checks types with the newest release of TypeScript alone.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');
const consumer = path.join(root, 'test/compat/consumer');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const nodes = [process.execPath, ...positionals];

const TYPESCRIPTS = values.quick ? ['7.0'] : ['5.9', '6.0', '7.0'];
const STRICT =
  '--noEmit --strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --skipLibCheck false --target es2022 --types node';
const TYPE_CHECKS = {
  'module nodenext': `${STRICT} --module nodenext --lib es2022,dom types.ts types-commonjs.cts`,
  'for a bundler': `${STRICT} --module esnext --moduleResolution bundler --lib es2022,dom types.ts`,
  'moduleResolution node10': `--noEmit --strict --skipLibCheck --esModuleInterop --target es2022 --lib es2022,dom --types node --module commonjs --moduleResolution node10 types.ts`,
  'a server without the DOM': `${STRICT} --module nodenext --lib es2022 types-server.ts`,
};

/** The repository's own settings do not allow this file, its users' do. */
const TYPES_COMMONJS = `
import roamingKey = require('passport-roaming-key');
import device = require('passport-roaming-key/device');
export const store: roamingKey.Store = new roamingKey.MemoryStore();
export const records: device.Records = device.memoryRecords();
`;

interface Run {
  readonly ok: boolean;
  readonly output: string;
}

function run(command: string, args: readonly string[], cwd: string): Run {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 120_000 });
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? ''}` };
}

function must(result: Run): string {
  if (!result.ok) throw new Error(result.output);
  return result.output;
}

const failed: string[] = [];
function report(what: string, { ok, output }: Run): void {
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${what}`);
  if (ok) return;
  failed.push(what);
  console.log(output.replace(/^/gm, '       | '));
}

/** Packs in a folder of its own: a build of its own, so that nothing old is packed, or the quick way what is there. */
function pack(folder: string): string {
  const copy = path.join(folder, 'package');
  const dist = path.join(copy, 'dist');
  mkdirSync(copy);
  if (values.quick) cpSync(path.join(root, 'dist'), dist, { recursive: true });
  else must(run('npx', ['tsc', '-p', 'tsconfig.build.json', '--outDir', dist], root));
  for (const file of ['lib', 'package.json', 'README.md', 'LICENSE'])
    cpSync(path.join(root, file), path.join(copy, file), { recursive: true });
  must(run('npm', ['pack', '--pack-destination', folder, '--silent'], copy));
  return path.join(folder, `${manifest.name}-${manifest.version}.tgz`);
}

function install(folder: string, packages: readonly string[]): Run {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--loglevel=error', '--no-audit', '--no-fund', '--prefer-offline', ...packages];
  return run('npm', args, folder);
}

/** The consumer's program in a module system, with `express` meaning `express`. */
async function dialogue(folder: string, format: 'cjs' | 'esm', express = 'express'): Promise<string> {
  const outfile = path.join(folder, `dialogue-${express}.${format === 'cjs' ? 'cjs' : 'mjs'}`);
  await build({
    entryPoints: [path.join(consumer, 'dialogue.ts')],
    absWorkingDir: consumer,
    bundle: true,
    platform: 'node',
    format,
    packages: 'external',
    // The repository's own tsconfig would lead to the sources instead of the package.
    tsconfigRaw: {},
    alias: express === 'express' ? {} : { express },
    outfile,
  });
  return outfile;
}

async function tryRuntimes(folder: string): Promise<void> {
  const programs = {
    'CommonJS, require(esm)': await dialogue(folder, 'cjs'),
    'ES modules': await dialogue(folder, 'esm'),
    'an Express 4 app, Express 5 beside it': await dialogue(folder, 'esm', 'express4'),
  };
  for (const node of nodes) {
    const version = must(run(node, ['--version'], folder)).trim();
    for (const [what, program] of Object.entries(programs))
      report(`Node ${version}: ${what}`, run(node, [program], folder));
  }
}

function tryTypes(folder: string): void {
  for (const file of ['types.ts', 'types-server.ts'])
    cpSync(path.join(consumer, file), path.join(folder, file));
  writeFileSync(path.join(folder, 'types-commonjs.cts'), TYPES_COMMONJS);
  for (const version of TYPESCRIPTS) {
    // All ways with the newest, which is by far the fastest; the older ones in the way that most servers are set up.
    const isNewest = version === TYPESCRIPTS.at(-1);
    // TypeScript 7 has no node10 any more.
    const checks = Object.entries(TYPE_CHECKS).filter(([what], i) =>
      what.endsWith('node10') ? version === '5.9' : isNewest || i === 0,
    );
    const tsc = path.join(folder, `node_modules/typescript-${version}/bin/tsc`);
    for (const [what, flags] of checks)
      report(`TypeScript ${version}: ${what}`, run(process.execPath, [tsc, ...flags.split(' ')], folder));
  }
}

/** One file, run where nothing is installed: without its worker it says what is missing, with it all works. */
async function tryBundled(app: string, folder: string): Promise<void> {
  const worker = path.join(app, 'node_modules', manifest.name, 'dist/exponentiation/worker.js');
  const bundle = (entry: string, outfile: string) =>
    build({
      entryPoints: [entry],
      absWorkingDir: app,
      bundle: true,
      platform: 'node',
      tsconfigRaw: {},
      logLevel: 'error',
      outfile,
    });
  const server = path.join(folder, 'server.cjs');
  // Beside the installed package, or the repository's own name would lead to its sources.
  cpSync(path.join(consumer, 'bundled.ts'), path.join(app, 'bundled.ts'));
  await bundle(path.join(app, 'bundled.ts'), server);
  const without = run(process.execPath, [server], folder);
  report('a bundled server without its worker says so', {
    ok: !without.ok && without.output.includes('exponentiation-worker.js'),
    output: without.output,
  });
  await bundle(worker, path.join(folder, 'exponentiation-worker.js'));
  report('a bundled server with its worker', run(process.execPath, [server], folder));
}

/** Where Express 4 is no peer, npm must say so, since half of it would work; where it is one, all must work. */
async function tryExpress4(folder: string, tarball: string): Promise<void> {
  const installed = install(folder, [tarball, 'express@4.21', 'passport@^0.7']);
  const isPeer = /(^|[^\d.])4\b/.test(manifest.peerDependencies.express);
  if (!isPeer) {
    const refused = !installed.ok && installed.output.includes('ERESOLVE');
    report('Express 4.21 alone: npm refuses', { ok: refused, output: installed.output });
  } else if (installed.ok) {
    report('Express 4.21 alone', run(process.execPath, [await dialogue(folder, 'esm')], folder));
  } else report('Express 4.21 alone', installed);
}

const started = Date.now();
const folder = mkdtempSync(path.join(tmpdir(), 'compat-'));
try {
  const tarball = pack(folder);
  const app = path.join(folder, 'app');
  const types = ['@types/express@^5', '@types/passport@^1', '@types/node@20'];
  const compilers = TYPESCRIPTS.map((version) => `typescript-${version}@npm:typescript@~${version}.0`);
  const runtime = ['express@^5', 'express4@npm:express@4.21', 'passport@^0.7'];
  must(install(app, [tarball, ...runtime, ...types, ...compilers]));
  await tryRuntimes(app);
  tryTypes(app);
  const bundled = path.join(folder, 'bundled');
  mkdirSync(bundled);
  await tryBundled(app, bundled);
  await tryExpress4(path.join(folder, 'express-4'), tarball);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${failed.length} failed, ${Math.round((Date.now() - started) / 1000)} s`);
process.exitCode = failed.length === 0 ? 0 : 1;
