/** Rules for passwords that need no word list and answer at once. */
import type { Words } from './words.ts';

/** The shortest password that is taken. */
export const MIN_LENGTH = 10;
const MIN_DIFFERENT = 5;
const COMMON =
  /^(password|passwort|passw0rd|qwertz|qwerty|azerty|letmein|welcome|willkommen|iloveyou|ichliebedich|abc|admin|login|hallo|monkey|dragon|football|fussball|sunshine|princess|schatz|master|sommer|summer|winter|geheim|secret|changeme|hunter|trustno)/i;

/** Why a password is refused: the name of a text, and a value for it. */
export interface Weakness {
  readonly word: keyof Words;
  readonly n?: number;
}

/**
 * What is wrong with a new password by simple rules.
 *
 * @param hints words that a thief tries first: the account's name, the app's
 */
export function weaknessOf(password: string, hints: readonly string[] = []): Weakness | undefined {
  if (password === '') return { word: 'password.choose' };
  const letters = Array.from(password);
  if (letters.length < MIN_LENGTH) return { word: 'password.short', n: MIN_LENGTH };
  if (new Set(letters).size < MIN_DIFFERENT) return { word: 'password.plain' };
  const lower = password.toLowerCase();
  const rest = hints
    .filter((hint) => hint.length >= 3)
    .reduce((text, hint) => text.replaceAll(hint.toLowerCase(), ''), lower);
  if (rest.length < MIN_LENGTH - 2 && rest !== lower) return { word: 'password.hint' };
  const tail = lower.replace(COMMON, '').replace(/[\d\W_]+$/, '');
  if (COMMON.test(lower) && tail.length < MIN_LENGTH - 4) return { word: 'password.common' };
  if (isSequence(lower)) return { word: 'password.common' };
  return undefined;
}

/** Whether most characters follow their neighbour: 1234567890, abcdefghij. */
function isSequence(text: string): boolean {
  const codes = Array.from(text).map((letter) => letter.codePointAt(0) as number);
  const steps = codes.slice(1).filter((code, i) => Math.abs(code - (codes[i] as number)) <= 1).length;
  return steps >= (codes.length - 1) * 0.75;
}
