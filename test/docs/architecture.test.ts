/** The rules of docs/architecture.md, held against the source. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { findCycle, importsOf, reachedFrom, readImports } from './imports.ts';
import { quoted, readPage, root, section, tableRows } from './pages.ts';

const page = readPage('docs/architecture.md');
const graph = readImports(path.join(root, 'lib'));

const table = (heading: string) => tableRows(section(page, heading));
const folderOf = (file: string) => (file.includes('/') ? (file.split('/')[0] as string) : file);

describe('what may import what', () => {
  const rules = new Map(
    table('Who may import whom').map(([from, to]) => [quoted(from)[0] as string, quoted(to)]),
  );

  it('is said of every folder of lib/', () => {
    const folders = new Set([...graph.keys()].filter((file) => file.includes('/')).map(folderOf));
    expect([...folders].filter((folder) => !rules.has(folder))).toEqual([]);
    expect([...rules.keys()].filter((folder) => !folders.has(folder))).toEqual([]);
  });

  const everywhere = table('Who may import whom').flatMap(([from, to]) =>
    to === 'everything' ? quoted(from) : [],
  );

  it.each([...rules].filter(([folder]) => !everywhere.includes(folder)))(
    'lib/%s keeps to it',
    (folder, allowed) => {
      const strays = [...graph].flatMap(([file, imports]) =>
        folderOf(file) !== folder
          ? []
          : imports
              .filter(({ isOwn, target }) => isOwn && !['base', folder].includes(folderOf(target)))
              .filter(({ target }) => !allowed.includes(folderOf(target)) && !allowed.includes(target))
              .map(({ target }) => `${file} imports ${target}`),
      );
      expect(strays).toEqual([]);
    },
  );

  it('has no rule that nothing needs any more', () => {
    const needed = (folder: string, name: string) =>
      [...graph].some(
        ([file, imports]) =>
          folderOf(file) === folder &&
          imports.some(({ target }) => target === name || folderOf(target) === name),
      );
    const idle = [...rules].flatMap(([folder, allowed]) =>
      allowed.filter((name) => !needed(folder, name)).map((name) => `${folder} → ${name}`),
    );
    expect(idle).toEqual([]);
  });

  it('nothing imports those that import everything', () => {
    const users = [...graph].flatMap(([file, imports]) =>
      imports
        .map(({ target }) => folderOf(target))
        .filter((folder) => folder !== folderOf(file) && everywhere.includes(folder)),
    );
    expect(users).toEqual([]);
  });

  it('math imports nothing of ours but base', () => {
    const own = [...graph].filter(([file]) => folderOf(file) === 'math').flatMap(([, imports]) => imports);
    const strays = own.filter(({ isOwn, target }) => isOwn && !['math', 'base'].includes(folderOf(target)));
    expect(strays).toEqual([]);
  });

  it('device and assistant never reach each other', () => {
    for (const [from, to] of [
      ['device', 'assistant'],
      ['assistant', 'device'],
    ] as const) {
      for (const file of graph.keys()) {
        if (folderOf(file) !== from) continue;
        expect(
          [...reachedFrom(file, graph)].filter((target) => folderOf(target) === to),
          file,
        ).toEqual([]);
      }
    }
  });
});

describe('optional packages', () => {
  it.each([
    ['prom-client', 'telemetry/metrics.ts'],
    ['@opentelemetry/api', 'telemetry/tracing.ts'],
  ])('%s is loaded by %s and by nobody else, the command line apart', (name, entry) => {
    const users = [...graph.keys()].filter(
      (file) => folderOf(file) !== 'cli' && reachedFrom(file, graph).has(name),
    );
    expect(users).toEqual([entry]);
  });
});

describe('imports', () => {
  it('have no cycle, types included', () => {
    expect(findCycle(graph)).toBeUndefined();
  });

  it('would be found out if they had', () => {
    const entry = (file: string, text: string) => [file, importsOf(file, text)] as const;
    const cyclic = new Map([
      entry('a/one.ts', "import {\n  two,\n} from '../b/two.ts';"),
      entry('b/two.ts', "export type { Three } from './three.ts';"),
      entry('b/three.ts', "const one = () => import('../a/one.ts');"),
    ]);
    expect(findCycle(cyclic)).toEqual(['a/one.ts', 'b/two.ts', 'b/three.ts', 'a/one.ts']);
    expect(
      findCycle(new Map([entry('a.ts', "import './b.ts';"), entry('b.ts', "import 'node:fs';")])),
    ).toBeUndefined();
  });

  it('are the same that a bundler finds', async () => {
    const { metafile } = await build({
      entryPoints: [...graph.keys()].map((file) => path.join(root, 'lib', file)),
      absWorkingDir: root,
      bundle: true,
      write: false,
      metafile: true,
      outdir: 'out',
      platform: 'node',
      format: 'esm',
      packages: 'external',
      logLevel: 'error',
    });
    for (const [file, imports] of graph) {
      const found = metafile.inputs[`lib/${file}`]?.imports ?? [];
      const own = found.filter(({ external }) => !external).map((one) => one.path.replace(/^lib\//, ''));
      const mine = imports.filter(({ isOwn, isType }) => isOwn && !isType).map(({ target }) => target);
      expect(new Set(mine), file).toEqual(new Set(own));
    }
  });
});

describe('what runs in browsers', () => {
  const nodeOnly = new Set(table('What runs where').flatMap(([file]) => quoted(file)));
  const packages = /^(@noble\/(curves|hashes)|hash-wasm|jose|node-rsa|valibot)$/;
  const portable = [...graph.keys()].filter(
    (file) =>
      ['crypto', 'math', 'protocol', 'device', 'errors.ts'].includes(folderOf(file)) && !nodeOnly.has(file),
  );

  it('is most of it', () => {
    expect(portable.length).toBeGreaterThan(40);
    expect([...nodeOnly].filter((file) => !graph.has(file))).toEqual([]);
  });

  it.each(portable)('lib/%s reaches nothing of Node and no package of the server', (file) => {
    const reached = [...reachedFrom(file, graph)].filter((target) => !graph.has(target));
    expect(reached.filter((target) => !packages.test(target))).toEqual([]);
  });

  it('says of Node-only files no more than is needed', () => {
    for (const file of nodeOnly) {
      expect(
        [...reachedFrom(file, graph)].some((target) => target.startsWith('node:')),
        file,
      ).toBe(true);
    }
  });

  it('would be found out if it were the server', () => {
    expect([...reachedFrom('assistant/router.ts', graph)]).toEqual(
      expect.arrayContaining(['express', 'node:crypto', 'node:worker_threads']),
    );
  });

  it('names no global of Node', () => {
    for (const file of portable) {
      const code = readFileSync(path.join(root, 'lib', file), 'utf8').replace(
        /\/\*[\s\S]*?\*\/|\/\/.*|'[^']*'/g,
        '',
      );
      expect(code.match(/\b(Buffer|process|require|__dirname)\b/), file).toBeNull();
    }
  });

  it('bundles for a browser without a file of the server', async () => {
    const { metafile } = await build({
      entryPoints: [path.join(root, 'lib/device/index.ts')],
      absWorkingDir: root,
      bundle: true,
      splitting: true,
      write: false,
      metafile: true,
      outdir: 'out',
      platform: 'browser',
      format: 'esm',
      logLevel: 'error',
    });
    const own = Object.keys(metafile.inputs).filter((file) => file.startsWith('lib/'));
    expect(own.length).toBeGreaterThan(30);
    const strays = own.filter((file) => !/^lib\/(base|crypto|math|protocol|device)\//.test(file));
    expect(strays).toEqual([]);
  });
});

it('the page names no file or folder that is not there', () => {
  const named = [...page.matchAll(/`(lib\/[\w./-]+)`/g)].map(([, name]) =>
    (name as string).replace(/^lib\//, '').replace(/\/$/, ''),
  );
  const there = new Set(
    [...graph.keys()].flatMap((file) => [file, path.posix.dirname(file), folderOf(file)]),
  );
  expect(named.filter((name) => name !== '' && !there.has(name))).toEqual([]);
});
