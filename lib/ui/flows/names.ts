/** Account names as people type them, and names that only look like others. */
export { spellAccount } from './spell-account.ts';

/** Cyrillic and Greek letters that look like Latin ones, and the letters that they look like. */
const ALIKE = new Map(
  Array.from('аaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwкkмmтtвbнhαaοoρpνvυuιiκkτtχxγy').flatMap((letter, i, all) =>
    i % 2 === 0 ? [[letter, all[i + 1] as string] as const] : [],
  ),
);

/** What a name looks like: letters of other alphabets are replaced by the Latin ones they resemble. */
export function lookOf(name: string): string {
  return Array.from(name.toLowerCase(), (letter) => ALIKE.get(letter) ?? letter).join('');
}

/**
 * Whether a name could pass for another: it has letters of several alphabets, or only letters that look Latin and are not.
 */
export function isDeceptive(name: string): boolean {
  const scripts = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u].filter((script) =>
    script.test(name),
  );
  if (scripts.length > 1 || /[\p{Cf}\p{Co}\p{Cn}]/u.test(name)) return true;
  const letters = name.match(/\p{L}/gu) ?? [];
  return letters.length > 0 && letters.every((letter) => ALIKE.has(letter.toLowerCase()));
}
