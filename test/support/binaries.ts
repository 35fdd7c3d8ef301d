import { spawnSync } from 'node:child_process';

/** Whether a test must be skipped for want of a program. Under CI it never is: there a missing one is a failure. */
export function isAbsent(program: string): boolean {
  const isMissing = spawnSync(program, ['-?'], { stdio: 'ignore' }).error !== undefined;
  if (isMissing) console.warn(`${program} is not installed: its tests are skipped`);
  return isMissing && !process.env['CI'];
}
