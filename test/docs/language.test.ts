/** Comments, messages and names in lib/ are in plain English: CONTRIBUTING, "Language". */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './pages.ts';

/** Words that are not used, and what is written in their place. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/\bwhoever\b/gi, 'the caller, an attacker, a client that …'],
  [/\bnobody\b/gi, 'the passive voice, or what it is: no client, no process'],
  [/\bshall\b/gi, 'must, is to, or the present tense'],
  [/(?<!there )\b(?:is|are) none\b/gi, 'is not a …'],
  [/\bfor ever\b/gi, 'permanently, or how long'],
];

/** Texts for people, in which these words are natural. */
const TEXTS = /^lib\/ui\/flows\/(?:english|german)(?:\.ts$|\/)/;

/** `line: "word" → instead`, for every word in a source. */
function findings(source: string): string[] {
  // A phrase may go over the end of a comment's line. Same length, so that places stay.
  const flat = source.replace(/\n[ \t]*(?:\*(?!\/)|\/\/)?/g, (end) => ' '.padStart(end.length));
  const text = flat.replace(/ {2,}/g, (blanks) => ` ${'\0'.repeat(blanks.length - 1)}`);
  return INSTEAD.flatMap(([word, instead]) => {
    const joined = new RegExp(word.source.replace(/ /g, ' \\0*'), word.flags);
    return [...text.matchAll(joined)].map(({ index, 0: found }) => {
      const line = source.slice(0, index).split('\n').length;
      return `${line}: "${found.replaceAll('\0', '')}" → ${instead}`;
    });
  });
}

const files = readdirSync(path.join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .map((file) => `lib/${file.replaceAll('\\', '/')}`)
  .filter((file) => /\.[jt]s$/.test(file));

describe('the language of lib/', () => {
  it('is plain English', () => {
    const strays = files
      .filter((file) => !TEXTS.test(file))
      .flatMap((file) =>
        findings(readFileSync(path.join(root, file), 'utf8')).map((stray) => `${file}:${stray}`),
      );
    expect(strays).toEqual([]);
  });

  it('is looked at in comments of several lines, and in texts', () => {
    const source =
      "/* That is\n   * none; there\n   * is none. */\n  // for\n  // ever, not forever\nconst a = 'Whoever';";
    expect(findings(source).map((stray) => stray.replace(/ →.*/, ''))).toEqual([
      '6: "Whoever"',
      '1: "is none"',
      '4: "for ever"',
    ]);
  });
});
