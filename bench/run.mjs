/**
 * Installs what the benchmark compares with, builds it, and runs it: `npm run bench -- --help`.
 *
 * Plain JavaScript, so that it needs nothing but Node and the repository's own packages. `BENCH_NODE` names another node
 * program to measure with.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const folder = import.meta.dirname;
/** @param {string} name */
const inFolder = (name) => path.join(folder, name);

/**
 * @param {string} command
 * @param {string[]} args
 * @param {'inherit' | 2} stdout 2 sends it to stderr: what is on stdout is the benchmark's alone
 */
function run(command, args, stdout) {
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: ['ignore', stdout, 'inherit'] });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const installed = inFolder('node_modules/.package-lock.json');
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(inFolder('package-lock.json')).mtimeMs) {
  run('npm', ['ci', '--silent', '--no-audit', '--no-fund'], 2);
}
rmSync(inFolder('.build'), { recursive: true, force: true });
run(process.execPath, [inFolder('../node_modules/typescript/bin/tsc'), '-p', inFolder('tsconfig.json')], 2);
run(
  process.env.BENCH_NODE ?? process.execPath,
  [inFolder('.build/bench/speed/main.js'), ...process.argv.slice(2)],
  'inherit',
);
