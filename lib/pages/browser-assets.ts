/** The files that browsers load: client, elements, style. Their path has a hash in it, so that they may be kept for good. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type RequestHandler, Router } from 'express';

/** Where the package's own build is, from `lib/` and from `dist/` alike. */
const BUILT = fileURLToPath(new URL('../../dist/browser/', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
/** A worker obeys the policy of its own script, and not that of the page. */
const WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

export interface BrowserAssetsOptions {
  /** File name → contents. Default: those of the package. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

/** A router for the files, and what pages need to know about them. */
export interface BrowserAssets extends Router {
  /** The path of a file below the mount path, such as `/1f3a…/ui.js`. */
  pathOf(name: string): string;
  /** What a page that loads them needs in its Content-Security-Policy. `assistant` is the assistant's URL. */
  policy(assistant: string): Record<string, readonly string[]>;
}

/**
 * Serves the client's files under a path that changes with them: `immutable`, gzip, the right types.
 *
 * @throws Error where the package was not built for browsers
 * @example
 * const assets = browserAssets();
 * app.use('/assets', assets);
 * html`<script type="module" src="/assets${assets.pathOf('ui.js')}"></script>`;
 */
export function browserAssets({ files = builtFiles() }: BrowserAssetsOptions = {}): BrowserAssets {
  const names = [...files.keys()].sort();
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name}\0`).update(files.get(name) as Uint8Array);
  const version = hash.digest('base64url').slice(0, 12);
  const packed = new Map<string, Uint8Array>();
  const router = Router();
  const serve: RequestHandler = (req, res, next) => {
    const { version: asked = '', name = '' } = req.params as Record<string, string>;
    const file = asked === version ? files.get(name) : undefined;
    if (!file) return next();
    res.set({
      'Content-Type': TYPES[path.extname(name)] ?? 'application/octet-stream',
      'Cache-Control': 'public, max-age=31536000, immutable',
      'Content-Security-Policy': WORKER_POLICY,
      'Cross-Origin-Resource-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    });
    res.vary('Accept-Encoding');
    if (req.acceptsEncodings('gzip') !== 'gzip') return void res.end(file);
    const zipped = packed.get(name) ?? gzipSync(file, { level: 9 });
    packed.set(name, zipped);
    res.set('Content-Encoding', 'gzip').end(zipped);
  };
  router.get('/:version/:name', serve);
  return Object.assign(router, {
    pathOf(name: string) {
      if (!files.has(name)) throw new TypeError(`there is no file ${name}`);
      return `/${version}/${name}`;
    },
    policy: (assistant: string) => ({
      'default-src': ["'none'"],
      'script-src': ["'self'", "'wasm-unsafe-eval'"],
      'worker-src': ["'self'"],
      'style-src': ["'self'"],
      'img-src': ["'self'", 'blob:'],
      'connect-src': ["'self'", new URL(assistant).origin],
      'form-action': ["'self'"],
      'base-uri': ["'none'"],
      'frame-ancestors': ["'none'"],
    }),
  });
}

function builtFiles(): ReadonlyMap<string, Uint8Array> {
  let names: string[];
  try {
    names = readdirSync(BUILT).filter((name) => path.extname(name) in TYPES);
  } catch (cause) {
    throw new Error(`${BUILT} is missing: in a checkout, run npm run build:browser first`, { cause });
  }
  return new Map(names.map((name) => [name, readFileSync(path.join(BUILT, name))]));
}
