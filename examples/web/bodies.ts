/** What pages may post to the app, read strictly. */
import { createHash } from 'node:crypto';
import { RoamingKeyError } from 'passport-roaming-key';
import * as v from 'valibot';

/** The longest sealed note, in characters. */
export const MAX_NOTE = 32 * 1024;

const base64url = (min: number, max: number) =>
  v.pipe(v.string(), v.regex(/^[\w-]+$/), v.minLength(min), v.maxLength(max));
const KEY = v.variant('purpose', [
  v.strictObject({
    purpose: v.literal('sign'),
    jwk: v.strictObject({ kty: v.literal('OKP'), crv: v.literal('Ed25519'), x: base64url(43, 43) }),
    u: base64url(43, 43),
  }),
  v.strictObject({
    purpose: v.literal('notes'),
    jwk: v.strictObject({
      kty: v.literal('EC'),
      crv: v.literal('P-256'),
      x: base64url(43, 43),
      y: base64url(43, 43),
    }),
    u: base64url(43, 43),
  }),
]);
const NOTE = v.strictObject({
  to: v.pipe(v.string(), v.minLength(2), v.maxLength(32)),
  jwe: v.pipe(v.string(), v.regex(/^[\w-]+(\.[\w-]*){4}$/), v.maxLength(MAX_NOTE)),
  /** Thumbprint of the key that it was sealed for. */
  key: base64url(43, 43),
});

/** A public key to be published, and its RFC 7638 thumbprint. */
export function readKeyBody(body: unknown) {
  const { purpose, jwk, u } = read(KEY, body);
  const sorted = Object.fromEntries(Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1)));
  const jkt = createHash('sha256').update(JSON.stringify(sorted)).digest('base64url');
  return { purpose, jwk, u, jkt };
}

/** A sealed note and whom it is for. */
export function readNoteBody(body: unknown): v.InferOutput<typeof NOTE> {
  return read(NOTE, body);
}

function read<S extends v.GenericSchema>(schema: S, body: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (!result.success)
    throw new RoamingKeyError('invalid_request', 'the request is not of the expected form');
  return result.output;
}
