import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withFileLock } from '../../lib/files/lock.ts';

let folder: string;
let lock: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lock-'));
  lock = path.join(folder, '.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Makes the lock as a process did that died a minute ago. */
function leaveBehind(file = lock): void {
  writeFileSync(file, '');
  const then = Date.now() / 1000 - 60;
  utimesSync(file, then, then);
}

it('is held by one at a time, and leaves nothing behind', async () => {
  let inside = 0;
  let most = 0;
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      withFileLock(lock, async (requireHeld) => {
        inside += 1;
        most = Math.max(most, inside);
        await requireHeld();
        inside -= 1;
        return i;
      }),
    ),
  );
  expect(results).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(most).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
});

it('is given back by a holder that fails', async () => {
  await expect(withFileLock(lock, () => Promise.reject(new Error('why')))).rejects.toThrow('why');
  expect(existsSync(lock)).toBe(false);
});

it('of a living process is waited for, whatever the file server’s clock says, and then the answer is busy', async () => {
  leaveBehind();
  const act = () => Promise.reject(new Error('must not run'));
  await expect(withFileLock(lock, act, { maxWait: 50 })).rejects.toMatchObject({ code: 'busy' });
  expect(existsSync(lock)).toBe(true);
});

it.each([
  ['a dead process', ['']],
  ['a process that died, as did that which was about to break it,', ['', '-stale']],
])('of %s is taken over, by one of many', async (_who, endings) => {
  for (const ending of endings) leaveBehind(`${lock}${ending}`);
  let inside = 0;
  await Promise.all(
    Array.from({ length: 10 }, () =>
      withFileLock(
        lock,
        async () => {
          expect(++inside).toBe(1);
          expect(Date.now() - statSync(lock).mtimeMs).toBeLessThan(30_000);
          inside -= 1;
        },
        { stale: 500 },
      ),
    ),
  );
  expect(readdirSync(folder)).toEqual([]);
});

it('that was lost to another process is noticed before the step that counts, and is not removed', async () => {
  const held = withFileLock(lock, async (requireHeld) => {
    unlinkSync(lock);
    writeFileSync(lock, '');
    await requireHeld();
  });
  await expect(held).rejects.toMatchObject({ code: 'busy' });
  expect(existsSync(lock)).toBe(true);
});

it('passes on what the file system says', async () => {
  const missing = path.join(folder, 'missing', '.lock');
  await expect(withFileLock(missing, async () => {})).rejects.toMatchObject({ code: 'ENOENT' });
});
