import { type DisablingKit, disablingCode } from '../../device/index.ts';
import type { Context } from './context.ts';
import { KEEP_WORDS } from './english/keep.ts';
import type { Words } from './words.ts';

/** A kit as it is shown. */
export interface KitSheet {
  readonly kit: DisablingKit;
  readonly account: string;
  /** The whole code. */
  readonly code: string;
  /** The code in groups that must not break. */
  readonly groups: readonly string[];
  /** The first characters of the code: the kit's number on the sheet and beside the key. */
  readonly number: string;
  /** What it switches off, as in “Code of your key”. */
  readonly what: string;
  /** The file's name and content. */
  readonly file: { readonly name: string; readonly text: string };
}

/** Makes a kit's sheet. */
export function kitSheet(
  context: Context,
  kit: DisablingKit,
  account: string,
  what: keyof Words = 'kit.what',
): KitSheet {
  context.learn(KEEP_WORDS);
  const code = disablingCode(kit);
  const groups = code.split('-');
  const number = groups[0] as string;
  const plain = context.site.replace(/[^\p{L}\p{N}]+/gu, '-').toLowerCase();
  return {
    kit,
    account,
    code,
    groups,
    number,
    what: context.say(what),
    file: { name: `${plain}-kit-${account}-${number}.json`, text: `${JSON.stringify(kit, null, 2)}\n` },
  };
}
