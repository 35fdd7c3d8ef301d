import { RoamingKeyError } from '../base/errors.ts';
import { isAccountName } from '../protocol/claims.ts';

/** Letters of full and half width, and the ideographic space: the characters that Unicode maps by width. */
const WIDTH = /[\u3000\uff01-\uffee]/g;

/**
 * Normalises a typed account name: the mappings of UsernameCasePreserved, which are width and NFC. Characters that this
 * profile prohibits are not refused: the app decides which names exist.
 *
 * @throws RoamingKeyError `invalid_request` for what is never a name: empty, longer than 256 characters,
 *   with control characters or lone surrogates
 * @see RFC 8265 section 3.4
 */
export function normaliseAccount(account: string): string {
  if (!isAccountName(account))
    throw new RoamingKeyError(
      'invalid_request',
      'account must have 1 to 256 characters, and no control characters',
    );
  return account.replace(WIDTH, (character) => character.normalize('NFKC')).normalize('NFC');
}
