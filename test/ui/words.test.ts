import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, RoamingKeyError } from '../../lib/base/errors.ts';
import {
  ENGLISH,
  explain,
  fill,
  GERMAN,
  isDeceptive,
  lookOf,
  readKeyFile,
  spellAccount,
  type Words,
  weaknessOf,
} from '../../lib/ui/flows/index.ts';

const source = readFileSync(new URL('../../lib/base/errors.ts', import.meta.url), 'utf8');
const wire = /const STATUS = \{([^}]*)\}/.exec(source)?.[1]?.match(/\w+(?=:)/g) ?? [];
const own = /const DEVICE_ONLY = \[([^\]]*)\]/.exec(source)?.[1]?.match(/\w+/g) ?? [];
const codes = [...wire, ...own] as ErrorCode[];
const tables: readonly [string, Words][] = [
  ['en', ENGLISH],
  ['de', GERMAN],
];

describe('texts', () => {
  it('exist for every error code, in English and German', () => {
    expect(codes.length).toBeGreaterThan(20);
    for (const [locale, words] of tables) {
      for (const code of codes) {
        const { tone, title, text } = explain(new RoamingKeyError(code, 'x'), {
          locale,
          words,
          site: 'Inkwell',
        });
        expect(tone, code).not.toBe('done');
        expect(title.length, code).toBeGreaterThan(8);
        expect(text?.length, code).toBeGreaterThan(8);
        expect(`${title}${text}`, code).not.toMatch(/[{}|]/);
      }
    }
  });

  it('differ from code to code, so that no failure passes for another', () => {
    const titles = codes.filter((code) => code !== 'bad_mac').map((code) => ENGLISH[`${code}.title`]);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it('have the same places in both languages', () => {
    const places = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort().join();
    expect(Object.keys(GERMAN).sort()).toEqual(Object.keys(ENGLISH).sort());
    for (const [key, text] of Object.entries(ENGLISH))
      expect(`${key} ${places(GERMAN[key as keyof Words])}`).toBe(`${key} ${places(text)}`);
  });

  it('are free of jargon', () => {
    for (const [, words] of tables)
      for (const text of Object.values(words))
        expect(text).not.toMatch(/\b(ticket|record|stretch|whole nowhere|Datensatz)\b/i);
  });

  it('can be replaced one by one', () => {
    const words = { 'disabled.title': 'Aus.' };
    const error = new RoamingKeyError('disabled', 'x');
    expect(explain(error, { words })).toMatchObject({ title: 'Aus.', text: ENGLISH['disabled.text'] });
  });

  it('count in the language of the locale', () => {
    expect(fill('{n} try | {n} tries', { n: 1 })).toBe('1 try');
    expect(fill('{n} try | {n} tries', { n: 2 })).toBe('2 tries');
  });
});

describe('explain', () => {
  const say = (code: ErrorCode, more: object = {}, message = 'x') =>
    explain(new RoamingKeyError(code, message, more), { site: 'Inkwell' });

  it('says how many tries are left, and shows the wait with the last one', () => {
    expect(say('wrong_password', { attemptsLeft: 1 }).text).toContain('1 more try before');
    expect(say('wrong_password', { attemptsLeft: 3 }).text).toContain('3 more tries before');
    expect(say('wrong_password', { attemptsLeft: 0, retryAt: 2_000_000_000 })).toMatchObject({
      tone: 'wrong',
      until: 2_000_000_000,
    });
    expect(say('locked', { retryAt: 2_000_000_000 })).toMatchObject({ tone: 'wait', until: 2_000_000_000 });
    expect(say('locked').text).toContain('Only its operator');
  });

  it('names the server that was asked', () => {
    const error = new RoamingKeyError('network', 'no answer');
    expect(explain(error, { site: 'Inkwell', server: 'app' }).title).toBe('No answer from Inkwell.');
    expect(explain(error, { site: 'Inkwell', server: 'assistant' }).title).toBe(
      'No answer from the assistant.',
    );
  });

  it('tells a part that is missing after a deployment from other faults, and blames no server', () => {
    const missing = new TypeError('Failed to fetch dynamically imported module: https://app.example/x.js');
    expect(explain(missing, { site: 'Inkwell' })).toMatchObject({
      title: 'A part of this page is missing.',
      action: { page: 'reload' },
    });
    expect(explain(new Error('x is undefined')).title).toBe('Something broke on this page.');
  });

  it('tells a browser that keeps nothing from servers that cannot answer', () => {
    expect(say('unavailable', {}, 'there is no room left to save the key').title).toBe(
      'This browser could not save.',
    );
    expect(say('unavailable').title).toBe('Inkwell cannot answer now.');
    expect(say('unsupported', {}, 'this browser lets the page keep nothing').title).toBe(
      'This browser keeps nothing for this page.',
    );
  });
});

describe('names', () => {
  it.each(['ada', 'Ada Lovelace', 'žofie', 'аделаида', 'Σοφία', '李雷', 'ada-2'])('%s is taken', (name) => {
    expect(isDeceptive(name)).toBe(false);
  });

  it.each(['аda', 'adа', 'рауа', 'ѕсоре', 'οα', 'ad\u200ba', 'a\u202eda'])(
    '%j is refused: it looks like another',
    (name) => {
      expect(isDeceptive(name)).toBe(true);
    },
  );

  it('that look alike have one look, and composed ones one spelling', () => {
    expect(lookOf('аdа')).toBe(lookOf('ada'));
    expect(spellAccount(' zoe\u0308 ')).toBe('zo\u00eb');
  });
});

describe('the rules for passwords', () => {
  it.each([
    ['', 'password.choose'],
    ['short', 'password.short'],
    ['aaaaaaaaaaaa', 'password.plain'],
    ['password123', 'password.common'],
    ['Passwort2024!', 'password.common'],
    ['1234567890123', 'password.common'],
    ['ada-lovelace1', 'password.hint'],
  ])('%j: %s', (password, word) => {
    expect(weaknessOf(password, ['ada-lovelace', 'Inkwell'])).toMatchObject({ word });
  });

  it('take four uncommon words at once', () => {
    expect(weaknessOf('tram ochre violin kettle', ['ada'])).toBeUndefined();
  });
});

it('a kit is told from a key file', () => {
  expect(readKeyFile('{"version":1,"t":"x"}')).toBe('kit');
  expect(readKeyFile('hello')).toBeUndefined();
  expect(() => readKeyFile('{"roamingKey":1,"account":"ada","purpose":"x","record":{}}')).toThrow('damaged');
});
