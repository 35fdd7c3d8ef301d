import { spawnSync } from 'node:child_process';

/**
 * Whether a program is on the path. Without it an example ends early and says so; in CI that is a failure.
 */
export function hasTool(name: string): boolean {
  if (spawnSync('sh', ['-c', `command -v ${name}`]).status === 0) return true;
  if (process.env['CI']) throw new Error(`${name} is missing`);
  console.log(`SKIPPED: ${name} is not installed`);
  return false;
}

/** Runs a program; throws with what it said if it fails. */
export function run(command: string, args: readonly string[], input?: Uint8Array | string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`);
  return stdout.trim();
}
