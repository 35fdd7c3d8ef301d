/** What browsers load: pages from ./pages, and the modules of ./client, bundled when the server starts. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import { type RequestHandler, Router } from 'express';
import { type BrowserAssets, browserAssets } from 'passport-roaming-key/pages';
import { buildBrowser } from '../../scripts/build-browser.ts';
import { buildUi } from '../../scripts/build-ui.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** A file as it is sent. */
interface Asset {
  readonly type: string;
  readonly body: Uint8Array;
  readonly etag: string;
}

export type Assets = ReadonlyMap<string, Asset>;

/** The package's own files, built when the server starts: users of the package have them in it. */
export async function buildPackage(): Promise<BrowserAssets> {
  const [device, ui] = await Promise.all([buildBrowser(), buildUi()]);
  return browserAssets({ files: new Map([...device.files, ...ui.files]) });
}

/** Pages take client and elements from where the package's pages have them. */
function packageFiles(served: BrowserAssets): Plugin {
  return {
    name: 'package-files',
    setup: (bundling) => {
      for (const [filter, name] of [
        [/^passport-roaming-key\/device$|\/device\/index\.ts$/, 'device.js'],
        [/^passport-roaming-key\/ui$/, 'ui.js'],
      ] as const)
        bundling.onResolve({ filter }, () => ({ path: `/assets${served.pathOf(name)}`, external: true }));
    },
  };
}

/** Bundles every page's module, with what they share in pieces of its own; in memory. */
export async function buildAssets(served: BrowserAssets): Promise<Assets> {
  const pages = readdirSync(path.join(HERE, 'client/pages')).map((file) => ({
    in: path.join(HERE, 'client/pages', file),
    out: file.replace(/\.ts$/, ''),
  }));
  const { outputFiles } = await build({
    absWorkingDir: path.join(HERE, '../..'),
    entryPoints: [...pages, { in: path.join(HERE, 'client/account.ts'), out: 'account' }],
    outdir: 'assets',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    chunkNames: 'part-[hash]',
    legalComments: 'none',
    plugins: [packageFiles(served)],
    write: false,
  });
  const assets = new Map<string, Asset>();
  const add = (name: string, type: string, body: Uint8Array) =>
    assets.set(name, { type, body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` });
  for (const { path: file, contents } of outputFiles)
    add(path.basename(file), 'text/javascript; charset=utf-8', contents);
  add('style.css', 'text/css; charset=utf-8', readFileSync(path.join(HERE, 'style.css')));
  add('icon.svg', 'image/svg+xml', readFileSync(path.join(HERE, 'icon.svg')));
  return assets;
}

/** Serves them. A part's name changes with its content, so that it is good forever; of others a browser asks every time. */
export function serveAssets(assets: Assets): RequestHandler {
  const router = Router();
  router.get('/assets/:name', (req, res, next) => {
    const asset = assets.get(req.params.name);
    if (!asset) {
      next();
      return;
    }
    const caching = req.params.name.startsWith('part-') ? 'public, max-age=31536000, immutable' : 'no-cache';
    res.set({ 'Content-Type': asset.type, ETag: asset.etag, 'Cache-Control': caching });
    if (req.get('if-none-match') === asset.etag) {
      res.status(304).end();
      return;
    }
    const canUnpack = req.acceptsEncodings('gzip') === 'gzip';
    if (canUnpack) res.set('Content-Encoding', 'gzip');
    res.vary('Accept-Encoding').end(canUnpack ? zipped(asset) : asset.body);
  });
  return router;
}

const packed = new WeakMap<Asset, Uint8Array>();

/** An asset as browsers like it, packed when it is first asked for. */
function zipped(asset: Asset): Uint8Array {
  const known = packed.get(asset) ?? gzipSync(asset.body);
  packed.set(asset, known);
  return known;
}

/** What a page may do, and whom it may talk to. */
export interface PagePolicy {
  /** Origins besides its own that its scripts may ask. */
  readonly connect: readonly string[];
}

/**
 * Headers of every answer. No inline script or style, nothing from elsewhere; `wasm-unsafe-eval` and workers of the
 * own origin are for Argon2id, the assistant's origin is for asking it, `blob:` images are pictures of QR codes that
 * the user has chosen. Forms go nowhere by themselves, so that what is typed before a script has come stays here.
 */
export function securityHeaders({ connect }: PagePolicy): RequestHandler {
  const policy = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    `connect-src ${["'self'", ...connect].join(' ')}`,
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return (_req, res, next) => {
    res.set({
      'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
    });
    next();
  };
}

/** What the frame around a page needs. */
export interface Frame {
  /** Read by the page's scripts: name → content of a `<meta>`. */
  readonly config: Readonly<Record<string, string>>;
  /** Under which name this program is known to its users. */
  readonly site: string;
  readonly navigation: string;
  readonly footer: string;
  /** Elements for the head of every page. */
  readonly head?: string;
}

/**
 * Puts a page of ./pages into its frame. A page's first line is `<title>`; the script of the same name is loaded.
 *
 * @returns the whole page as HTML
 */
export function renderPage(name: string, { config, site, navigation, footer, head = '' }: Frame): string {
  const page = readFileSync(path.join(HERE, 'pages', `${name}.html`), 'utf8');
  const [, title = site, content = ''] = /^<title>(.*)<\/title>\n([\s\S]*)$/.exec(page) ?? [];
  return frameHtml({ name, title, content, head: '' }, { config, site, navigation, footer, head });
}

/** Puts any content into the frame. */
export function frameHtml(
  {
    name,
    script = name,
    title,
    content,
    head,
  }: { name: string; script?: string; title: string; content: string; head: string },
  { config, site, navigation, footer, head: common = '' }: Frame,
): string {
  const metas = Object.entries(config).map(
    ([key, value]) => `<meta name="inkwell:${key}" content="${escapeHtml(value)}">`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} – ${site}</title>
${metas.join('\n')}
${common}${head}
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css">
<script type="module" src="/assets/${script}.js"></script>
</head>
<body data-page="${name}">
<a class="skip" href="#main">Skip to content</a>
<header class="top">
${navigation}
</header>
<main id="main" tabindex="-1">
<noscript><p class="verdict" data-tone="stop"><strong>This page needs JavaScript.</strong> Keys are made and used in
your browser, so nothing works here without it.</p></noscript>
${content}
</main>
<footer class="bottom">
${footer}
</footer>
</body>
</html>
`;
}

/** Text as it may stand in HTML and in attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
