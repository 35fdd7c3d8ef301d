import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { buildBrowser, gzipped, MAX_DOWNLOAD, split } from '../../scripts/build-browser.ts';

/** What is a server's, and what browsers do not have. */
const FOREIGN =
  /(^|\/)lib\/(assistant|store|strategy|roaming|http|files|cli)\/|node_modules\/(express|passport|cors|libsql|pg|redis)|(^|\/)node:|-node\.ts$|lib\/device\/(node|file-records|private-file)/;
const foreign = (inputs: Iterable<string>) => [...inputs].filter((file) => FOREIGN.test(file));

const bundling = (contents: string) => split({ stdin: { contents, resolveDir: process.cwd() } });

describe('the client in a bundle for browsers', () => {
  it('has no code of servers or of Node, and needs nothing that stands in for Node', async () => {
    const { inputs, texts } = await bundling("export * from './lib/device/index.ts'");
    expect(inputs).toContain('lib/device/device.ts');
    expect(foreign(inputs)).toEqual([]);
    for (const text of texts.values())
      expect(text).not.toMatch(/require\(|["']node:|\bprocess\.(env|versions)\b/);
  });

  it('would be found out if it had', async () => {
    const { inputs } = await bundling(
      "export * from './lib/device/index.ts'; export { guessPolicy } from './lib/store/guess-policy.ts'",
    );
    expect(foreign(inputs)).toEqual(['lib/store/guess-policy.ts']);
    await expect(bundling("export * from './lib/device/node.ts'")).rejects.toThrow(/node:/);
  });

  it('leaves out what only other kinds of keys need, until it is asked for', async () => {
    const { main, texts } = await bundling("export { enroll, Device } from './lib/device/index.ts'");
    const first = main.map((name) => texts.get(name)).join('\n');
    const later = [...texts]
      .filter(([name]) => !main.includes(name))
      .map(([, text]) => text)
      .join('\n');
    // Words that survive minifying: of node-rsa, of P-256, of ffdhe2048, of PKCS#8 files, of WebAssembly.
    for (const word of ['pkcs1-der', 'ffffffff00000001', 'RK-FFDH-ES', 'OPENSSH PRIVATE KEY', 'AGFzbQ']) {
      expect(first).not.toContain(word);
      expect(later).toContain(word);
    }
  });
});

describe('the build for script tags', () => {
  it('has no foreign code, and what a page downloads is small enough', async () => {
    const { files, main, lazy, inputs } = await buildBrowser();
    expect(foreign(inputs)).toEqual([]);
    expect([...files.keys()].sort()).toEqual([...main, ...lazy, 'device-static.js'].sort());
    const download = main.reduce((sum, name) => sum + gzipped(files.get(name) as Uint8Array), 0);
    expect(download).toBeLessThanOrEqual(MAX_DOWNLOAD);
  });

  it('exports what the module exports, and imports no file that is not there', async () => {
    const { files } = await buildBrowser();
    const text = (name: string) => new TextDecoder().decode(files.get(name));
    const exported = /export\{(.*)\}from/.exec(text('device.js'))?.[1]?.split(',').sort();
    expect(exported).toEqual(Object.keys(await import('../../lib/device/index.ts')).sort());
    const named = [...files.keys()].flatMap(
      (name) => text(name).match(/(?<=["'`])\.\/[\w-]+\.js(?=["'`])/g) ?? [],
    );
    expect(named).toContain('./argon2-worker.js');
    for (const name of named) expect(files.has(name.slice(2)), name).toBe(true);
  });

  it('has the whole client in one file without import(), for service workers and extensions', async () => {
    const { files } = await buildBrowser();
    const text = new TextDecoder().decode(files.get('device-static.js'));
    expect(text).not.toMatch(/\bimport\s*\(/);
    expect(text).not.toMatch(/\bimport\s*["'{*]/);
    for (const word of ['pkcs1-der', 'RK-FFDH-ES', 'OPENSSH PRIVATE KEY', 'AGFzbQ'])
      expect(text).toContain(word);
  });

  it('gives the worker its own name, also after the package is compiled', async () => {
    const source = await readFile('lib/device/browser/argon2id-in-worker.ts', 'utf8');
    // tsc rewrites imports and leaves this alone; bundlers look for exactly this.
    expect(source.replace(/\s+/g, '')).toContain(
      "newWorker(newURL('./argon2-worker.js',import.meta.url),{type:'module'",
    );
  });
});
