/**
 * Writes what the package needs at run time as a CycloneDX bill of materials: its dependencies, the peers that an app
 * must bring, and theirs, in the releases of the lockfile. The same lockfile gives the same bytes.
 *
 *     npm run sbom -- [--out sbom.cdx.json]
 *
 * npm's own `npm sbom` leaves out what other dependencies need as well (`object-assign`, all of `@types/`), and writes
 * down the time and the folder's name.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = path.join(import.meta.dirname, '..');

type Names = Readonly<Record<string, string>>;
interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly optional?: boolean;
  readonly dependencies?: Names;
  readonly optionalDependencies?: Names;
  readonly peerDependencies?: Names;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}
interface Lockfile {
  readonly packages: Readonly<Record<string, Locked>>;
}

/** One package of the bill. */
export interface Component {
  readonly 'bom-ref': string;
  readonly type: 'library';
  readonly name: string;
  readonly version: string;
  readonly scope: 'required' | 'optional';
  readonly purl: string;
  readonly hashes: readonly { readonly alg: 'SHA-512'; readonly content: string }[];
  readonly licenses: readonly object[];
}

/** CycloneDX 1.5, as far as it is looked at here. */
export interface BillOfMaterials {
  readonly serialNumber: string;
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** The bill of materials of the package whose folder this is. */
export function billOfMaterials(root = ROOT): BillOfMaterials {
  const { packages } = read<Lockfile>(root, 'package-lock.json');
  const own = read<Locked & { name: string; description: string }>(root, 'package.json');
  const reached = new Map<string, readonly string[]>();
  const follow = (place: string, locked: Locked): readonly string[] => {
    const places = needed(locked)
      .map((name) => placeOf(packages, place, name))
      .filter((found) => found !== undefined);
    for (const found of places) {
      if (reached.has(found)) continue;
      reached.set(found, []);
      reached.set(found, follow(found, packages[found] as Locked));
    }
    return places;
  };
  const direct = follow('', own);
  const ref = (place: string) => `${nameOf(place)}@${packages[place]?.version}`;
  const components = [...reached.keys()]
    .map((place) => component(nameOf(place), packages[place] as Locked))
    .sort((a, b) => compare(a['bom-ref'], b['bom-ref']));
  const self = `${own.name}@${own.version}`;
  const dependencies = [[self, direct] as const, ...[...reached].map(([at, on]) => [ref(at), on] as const)]
    .map(([of, on]) => ({ ref: of, dependsOn: [...new Set(on.map(ref))].sort(compare) }))
    .sort((a, b) => compare(a.ref, b.ref));
  const { name, version, description, license } = own;
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        'bom-ref': self,
        type: 'library',
        name,
        version,
        description,
        purl: purlOf(name, version),
        licenses: licenceOf(license),
      },
    },
    components,
    dependencies,
  };
  return { ...bill, serialNumber: `urn:uuid:${uuidOf(JSON.stringify(bill))}` };
}

/** What must be there for a package to work; peers that it can do without are the app's choice. */
function needed(locked: Locked): readonly string[] {
  const {
    dependencies = {},
    optionalDependencies = {},
    peerDependencies = {},
    peerDependenciesMeta = {},
  } = locked;
  const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
  return [...new Set([...Object.keys(dependencies), ...Object.keys(optionalDependencies), ...peers])];
}

/** Where Node finds a package from another's place. */
function placeOf(packages: Lockfile['packages'], from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const place = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (packages[place]) return place;
    if (at === '') return undefined;
  }
}

function component(name: string, { version, integrity, license, optional }: Locked): Component {
  const [alg, digest = ''] = (integrity ?? '').split('-');
  if (alg !== 'sha512') throw new Error(`${name}: the lockfile has no SHA-512 of it`);
  return {
    'bom-ref': `${name}@${version}`,
    type: 'library',
    name,
    version,
    scope: optional ? 'optional' : 'required',
    purl: purlOf(name, version),
    hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }],
    licenses: licenceOf(license),
  };
}

function licenceOf(license: string | undefined): readonly object[] {
  if (license === undefined) return [];
  return [/[ (]/.test(license) ? { expression: license } : { license: { id: license } }];
}

function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

function nameOf(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** A name-based UUID: another one for another bill. */
function uuidOf(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  digest[6] = ((digest[6] as number) & 0x0f) | 0x80;
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80;
  return digest.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Not by the language of the machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function read<T>(root: string, file: string): T {
  return JSON.parse(readFileSync(path.join(root, file), 'utf8')) as T;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'sbom.cdx.json' } } });
  const bill = billOfMaterials();
  writeFileSync(values.out, `${JSON.stringify(bill, null, 2)}\n`);
  console.log(`${values.out}: ${bill.components.length} packages`);
}
