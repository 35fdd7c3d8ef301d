/** What tests run as users do, built anew where a source is newer; one process builds at a time. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** After which time, in milliseconds, a lock is one of a process that has died. */
const STALE = 120_000;

interface Build {
  /** A file that is written last. */
  readonly stamp: string;
  /** Folders of sources, below `lib`. */
  readonly folders: readonly string[];
  readonly make: () => void;
}

/** Makes sure that `dist/browser`, which `browserAssets` serves, is that of the sources. */
export function browserBuild(): Promise<void> {
  const stamp = path.join(ROOT, 'dist/browser/LICENSES.txt');
  const folders = ['base', 'math', 'crypto', 'protocol', 'device', 'ui', 'pages'];
  const make = () => {
    const args = ['--import', 'tsx', 'scripts/build-browser.ts'];
    const { stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    // A build that is too large is written all the same; test/browser says so.
    if (isOld(stamp, folders)) throw new Error(`the build for browsers failed: ${stderr}`);
  };
  return once({ stamp, folders, make });
}

/** Compiles the package as it is published, which starts in a third of the time; outside `dist`. Returns its folder. */
export async function packageBuild(): Promise<string> {
  const folder = path.join(ROOT, 'node_modules/.cache/roaming-key-build');
  const stamp = path.join(folder, 'stamp');
  const make = () => {
    copyFileSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    const args = ['-p', path.join(ROOT, 'tsconfig.build.json'), '--outDir', path.join(folder, 'dist')];
    const off = ['--noCheck', '--declaration', 'false', '--declarationMap', 'false'];
    execFileSync(process.execPath, [tsc, ...args, ...off]);
    writeFileSync(stamp, '');
  };
  await once({ stamp, folders: ['.'], make });
  return folder;
}

/** The compiled package's modules, as the beginning of their URLs. */
export async function compiledModules(): Promise<string> {
  return pathToFileURL(path.join(await packageBuild(), 'dist/')).href;
}

/**
 * A program of the tests as one file on the compiled package, which starts fast.
 *
 * @param entry its source, as a path
 */
export async function programOf(entry: string): Promise<string> {
  const modules = path.join(await packageBuild(), 'dist/');
  const compiled: Plugin = {
    name: 'compiled',
    setup: (bundler) =>
      bundler.onResolve({ filter: /\/lib\/.*\.ts$/ }, ({ path: source }) => ({
        path: source.replace(/^.*\/lib\//, modules).replace(/\.ts$/, '.js'),
        external: true,
      })),
  };
  const { outputFiles } = await build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    plugins: [compiled],
    logLevel: 'error',
  });
  // Below node_modules, so that it finds its packages.
  const folder = path.join(ROOT, 'node_modules/.cache/roaming-key-programs');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${path.basename(entry, '.ts')}.mjs`);
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, outputFiles[0]?.contents ?? '');
  renameSync(draft, file);
  return file;
}

async function once({ stamp, folders, make }: Build): Promise<void> {
  // Beside the folder, which a build may make anew.
  const lock = `${path.dirname(stamp)}.building`;
  mkdirSync(path.dirname(stamp), { recursive: true });
  while (isOld(stamp, folders)) {
    if (take(lock)) {
      try {
        if (isOld(stamp, folders)) make();
      } finally {
        rmdirSync(lock);
      }
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function isOld(stamp: string, folders: readonly string[]): boolean {
  if (!existsSync(stamp)) return true;
  const made = statSync(stamp).mtimeMs;
  return folders.some((folder) =>
    readdirSync(path.join(ROOT, 'lib', folder), { recursive: true, withFileTypes: true }).some(
      (entry) => entry.isFile() && statSync(path.join(entry.parentPath, entry.name)).mtimeMs > made,
    ),
  );
}

function take(lock: string): boolean {
  try {
    if (existsSync(lock) && Date.now() - statSync(lock).mtimeMs > STALE) rmdirSync(lock);
    mkdirSync(lock);
    return true;
  } catch {
    return false;
  }
}
