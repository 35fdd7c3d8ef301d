/** Every claim of US 7,149,311 is shown by at least one test that bears its number: `claim 15: …`. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { root } from './pages.ts';

/** The claims that the titles of tests name, as in `it('claim 15 (shared keys): …')`. */
function claimsOf(source: string): number[] {
  const titles = source.matchAll(/\bit(?:\.each\(.*?\))?\(\s*['"`]claims? ([\d, ]+)[^'"`]*['"`]/g);
  return [...titles].flatMap(([, numbers]) => (numbers as string).split(',').map(Number));
}

it('each of the 34 claims has a test of its own', () => {
  const folder = path.join(root, 'test');
  const files = readdirSync(folder, { encoding: 'utf8', recursive: true }).filter((file) =>
    file.endsWith('.test.ts'),
  );
  const shown = new Set(files.flatMap((file) => claimsOf(readFileSync(path.join(folder, file), 'utf8'))));
  expect([...shown].sort((a, b) => a - b)).toEqual(Array.from({ length: 34 }, (_, i) => i + 1));
});

it('a claim that is only mentioned counts for nothing', () => {
  expect(claimsOf("// claim 3\ndescribe('claim 4', …)\nit('shows claim 5', …)")).toEqual([]);
  expect(claimsOf("it('claim 6: …')\nit.each(ALL)('claims 7, 8: …')")).toEqual([6, 7, 8]);
});
