/** What comes with an installation: which packages, in which releases, and that nothing runs by itself. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { LIFECYCLE } from '../../scripts/lifecycle.ts';
import { billOfMaterials } from '../../scripts/sbom.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const manifest = JSON.parse(read('package.json'));
const bill = billOfMaterials();
const refs = bill.components.map((component) => component['bom-ref']);

interface Node {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, Node>>;
}

/** What npm itself makes of the lockfile. */
function npmLists(...args: readonly string[]): Node {
  const { stdout } = spawnSync('npm', ['ls', '--all', '--json', '--package-lock-only', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return JSON.parse(stdout) as Node;
}

function* packagesOf({ dependencies = {} }: Node, leftOut: ReadonlySet<string>): Generator<string> {
  for (const [name, node] of Object.entries(dependencies)) {
    if (leftOut.has(name) || node.version === undefined) continue;
    yield `${name}@${node.version}`;
    yield* packagesOf(node, leftOut);
  }
}

const isRequired = (name: string) => manifest.peerDependenciesMeta[name]?.optional !== true;

/** Packages and all that they need; npm lists what a package needs at one of the places where it stands. */
function peersOf(all: Node, names: readonly string[]): Set<string> {
  const needs = new Map<string, Set<string>>();
  const note = ({ dependencies = {} }: Node) => {
    for (const [name, node] of Object.entries(dependencies)) {
      const ref = `${name}@${node.version}`;
      const below = Object.entries(node.dependencies ?? {}).map(([one, { version }]) => `${one}@${version}`);
      needs.set(ref, new Set([...(needs.get(ref) ?? []), ...below]));
      note(node);
    }
  };
  note(all);
  const reached = new Set(names.map((name) => `${name}@${all.dependencies?.[name]?.version}`));
  for (const ref of reached) for (const one of needs.get(ref) ?? []) reached.add(one);
  return reached;
}

it('the bill of materials lists what npm installs in production, and the peers that an app must bring', () => {
  // An optional peer of valibot, which npm lists since the lockfile has it for development.
  const production = packagesOf(npmLists('--omit=dev'), new Set(['typescript', 'passport-roaming-key-docs']));
  // The peers are the app's, so that here they are for development.
  const peer = peersOf(npmLists(), Object.keys(manifest.peerDependencies).filter(isRequired));
  expect(refs).toEqual([...new Set([...production, ...peer])].sort());
});

it('the bill of materials is complete in itself, says where each package is from, and nothing of this machine', () => {
  for (const { ref, dependsOn } of bill.dependencies)
    expect([...refs, `${manifest.name}@${manifest.version}`]).toEqual(
      expect.arrayContaining([ref, ...dependsOn]),
    );
  expect(bill.dependencies).toHaveLength(refs.length + 1);
  for (const { hashes, name, version, purl } of bill.components) {
    expect(hashes[0]?.content).toMatch(/^[0-9a-f]{128}$/);
    expect(purl).toBe(`pkg:npm/${name.replace('@', '%40')}@${version}`);
  }
  const text = JSON.stringify(bill);
  expect(text).toBe(JSON.stringify(billOfMaterials()));
  expect(text).not.toContain('timestamp');
  for (const place of [ROOT, hostname(), `/home/${userInfo().username}`]) expect(text).not.toContain(place);
  expect(bill.serialNumber).toMatch(
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

it('nothing runs by itself where the package is installed', () => {
  expect(Object.keys(manifest.scripts).filter((name) => LIFECYCLE.includes(name))).toEqual([]);
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { hasInstallScript?: boolean; version?: string }>;
  };
  const installed = Object.entries(lock.packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([place, { version }]) => `${place.replace(/.*node_modules\//, '')}@${version}`);
  expect(installed.filter((one) => refs.includes(one))).toEqual([]);
});

it('dependencies come from the registry by ranges, and the lockfile names no host', () => {
  for (const kind of ['dependencies', 'peerDependencies', 'devDependencies'])
    for (const range of Object.values(manifest[kind]))
      expect(range).toMatch(/^(npm:[\w-]+@)?\^?\d+\.\d+\.\d+(-[\w.]+)?( \|\| \^\d+\.\d+\.\d+)*$/);
  expect(read('package-lock.json')).not.toContain('"resolved": "http');
});
