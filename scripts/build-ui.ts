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

/** What was built. */
export interface UiBuild {
  /** File name → contents. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Bytes after gzip: what every page loads, and what is loaded when used. */
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
    plugins: [client],
    write: false,
    metafile: true,
  });
  const files = new Map(outputFiles.map(({ path: file, contents }) => [path.basename(file), contents]));
  const css = await transform(readFileSync(path.join(ROOT, 'lib/ui/ui.css'), 'utf8'), {
    loader: 'css',
    minify: true,
    target: 'es2022',
  });
  files.set('ui.css', new TextEncoder().encode(css.code));
  const size = (name: string) => gzipSync(files.get(name) as Uint8Array, { level: 9 }).length;
  const atOnce = new Set(['ui.js', 'ui.css']);
  for (const name of atOnce) {
    const { imports = [] } = metafile.outputs[`dist/browser/${name}`] ?? {};
    for (const { path: file, kind, external } of imports)
      if (kind === 'import-statement' && !external) atOnce.add(path.basename(file));
  }
  const sum = (names: readonly string[]) => names.reduce((total, name) => total + size(name), 0);
  return {
    files,
    atOnce: sum([...atOnce]),
    later: sum([...files.keys()].filter((name) => !atOnce.has(name))),
    inputs: Object.keys(metafile.inputs),
  };
}
