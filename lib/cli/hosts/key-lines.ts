/**
 * Files of keys with the names under which each can be disabled: lines of `authorized_keys` (sshd(8)) whose comment holds
 * the words `u=NAME`, as `roaming-key record show --public ssh` prints them.
 */
import { fromBase64url } from '../../base/bytes.ts';
import { toBase64 } from '../../crypto/ssh/encoding.ts';
import { plainKey, typeOf } from '../agent/wire-keys.ts';

/** One key of a file. */
export interface KeyLine {
  /** The line as it stands there. */
  readonly text: string;
  /** The key alone: type and base64. */
  readonly key: string;
  readonly blob: Uint8Array;
  readonly names: readonly string[];
  /** The comment without the names. */
  readonly comment: string;
}

/** What a line that is not used lacks. */
export interface Complaint {
  readonly line: number;
  readonly problem: string;
}

/** Reads a file's text. Lines that are damaged, or that no kit could disable, are complaints and no keys. */
export function readKeyLines(text: string): {
  readonly keys: readonly KeyLine[];
  readonly complaints: readonly Complaint[];
} {
  const keys: KeyLine[] = [];
  const complaints: Complaint[] = [];
  for (const [at, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const read = readLine(line);
    if (typeof read === 'string') complaints.push({ line: at + 1, problem: read });
    else keys.push(read);
  }
  return { keys, complaints };
}

/**
 * Finds out since when keys are disabled, by whatever name and on whatever line that stands: a key that has had several
 * names, as after a change of password, may have a line for each (docs/protocol.md section 8). Certificates count as their key.
 *
 * @param disabled names, and since when
 * @returns says it of a line: in the unit of `disabled`; `undefined` for a key that is not disabled
 */
export function disabledSince<L extends Pick<KeyLine, 'blob' | 'names'>>(
  lines: readonly L[],
  disabled: ReadonlyMap<string, number>,
): (line: L) => number | undefined {
  const keyOf = ({ blob }: L) => toBase64(plainKey(blob) ?? blob);
  const since = new Map<string, number>();
  for (const line of lines) {
    const key = keyOf(line);
    const at = line.names.map((name) => disabled.get(name)).reduce(earlier, since.get(key));
    if (at !== undefined) since.set(key, at);
  }
  return (line) => since.get(keyOf(line));
}

/** The earlier of two times, where there are two. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

const KEY = /^([\w@.-]+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+(.*))?$/;

function readLine(line: string): KeyLine | string {
  const [, type, base64, rest = ''] = KEY.exec(line) ?? KEY.exec(withoutOptions(line)) ?? [];
  if (type === undefined || base64 === undefined) return 'this is not a public key';
  const blob = new Uint8Array(Buffer.from(base64, 'base64'));
  if (typeOf(blob) !== type) return 'this public key is damaged';
  const words = rest.split(/[ \t]+/).filter((word) => word !== '');
  const names = words.filter(isNames).flatMap((word) => word.slice(2).split(','));
  if (names.length === 0) return 'the comment has no u=NAME, so that no kit could disable this key';
  const damaged = names.find((name) => fromBase64url(name)?.length !== 32);
  if (damaged !== undefined) return `${damaged} is not a disabling name of 43 characters`;
  const comment = words.filter((word) => !isNames(word)).join(' ');
  return { text: line, key: `${type} ${base64}`, blob, names, comment };
}

function isNames(word: string): boolean {
  return word.startsWith('u=');
}

/** The line behind its options, which end at the first blank outside of quotation marks. */
function withoutOptions(line: string): string {
  const [options = ''] = /^(?:"(?:\\.|[^"\\])*"|[^\s"])+/.exec(line) ?? [];
  return line.slice(options.length).trimStart();
}
