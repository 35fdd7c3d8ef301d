/** The messages between a device and a record service, both ways (docs/protocol.md section 9). */
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import { toBase64url, utf8 } from '../base/bytes.ts';
import { seconds } from '../base/json.ts';
import type { DeviceRecord } from './record.ts';

/** What an account's other keys are for, whose records come along once one is logged in. */
export const OTHER_PURPOSES = ['sign', 'notes'] as const;
export type OtherPurpose = (typeof OTHER_PURPOSES)[number];

/** The longest text that is read as a pickup code. */
const MAX_CODE = 64;
const code = v.pipe(v.string(), v.maxLength(MAX_CODE));

/** `PUT /`: stores a record. */
export const PUT_BODY = v.strictObject({
  record: v.unknown(),
  keepCode: v.optional(v.boolean()),
  onlyRenewal: v.optional(v.boolean()),
});
/** The answer to it. */
export const STORED = v.looseObject({ code: v.nullable(code) });

/** `POST /fetch`, where codes are needed. */
export const FETCH_BODY = v.strictObject({ account: v.string(), code });
/** `POST /fetch`, where the app does without codes. */
export const FETCH_BODY_WITHOUT_CODE = v.strictObject({ account: v.string(), code: v.optional(code) });
/** The answer to both. */
export const FETCHED = v.looseObject({ record: v.unknown() });

/** The answer to `GET /profile`. */
export const PROFILE = v.looseObject({
  scheme: v.string(),
  key: v.string(),
  kdf: v.looseObject({ t: v.number(), m: v.number(), p: v.number() }),
});

/** The answer to `GET /`. */
export const KEPT = v.looseObject({
  stored: v.nullable(
    v.looseObject({ u: v.string(), kid: v.string(), at: seconds, of: v.optional(v.string()) }),
  ),
});

/**
 * Names the enrolment and password that a record is of, `of` in the answer: a renewal changes neither `u` nor `a` nor
 * `salt`, a change of password leaves `u` alone.
 */
export function recordOrigin({ u, a, salt }: Pick<DeviceRecord, 'u' | 'a' | 'salt'>): string {
  return toBase64url(sha256(utf8(`roaming-key/1 record\0${u}.${a}.${salt}`)));
}

/** `PUT /others`: keeps the record of another key of the account. */
export const OTHER_BODY = v.strictObject({ purpose: v.picklist(OTHER_PURPOSES), record: v.unknown() });
/** The answer to `GET /others`. */
export const OTHERS = v.looseObject({
  others: v.looseObject({ sign: v.optional(v.unknown()), notes: v.optional(v.unknown()) }),
});

/** The answer to `GET /fetches`. */
export const FETCHES = v.looseObject({
  fetches: v.pipe(v.array(v.looseObject({ at: seconds, address: v.string() })), v.maxLength(1000)),
});
