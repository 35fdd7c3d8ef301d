/** Runs every example that ends by itself, one after the other; fails with the first that fails. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../examples/', import.meta.url);
/** Examples that run until they are told to stop are started by the others. */
const isServer = (file: string) => /`listening on/.test(readFileSync(new URL(file, folder), 'utf8'));
const examples = readdirSync(folder).filter((file) => file.endsWith('.ts') && !isServer(file));

// What browsers load is a build of its own.
const built = spawnSync(
  process.execPath,
  ['--import', 'tsx', new URL('build-browser.ts', import.meta.url).pathname],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
if (built.status !== 0) process.exit(1);

for (const file of examples) {
  console.log(`\n=== examples/${file}`);
  const { status, signal } = spawnSync(
    process.execPath,
    ['--import', 'tsx', new URL(file, folder).pathname],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: 180_000,
    },
  );
  if (status !== 0) {
    console.error(`examples/${file} ended with ${signal ?? status}`);
    process.exit(1);
  }
}
console.log(`\n${examples.length} examples ran to their end`);
