/** Links between pages lead somewhere, in the repository and in the package. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchors, pages, readPage, root } from './pages.ts';

/** What `npm publish` takes along. */
function published(): Set<string> {
  const pack = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [packed] = JSON.parse(execFileSync('npm', pack, { cwd: root, encoding: 'utf8' }));
  return new Set((packed.files as { path: string }[]).map((file) => file.path));
}
const inPackage = published();

/** The file that a page's link means, from the root. */
const targetOf = (page: string, file: string) =>
  file === '' ? page : path.posix.join(path.posix.dirname(page), file);

describe.each(pages)('%s', (page) => {
  const text = readPage(page).replace(/```[\s\S]*?```/g, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
  const own = links.filter((link) => !/^[a-z]+:/.test(link));

  it('links to files and headings that are there', () => {
    const broken = own.filter((link) => {
      const [file, anchor] = link.split('#') as [string, string?];
      const target = targetOf(page, file);
      if (!existsSync(path.join(root, target))) return true;
      return anchor !== undefined && !anchors(readPage(target)).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it.skipIf(!inPackage.has(page))('links to what is in the package, where it is in there itself', () => {
    const files = own.map((link) => targetOf(page, link.split('#')[0] as string));
    expect(files.filter((file) => !inPackage.has(file))).toEqual([]);
  });

  it('names files that are there', () => {
    const files = [...readPage(page).matchAll(/`((?:lib|test|docs|bench|examples|scripts)\/[\w./-]+)`/g)].map(
      ([, file]) => file as string,
    );
    // The API reference is built, not kept.
    expect(files.filter((file) => file !== 'docs/api' && !existsSync(path.join(root, file)))).toEqual([]);
  });

  it('links to the web by https', () => {
    expect(links.filter((link) => /^[a-z]+:/.test(link) && !link.startsWith('https://'))).toEqual([]);
  });
});
