/** What docs/guide.md counts and lists. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { RoamingKeyError } from '../../lib/base/errors.ts';
import { quoted, readPage, root, section, tableRows } from './pages.ts';

const page = readPage('docs/guide.md');

it('fifteen lines are fifteen lines', () => {
  const [, lines] =
    /\/\/ Fifteen lines begin here\.\n([\s\S]*?)\n\/\/ Fifteen lines end here\./.exec(page) ?? [];
  expect(lines?.split('\n')).toHaveLength(15);
  expect(Math.max(...(lines ?? '').split('\n').map((line) => line.length))).toBeLessThanOrEqual(130);
});

describe('the table of errors', () => {
  const source = readFileSync(path.join(root, 'lib/base/errors.ts'), 'utf8');
  const codesIn = (pattern: RegExp) =>
    [...(pattern.exec(source)?.[1] ?? '').matchAll(/^ {2}'?(\w+)'?[:,]/gm)].map(([, code]) => code as string);
  const sent = codesIn(/const STATUS = \{([\s\S]*?)\}/);
  const found = codesIn(/const DEVICE_ONLY = \[([\s\S]*?)\]/);
  const rows = tableRows(section(page, 'Errors'));

  it('has every code once', () => {
    expect(sent.length).toBeGreaterThan(10);
    expect(rows.map(([code]) => quoted(code)[0])).toEqual([...sent, ...found]);
  });

  it.each(rows.map((row) => [quoted(row[0])[0] as string, row] as const))(
    'says the status of %s',
    (code, row) => {
      const { status } = new RoamingKeyError(code as 'busy', '');
      expect(row[1]?.split(', ')[0]).toBe(status === 0 ? '–' : `${status}`);
      expect(row.every((cell) => cell !== '')).toBe(true);
    },
  );
});
