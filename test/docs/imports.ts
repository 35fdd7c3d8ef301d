/** Who imports whom in lib/, read from the source; types count too, since they are dependencies for whoever reads it. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One import, as it is written. */
export interface Import {
  /** A file of lib/ such as `protocol/ticket.ts`, or a package's name, or `node:…`. */
  readonly target: string;
  readonly isOwn: boolean;
  /** Erased before anything runs. */
  readonly isType: boolean;
}

/** All imports by file, with slashes. */
export type ImportGraph = ReadonlyMap<string, readonly Import[]>;

const STATEMENT = /^[ \t]*(?:import|export)\b(\s+type\b)?[^;'"]*?\bfrom\s*'([^']+)'/gm;
const SIDE_EFFECT = /^[ \t]*import\s*'([^']+)'/gm;
/** With a type's name after it, a type; else a load at run time. */
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)(\.[A-Z])?/g;

/** Reads every import below `folder`. */
export function readImports(folder: string): ImportGraph {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll(path.sep, '/'))
    .filter((file) => /\.(ts|js)$/.test(file))
    .sort();
  return new Map(files.map((file) => [file, importsOf(file, readFileSync(path.join(folder, file), 'utf8'))]));
}

/** The imports of one source text. */
export function importsOf(file: string, text: string): readonly Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
  const found = [
    ...[...code.matchAll(STATEMENT)].map(([, type, name]) => ({ name, isType: type !== undefined })),
    ...[...code.matchAll(SIDE_EFFECT)].map(([, name]) => ({ name, isType: false })),
    ...[...code.matchAll(DYNAMIC)].map(([, name, member]) => ({ name, isType: member !== undefined })),
  ];
  return found.map(({ name, isType }) => {
    const specifier = name as string;
    const isOwn = specifier.startsWith('.');
    const target = isOwn ? path.posix.join(path.posix.dirname(file), specifier) : packageName(specifier);
    return { target, isOwn, isType };
  });
}

/** `@noble/hashes` for `@noble/hashes/sha2.js`; `node:` names as they are. */
function packageName(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Everything that `start` needs when it runs, itself included. */
export function reachedFrom(start: string, graph: ImportGraph): ReadonlySet<string> {
  const reached = new Set([start]);
  for (const file of reached) {
    for (const { target, isType } of graph.get(file) ?? []) if (!isType) reached.add(target);
  }
  return reached;
}

/** One cycle of imports, types included, or `undefined`. */
export function findCycle(graph: ImportGraph): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): readonly string[] | undefined => {
    const at = trail.indexOf(file);
    if (at >= 0) return [...trail.slice(at), file];
    if (done.has(file)) return undefined;
    for (const { target, isOwn } of graph.get(file) ?? []) {
      const cycle = isOwn ? visit(target, [...trail, file]) : undefined;
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}
