import { RoamingKeyError } from '../base/errors.ts';
import { isAccountName } from '../strategy/compact-jws.ts';

/** Letters of full and half width, and the ideographic space: what Unicode lets be mapped by width. */
const WIDTH = /[\u3000\uff01-\uffee]/g;

/**
 * Brings a typed account name into the form under which its record is found: the mappings of UsernameCasePreserved,
 * which are width and NFC. What that profile prohibits is not refused here: which names there are is the app's say.
 *
 * @throws RoamingKeyError `invalid_request` for what no app can have as a name: empty, longer than 256 characters,
 *   with control characters or lone surrogates
 * @see RFC 8265 section 3.4
 */
export function normaliseAccount(account: string): string {
  if (!isAccountName(account)) throw new RoamingKeyError('invalid_request', 'this can be no account name');
  return account.replace(WIDTH, (character) => character.normalize('NFKC')).normalize('NFC');
}
