/** Answers of the SSH agent protocol. */
import { concat, utf8 } from '../../base/bytes.ts';
import { strings, uint32 } from '../../crypto/ssh/encoding.ts';

export const FAILURE = Uint8Array.of(5);
export const SUCCESS = Uint8Array.of(6);
export const EXTENSION_FAILURE = Uint8Array.of(28);

const IDENTITIES = 12;
const SIGNATURE = 14;

/** The list that `ssh-add -l` shows. */
export function identitiesAnswer(
  list: readonly { readonly blob: Uint8Array; readonly comment: string }[],
): Uint8Array {
  const entries = list.map(({ blob, comment }) => strings(blob, utf8(comment)));
  return concat(Uint8Array.of(IDENTITIES), uint32(entries.length), ...entries);
}

/** @param signature in SSH's wire format */
export function signatureAnswer(signature: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(SIGNATURE), strings(signature));
}
