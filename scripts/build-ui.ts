/**
 * Builds the custom elements: `ui.js` and `ui.css`, beside `device.js`, from which `ui.js` takes the client; QR codes, the
 * strength meter and German texts are pieces that are loaded when they are used.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Plugin, transform } from 'esbuild';

/** What elements and style may add to a page beside the client, in bytes after gzip. */
export const MAX_UI = 18_000;
/** What the strength meter and the QR code may add when they are used, in bytes after gzip. */
export const MAX_UI_LATER = 120_000;

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const ENTRIES = { ui: 'lib/ui/index.ts', 'strength-worker': 'lib/ui/strength-worker.ts' };

/** The client is a file of its own. */
const client: Plugin = {
  name: 'client',
  setup: (bundling) => {
    bundling.onResolve({ filter: /\/device\/index\.ts$/ }, () => ({ path: './device.js', external: true }));
  },
};

/** How many words of each list the strength meter knows: the lists are whole only in their packages. */
const LONGEST_LIST = 8_000;

/** Cuts the word lists, which are sorted by how common their words are. */
const shortLists: Plugin = {
  name: 'short-lists',
  setup: (bundling) => {
    bundling.onResolve({ filter: /^@zxcvbn-ts\/language-(common|en)$/ }, ({ path: name }) => ({
      path: name,
      namespace: 'words',
    }));
    bundling.onLoad({ filter: /./, namespace: 'words' }, async ({ path: name }) => {
      const { dictionary, adjacencyGraphs, translations } = await import(name);
      const lists = Object.entries(dictionary as Record<string, readonly string[]>)
        .filter(([list]) => !/lastnames|wikipedia|diceware/.test(list))
        .map(([list, words]) => [list, words.slice(0, LONGEST_LIST)] as const);
      const members = { dictionary: Object.fromEntries(lists), adjacencyGraphs, translations };
      const contents = Object.entries(members)
        .filter(([, value]) => value !== undefined)
        .map(([member, value]) => `export const ${member} = ${JSON.stringify(value)};`);
      return { contents: contents.join('\n'), loader: 'js' };
    });
  },
};

/** What was built. */
export interface UiBuild {
  /** File name → contents. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Bytes after gzip: what the largest element loads with the style, and what meter and QR code load when used. */
  readonly atOnce: number;
  readonly later: number;
  readonly inputs: readonly string[];
}

/** Bundles in memory. */
export async function buildUi(): Promise<UiBuild> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(ENTRIES).map(([out, file]) => ({ in: file, out })),
    outdir: path.join(ROOT, 'dist/browser'),
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    chunkNames: 'ui-[name]-[hash]',
    legalComments: 'none',
    plugins: [client, shortLists],
    write: false,
    metafile: true,
  });
  const files = new Map(outputFiles.map(({ path: file, contents }) => [path.basename(file), contents]));
  for (const style of ['lib/ui/ui.css', 'lib/pages/pages.css']) {
    const { code } = await transform(readFileSync(path.join(ROOT, style), 'utf8'), {
      loader: 'css',
      minify: true,
    });
    files.set(path.basename(style), new TextEncoder().encode(code));
  }
  const size = (name: string) => gzipSync(files.get(name) as Uint8Array, { level: 9 }).length;
  const load = (name: string, names: Set<string> = new Set()) => {
    names.add(name);
    for (const { path: file, kind, external } of metafile.outputs[`dist/browser/${name}`]?.imports ?? [])
      if (kind === 'import-statement' && !external && !names.has(path.basename(file)))
        load(path.basename(file), names);
    return names;
  };
  const elements = Object.entries(metafile.outputs).flatMap(([file, { entryPoint = '' }]) =>
    entryPoint.startsWith('lib/ui/elements/') ? [path.basename(file)] : [],
  );
  const everywhere = ['ui.css', ...load('ui.js')];
  const sum = (names: readonly string[]) => names.reduce((total, name) => total + size(name), 0);
  const pages = elements.map((element) => sum([...new Set([...everywhere, ...load(element)])]));
  const later = ['strength-worker.js', ...[...files.keys()].filter((name) => /^ui-(qr|meter)/.test(name))];
  return { files, atOnce: Math.max(...pages), later: sum(later), inputs: Object.keys(metafile.inputs) };
}
