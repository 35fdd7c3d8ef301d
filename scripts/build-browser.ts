/**
 * Builds the client for pages without a bundler: `dist/browser/device.js` and what it loads, to be served from one
 * folder. Prints what a page downloads and fails where that is more than it may be.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build, type Metafile, type OutputFile, type Plugin } from 'esbuild';
import { buildUi, MAX_UI, MAX_UI_LATER } from './build-ui.ts';

/** What enrolment, retrieval and login with an Ed25519 key may download in all, in bytes after gzip. */
export const MAX_DOWNLOAD = 40_000;

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const ENTRY = 'lib/device/index.ts';
const WORKER = 'lib/device/browser/argon2-worker.ts';

/** As every bundle here is made; nothing is written. */
const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  outdir: path.join(ROOT, 'dist/browser'),
  legalComments: 'none',
  write: false,
  metafile: true,
} as const satisfies BuildOptions;

/** What was built. */
export interface BrowserBuild {
  /** File name → contents. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What a page downloads at first, and when it stretches a password. */
  readonly main: readonly string[];
  /** What it downloads for one feature alone. */
  readonly lazy: readonly string[];
  /** Every source file in it, relative to the project. */
  readonly inputs: ReadonlySet<string>;
}

/** Bundles in memory. */
export async function buildBrowser(): Promise<BrowserBuild> {
  const [pieces, worker, whole] = await Promise.all([
    split({ entryPoints: [ENTRY] }, [hashesApart()]),
    bundleWorker(),
    build({ ...COMMON, entryPoints: [{ in: ENTRY, out: 'device-static' }] }),
  ]);
  const page = await join(pieces);
  const files = new Map([...page, ...worker.files, ...filesOf(whole.outputFiles)]);
  const lazy = [...files.keys()].filter((name) => ![...MAIN, STATIC].includes(name)).sort();
  return { files, main: MAIN, lazy, inputs: new Set([...pieces.inputs, ...worker.inputs]) };
}

const MAIN = ['device.js', 'core.js', 'argon2-worker.js'];
/** The client in one file without `import()`, which service workers and extensions forbid. */
const STATIC = 'device-static.js';

/** One bundle in the pieces that esbuild cuts it into. */
export interface Pieces {
  readonly texts: ReadonlyMap<string, string>;
  /** The entry's file, and those it imports at once. */
  readonly main: readonly string[];
  /** Files that are imported later: piece → the name it shall have. */
  readonly later: ReadonlyMap<string, string>;
  readonly exports: ReadonlyMap<string, readonly string[]>;
  readonly inputs: readonly string[];
}

/** Bundles one entry as an app's own bundler would. */
export async function split(
  entry: Pick<BuildOptions, 'entryPoints' | 'stdin'>,
  plugins: Plugin[] = [],
): Promise<Pieces> {
  const { outputFiles, metafile } = await build({ ...COMMON, ...entry, plugins, splitting: true });
  const outputs = Object.entries(metafile.outputs).map(([file, output]) => ({
    ...output,
    name: path.basename(file),
  }));
  const byName = new Map(outputs.map((output) => [output.name, output]));
  const first = outputs.find(({ entryPoint }) => entryPoint === ENTRY || entryPoint === '<stdin>');
  const main: string[] = [];
  const follow = (name: string) => {
    if (main.includes(name)) return;
    main.push(name);
    for (const { path: file, kind } of byName.get(name)?.imports ?? []) {
      if (kind === 'import-statement') follow(path.basename(file));
    }
  };
  follow(first?.name as string);
  const later = outputs.filter(
    ({ entryPoint }) => entryPoint !== undefined && entryPoint !== first?.entryPoint,
  );
  return {
    texts: textsOf(outputFiles),
    main,
    later: new Map(later.map(({ name, entryPoint }) => [name, `${niceName(entryPoint as string)}.js`])),
    exports: new Map(outputs.map(({ name, exports }) => [name, exports])),
    inputs: inputsOf(metafile),
  };
}

/** `lib/crypto/keys/pem.ts` → `pem`; a file of a package → its package, and its own name where that says more. */
function niceName(file: string): string {
  const [, name = '', rest = ''] = /node_modules\/(@[^/]+\/[^/]+|[^/]+)\/(.*)/.exec(file) ?? [];
  const own = path.basename(rest || file).replace(/\.\w+$/, '');
  return [name.replace(/^@/, ''), own.startsWith('index') ? '' : own]
    .filter(Boolean)
    .join('-')
    .replace(/\//g, '-');
}

/**
 * Joins what is loaded at once into one file, `core.js`: in a dozen pieces it would compress a fifth worse. Everything
 * that is loaded later takes what it shares with it from there, so that nothing exists twice.
 */
async function join({ texts, main, later, exports }: Pieces): Promise<Map<string, Uint8Array>> {
  const [entry = '', ...shared] = main;
  const alias = (piece: string, name: string) => `_${main.indexOf(piece)}_${name}`;
  const names = (piece: string) => exports.get(piece) ?? [];
  const list = (pairs: readonly string[]) => `{${pairs.join()}}`;
  const view = (piece: string) => list(names(piece).map((name) => `${alias(piece, name)} as ${name}`));
  const core = await build({
    ...COMMON,
    stdin: {
      contents: [
        `export${list([...names(entry)])}from'./${entry}'`,
        ...shared.map(
          (piece) =>
            `export${list(names(piece).map((name) => `${name} as ${alias(piece, name)}`))}from'./${piece}'`,
        ),
      ].join('\n'),
      resolveDir: ROOT,
    },
    plugins: [
      inMemory(texts, ({ piece, isDynamic }) => {
        return isDynamic ? { path: `./${later.get(piece)}`, external: true } : undefined;
      }),
    ],
  });
  const rest = await build({
    ...COMMON,
    entryPoints: [...later].map(([piece, name]) => ({ in: `./${piece}`, out: name.replace(/\.js$/, '') })),
    splitting: true,
    chunkNames: 'shared-[hash]',
    plugins: [
      inMemory(texts, ({ piece }) => (main.includes(piece) ? { path: piece, namespace: 'core' } : undefined)),
      {
        name: 'core',
        setup: (bundling) => {
          bundling.onResolve({ filter: /^\.\/core\.js$/ }, () => ({ path: './core.js', external: true }));
          bundling.onLoad({ filter: /./, namespace: 'core' }, ({ path: piece }) => ({
            contents: `export${view(piece)}from'./core.js'`,
          }));
        },
      },
    ],
  });
  const device = new TextEncoder().encode(`export${list([...names(entry)])}from"./core.js";\n`);
  const contents = core.outputFiles[0]?.contents as Uint8Array;
  return new Map([['device.js', device], ['core.js', contents], ...filesOf(rest.outputFiles)]);
}

/** Resolves the pieces' imports of one another, in another way where `redirect` says so. */
function inMemory(
  texts: ReadonlyMap<string, string>,
  redirect: (asked: {
    piece: string;
    isDynamic: boolean;
  }) => ReturnType<Parameters<Parameters<Plugin['setup']>[0]['onResolve']>[1]>,
): Plugin {
  return {
    name: 'in-memory',
    setup: (bundling) => {
      bundling.onResolve({ filter: /^\.\// }, ({ path: file, kind }) => {
        const piece = file.slice(2);
        if (!texts.has(piece)) return undefined;
        return (
          redirect({ piece, isDynamic: kind === 'dynamic-import' }) ?? { path: piece, namespace: 'piece' }
        );
      });
      bundling.onLoad({ filter: /./, namespace: 'piece' }, ({ path: piece }) => ({
        contents: texts.get(piece) ?? '',
      }));
    },
  };
}

/**
 * Gives the code for shared keys, and the slow Argon2id, a copy of the hash functions: or else the page would load
 * SHA-512 with SHA-256, since a module is in one piece or another and never in two.
 */
function hashesApart(): Plugin {
  // Named from the project's folder on: a path of this machine would be hashed into the names of the pieces.
  const apart = (file: string) => ({
    path: path.relative(ROOT, file),
    namespace: 'apart',
    sideEffects: false,
  });
  return {
    name: 'hashes-apart',
    setup: (bundling) => {
      bundling.onResolve(
        { filter: /^@noble\/hashes\// },
        async ({ path: file, importer, kind, resolveDir, pluginData }) => {
          const isApart =
            !importer.includes(`lib${path.sep}protocol`) || importer.includes('ed25519-signing');
          if (!isApart || pluginData === 'asking') return undefined;
          const found = await bundling.resolve(file, { importer, kind, resolveDir, pluginData: 'asking' });
          return apart(found.path);
        },
      );
      bundling.onResolve({ filter: /^\.\//, namespace: 'apart' }, ({ path: file, resolveDir }) => {
        return apart(path.join(resolveDir, file));
      });
      bundling.onLoad({ filter: /./, namespace: 'apart' }, async ({ path: file }) => ({
        contents: await readFile(path.join(ROOT, file), 'utf8'),
        resolveDir: path.join(ROOT, path.dirname(file)),
      }));
    },
  };
}

async function bundleWorker(): Promise<{ files: Map<string, Uint8Array>; inputs: readonly string[] }> {
  const { outputFiles, metafile } = await build({ ...COMMON, entryPoints: [WORKER], entryNames: '[name]' });
  return { files: filesOf(outputFiles), inputs: inputsOf(metafile) };
}

function filesOf(outputs: readonly OutputFile[]): Map<string, Uint8Array> {
  return new Map(outputs.map(({ path: file, contents }) => [path.basename(file), contents]));
}

function textsOf(outputs: readonly OutputFile[]): Map<string, string> {
  return new Map(outputs.map(({ path: file, text }) => [path.basename(file), text]));
}

function inputsOf({ inputs }: Metafile): string[] {
  return Object.keys(inputs);
}

/** Bytes after gzip. */
export function gzipped(contents: Uint8Array | string): number {
  return gzipSync(contents, { level: 9 }).length;
}

/** The licences of the packages whose code is in the build, which must go with it. */
async function licences(inputs: ReadonlySet<string>): Promise<string> {
  const names = [...inputs].map((file) => /node_modules\/(@[^/]+\/[^/]+|[^/]+)\//.exec(file)?.[1]);
  const texts = [...new Set(names)]
    .filter((name) => name !== undefined)
    .sort()
    .map(async (name) => {
      const folder = path.join(ROOT, 'node_modules', name);
      const read = (file: string) => readFile(path.join(folder, file), 'utf8').catch(() => undefined);
      const { license } = JSON.parse((await read('package.json')) as string) as { license: string };
      return `${name} (${license})\n\n${(await read('LICENSE')) ?? (await read('LICENSE.md')) ?? ''}`;
    });
  return (await Promise.all(texts)).join('\n\n');
}

async function main(): Promise<void> {
  const made = await buildBrowser();
  await rm(COMMON.outdir, { recursive: true, force: true });
  await mkdir(COMMON.outdir, { recursive: true });
  for (const [name, contents] of made.files) await writeFile(path.join(COMMON.outdir, name), contents);
  const ui = await buildUi();
  for (const [name, contents] of ui.files) await writeFile(path.join(COMMON.outdir, name), contents);
  await writeFile(
    path.join(COMMON.outdir, 'LICENSES.txt'),
    await licences(new Set([...made.inputs, ...ui.inputs])),
  );
  const size = (name: string) => gzipped(made.files.get(name) as Uint8Array);
  const print = (label: string, bytes: number) => console.log(`${String(bytes).padStart(8)}  ${label}`);
  console.log('   bytes  gzipped, of dist/browser');
  for (const name of [...made.main, ...made.lazy, STATIC]) print(name, size(name));
  const download = made.main.reduce((sum, name) => sum + size(name), 0);
  print(`enrol, unlock and log in (${made.main.join(', ')}); at most ${MAX_DOWNLOAD}`, download);
  if (download > MAX_DOWNLOAD)
    throw new Error(`a page downloads ${download} bytes, and may at most ${MAX_DOWNLOAD}`);
  print(`the largest element with its style, beside the client; at most ${MAX_UI}`, ui.atOnce);
  print(`strength meter and QR code, when used; at most ${MAX_UI_LATER}`, ui.later);
  if (ui.atOnce > MAX_UI || ui.later > MAX_UI_LATER) throw new Error('the elements are too large');
  const contents = "export { Device, enroll } from './lib/device/index.ts'";
  const { main: pieces, texts } = await split({ stdin: { contents, resolveDir: ROOT } });
  const bundled = pieces.reduce(
    (sum, name) => sum + gzipped(texts.get(name) as string),
    size('argon2-worker.js'),
  );
  print('the same in an app that bundles it itself', bundled);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
