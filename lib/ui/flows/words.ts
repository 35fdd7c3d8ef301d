import type { ENGLISH } from './english.ts';

/** Every text of flows and elements, by name; `{name}` stands for a value, `one | many` for a choice by `{n}`. */
export type Words = { readonly [key in keyof typeof ENGLISH]: string };

/** What stands in a text's places. */
export type Values = Readonly<Record<string, string | number>>;

/**
 * Fills in a text.
 *
 * @example
 * fill('{n} try is left | {n} tries are left', { n: 2 }, 'en') // '2 tries are left'
 */
export function fill(text: string, values: Values = {}, locale = 'en'): string {
  const forms = text.split(' | ');
  const n = Number(values['n']);
  const isOne = new Intl.PluralRules(locale).select(Number.isNaN(n) ? 1 : n) === 'one';
  const form = (isOne ? forms[0] : forms.at(-1)) as string;
  return form.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}
