import { existsSync } from 'node:fs';
// Not by name: many bundles declare `createRequire` in a banner.
import nodeModule from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

/** What is wrong where there is no worker, and what to do. */
export const NO_WORKER =
  'the script of the exponentiation worker is missing, as where a bundler has made one file of the server: keep ' +
  "passport-roaming-key external, or bundle 'passport-roaming-key/exponentiation-worker.js' as exponentiation-worker.js beside that file";

const BUNDLED = 'exponentiation-worker.js';

/**
 * Finds the script that worker threads run: beside this module; or where a bundler has moved this module elsewhere, beside its
 * file or the program's, or in the package where that is installed all the same.
 *
 * @param here this module's URL; bundles in CommonJS have none
 */
export function findWorker(here: string | undefined = import.meta.url): URL | undefined {
  const main = process.argv[1] === undefined ? undefined : pathToFileURL(process.argv[1]).href;
  // A bundle may have another worker.js beside it.
  const own = here !== undefined && /^worker-file\.[jt]s$/.test(path.posix.basename(here));
  const names = [
    own && new URL('./worker.js', here),
    here && new URL(BUNDLED, here),
    main && new URL(BUNDLED, main),
  ];
  for (const url of names) if (url && existsSync(url)) return url;
  try {
    return pathToFileURL(
      nodeModule
        .createRequire(here ?? main ?? `${process.cwd()}/`)
        .resolve(`passport-roaming-key/${BUNDLED}`),
    );
  } catch {
    return undefined;
  }
}
