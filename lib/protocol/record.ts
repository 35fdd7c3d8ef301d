/** The device record (docs/protocol.md section 3): what lies on the device, useless without the assistant. */
import * as v from 'valibot';
import { fromBase64url } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { assistantUrl } from '../base/url.ts';
import { ASSISTANT_JWK, type AssistantJwk } from '../crypto/jwe/jwe.ts';
import { PUBLIC_JWK, type PublicJwk } from '../crypto/keys/public-jwk.ts';
import { KDF_PARAMETERS, type KdfParameters } from './password.ts';
import { MAX_TICKET, SCHEME_NAMES, type SchemeName, schemeOf } from './schemes/index.ts';

/** Plain JSON; bytes are base64url. Safe to copy, as far as the password is worth anything. */
export interface DeviceRecord {
  readonly version: 1;
  readonly scheme: SchemeName;
  /** 32 bytes; never leaves the device, so no one else can test a password. */
  readonly salt: string;
  /** Key of the requests' MAC, 32 bytes. */
  readonly a: string;
  /** Name under which the key can be disabled, 32 bytes. */
  readonly u: string;
  readonly kdf: KdfParameters;
  readonly ticket: string;
  /** The public key whose private half this record leads to. */
  readonly jwk: PublicJwk;
  readonly assistant: { readonly url: string; readonly jwk: AssistantJwk };
}

const thirtyTwoBytes = v.pipe(
  v.string(),
  v.check((text) => fromBase64url(text)?.length === 32),
);

const RECORD = v.pipe(
  v.strictObject({
    version: v.literal(1),
    scheme: v.picklist(SCHEME_NAMES),
    salt: thirtyTwoBytes,
    a: thirtyTwoBytes,
    u: thirtyTwoBytes,
    kdf: KDF_PARAMETERS,
    ticket: v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TICKET)),
    jwk: PUBLIC_JWK,
    assistant: v.strictObject({ url: assistantUrl, jwk: ASSISTANT_JWK }),
  }),
  v.check(({ scheme, jwk }) => schemeOf(scheme).keyTypes.includes(jwk.kty)),
);

/**
 * Reads a device record.
 *
 * @throws RoamingKeyError `bad_record` if it is damaged, of another version, or its KDF parameters are too weak or
 *   too costly; the message names the member
 */
export function parseRecord(value: unknown): DeviceRecord {
  const record = v.safeParse(RECORD, value, { abortEarly: true });
  if (record.success) return record.output;
  const version =
    typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (version !== undefined && version !== 1) {
    throw new RoamingKeyError(
      'bad_record',
      'this device record is of a version that this release cannot read',
    );
  }
  const member = v.getDotPath(record.issues[0]);
  const what = member?.startsWith('kdf')
    ? 'its password protection is too weak or too costly'
    : 'it is damaged';
  throw new RoamingKeyError(
    'bad_record',
    `this device record is refused: ${what}${member ? ` (${member})` : ''}`,
  );
}
