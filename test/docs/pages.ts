/** Reading the documentation's Markdown. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');

/** Every page that is for readers, by its path from the root. */
export const pages: readonly string[] = [
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].filter((file) =>
    existsSync(path.join(root, file)),
  ),
  ...readdirSync(path.join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

export function readPage(page: string): string {
  return readFileSync(path.join(root, page), 'utf8');
}

/** The text below a heading, up to the next one of its level. */
export function section(text: string, heading: string): string {
  const at = text.split('\n').findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (at < 0) throw new Error(`no heading ${heading}`);
  const lines = text.split('\n').slice(at);
  const level = (lines[0] as string).indexOf(' ');
  const end = lines.findIndex((line, i) => i > 0 && /^#+ /.test(line) && line.indexOf(' ') <= level);
  return lines.slice(1, end < 0 ? undefined : end).join('\n');
}

/** The rows of all tables in a text, without their heads, cells trimmed. */
export function tableRows(text: string): readonly (readonly string[])[] {
  const lines = text.split('\n');
  const isRow = (line: string | undefined) => line?.startsWith('|') === true;
  const isRule = (line: string | undefined) => /^\|[-| :]+\|$/.test(line ?? '');
  return lines
    .filter((line, i) => isRow(line) && !isRule(line) && !isRule(lines[i + 1]))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** What stands between backticks. */
export function quoted(cell: string | undefined): readonly string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
}

/** The names by which headings are linked to. */
export function anchors(text: string): ReadonlySet<string> {
  const headings = text.replace(/```[\s\S]*?```/g, '').matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      (heading as string)
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
