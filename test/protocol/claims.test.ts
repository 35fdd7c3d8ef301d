import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { fromBase64url, toBase64url, utf8 } from '../../lib/base/bytes.ts';
import {
  hideClaims,
  LOGIN_CLAIMS,
  MAX_HIDDEN_CLAIMS,
  MAX_PROOF,
  REGISTER_CLAIMS,
  readProof,
} from '../../lib/protocol/claims.ts';
import { b64, random } from '../attacks/support.ts';
import { vectors2 } from '../support/vectors.ts';

const CLAIMS = { aud: 'https://app.example', sub: 'ada', nonce: 'n', iat: 1, exp: 61, jti: b64(random(16)) };
const part = (value: unknown) => toBase64url(utf8(typeof value === 'string' ? value : JSON.stringify(value)));
const HEADER = part({ alg: 'Ed25519', typ: 'rk-login+jwt' });
const SIGNATURE = b64(random(64));
const jws = (payload: unknown) => `${HEADER}.${part(payload)}.${SIGNATURE}`;
const hidden = (claims: object) => {
  const { payload, suffix } = hideClaims(claims);
  return jws(payload) + suffix;
};

describe('hidden claims', () => {
  it('read as they were written, and are bound to what is signed', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 50 })), (claims) => {
        const plain = Object.fromEntries(Object.entries(claims));
        expect(JSON.stringify(readProof(hidden(plain))?.claims)).toBe(JSON.stringify(plain));
      }),
    );
    const { payload } = hideClaims(CLAIMS);
    expect(payload).toMatch(/^\{"h":"[\w-]{43}"\}$/);
    const read = readProof(hidden(CLAIMS));
    expect(read?.signed).toEqual(utf8(`${HEADER}.${part(payload)}`));
    expect(read?.signature).toEqual(fromBase64url(SIGNATURE));
  });

  it.each(['login', 'register'] as const)('are those of the independent implementation: %s', (kind) => {
    const text = vectors2.X25519.ed25519[kind] as string;
    const read = readProof(text);
    expect(v.is(kind === 'login' ? LOGIN_CLAIMS : REGISTER_CLAIMS, read?.claims)).toBe(true);
    const { payload, suffix } = hideClaims(read?.claims as object);
    expect(text.split('.')[1]).toBe(part(payload));
    expect(text.endsWith(suffix)).toBe(true);
  });

  const { payload, suffix } = hideClaims(CLAIMS);
  const other = hideClaims({ ...CLAIMS, sub: 'bob' });
  const spaced = JSON.stringify(CLAIMS).replace(':', ': ');
  const h = JSON.parse(payload).h as string;
  it.each([
    ['other claims', jws(payload) + other.suffix],
    ['no claims', `${jws(payload)}~`],
    ['two tildes', `${jws(payload)}${suffix}${suffix}`],
    ['a tilde at the end', `${jws(payload)}${suffix}~`],
    ['a tilde at the start', `~${jws(payload)}${suffix}`],
    ['a tilde inside the JWS', `${HEADER}~${jws(payload)}`],
    ['a payload of claims', jws(CLAIMS) + suffix],
    ['a payload of more than h', jws({ h, x: 1 }) + suffix],
    ['a payload in another spelling', jws(`{"h": "${h}"}`) + suffix],
    ['padded claims', `${jws(payload)}${suffix}=`],
    ['claims in another spelling', `${jws(hideSpelled(spaced))}~${part(spaced)}`],
    ['a member twice', `${jws(hideSpelled('{"a":1,"a":1}'))}~${part('{"a":1,"a":1}')}`],
    ['dots in the claims', `${jws(payload)}~${part(CLAIMS).slice(0, 8)}.${part(CLAIMS).slice(8)}`],
  ])('with %s are none', (_name, proof) => {
    expect(readProof(proof)).toBeUndefined();
  });

  it('and proofs have bounds', () => {
    const claimsOf = (length: number) => ({ a: 'x'.repeat(length - 8) });
    expect(readProof(hidden(claimsOf(MAX_HIDDEN_CLAIMS)))).toBeDefined();
    expect(() => hideClaims(claimsOf(MAX_HIDDEN_CLAIMS + 1))).toThrow(RangeError);
    const long = JSON.stringify(claimsOf(MAX_HIDDEN_CLAIMS + 1));
    expect(readProof(`${jws(hideSpelled(long))}~${part(long)}`)).toBeUndefined();
    expect(readProof(jws('x'.repeat(MAX_PROOF)))).toBeUndefined();
  });
});

it('open claims are a JWS alone, spelled in one way', () => {
  expect(readProof(jws(CLAIMS))?.claims).toEqual(CLAIMS);
  for (const wrong of [jws(JSON.stringify(CLAIMS, null, 1)), `${jws(CLAIMS)}.`, jws(CLAIMS).slice(0, -1), ''])
    expect(readProof(wrong)).toBeUndefined();
});

/** A genuine hash of claims that are spelled otherwise than `hideClaims` would. */
function hideSpelled(text: string): string {
  const { createHash } = process.getBuiltinModule('node:crypto');
  const h = createHash('sha256').update(`roaming-key/1 claims\0${text}`).digest('base64url');
  return JSON.stringify({ h });
}
