import { createHmac } from 'node:crypto';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { toBase64url, utf8 } from '../../lib/base/bytes.ts';
import {
  ASSIST_BODY,
  DISABLE_BODY,
  macInput,
  type Request,
  readAnswer,
  readRequest,
  readRequestMembers,
  requestMac,
  requestPayload,
  ticketHash,
} from '../../lib/protocol/messages.ts';
import { elgamal } from '../../lib/protocol/schemes/elgamal.ts';
import { REISSUE, RETIRE } from '../../lib/protocol/schemes/index.ts';
import { retrieve } from '../../lib/protocol/schemes/retrieve.ts';
import { rsa } from '../../lib/protocol/schemes/rsa.ts';
import type { Exchange } from '../../lib/protocol/schemes/scheme.ts';
import { b64, random } from '../attacks/support.ts';

const frame = { beta: random(32), rho: random(32), iat: 7, jti: random(16), ticket: 'a.b.c.d.e' };
const questions: readonly (readonly [string, Exchange, Record<string, unknown>])[] = [
  ['retrieve', retrieve.exchange, {}],
  ['retire', RETIRE, {}],
  ['reissue', REISSUE, { a: random(32), b: random(32), delta: random(32) }],
  ['sign', rsa.exchange, { alg: 'RS256', digest: random(32) }],
  ['sign', rsa.exchange, { alg: 'PS512', digest: random(64), salt: random(64) }],
  ['decrypt', elgamal.exchange, { w: random(65) }],
];

describe.each(questions)('a request to %s', (op, exchange, members) => {
  const payload = requestPayload(exchange, members, frame) as Record<string, unknown>;
  const read = (value: object) => readRequest(utf8(JSON.stringify(value)));
  const isWhole = (value: object) => {
    const request = read(value)?.request;
    return request !== undefined && readRequestMembers(request, exchange) !== undefined;
  };

  it('reads as it was written', () => {
    const { ticket, ...rest } = frame;
    const request = read(payload)?.request as Request;
    const { members: _members, ...others } = request;
    expect(others).toEqual({ v: 1, op, ...rest, th: ticketHash(ticket) });
    expect(readRequestMembers(request, exchange)).toEqual(members);
  });

  it('has no member missing, surplus or of another size', () => {
    for (const name of Object.keys(payload)) {
      const { [name]: _left, ...rest } = payload;
      expect(isWhole(rest)).toBe(name === 'salt');
      expect(isWhole({ ...payload, [name]: null })).toBe(false);
    }
    for (const name of ['x', 'prototype', 'constructor', 'toString'])
      expect(isWhole({ ...payload, [name]: 1 })).toBe(false);
    expect(isWhole(JSON.parse(`{"__proto__":1,${JSON.stringify(payload).slice(1)}`))).toBe(false);
    expect(isWhole({ ...payload, jti: b64(random(15)) })).toBe(false);
    expect(isWhole({ ...payload, rho: b64(random(33)) })).toBe(false);
  });

  it('can be answered as long as its op, rho and jti are in order', () => {
    const { rho, jti } = frame;
    expect(read({ ...payload, beta: 'no', x: 1 })).toEqual({
      frame: expect.objectContaining({ op, rho, jti }),
      request: undefined,
    });
    for (const name of ['op', 'rho', 'jti']) expect(read({ ...payload, [name]: 'no' })).toBeUndefined();
  });
});

it('the MAC is HMAC-SHA-256 over label, request and ticket with zero bytes between, so that neither can slide', () => {
  const a = random(32);
  const expected = createHmac('sha256', a).update('roaming-key/1 mac\0γ\0τ').digest('base64url');
  expect(toBase64url(requestMac(a, 'γ', 'τ'))).toBe(expected);
  expect(macInput('ab', 'c')).not.toEqual(macInput('a', 'bc'));
});

it('bodies have three members, and one, within their sizes', () => {
  const body = { ticket: 'x'.repeat(16_384), request: 'x'.repeat(16_384), mac: b64(random(32)) };
  expect(v.is(ASSIST_BODY, body)).toBe(true);
  for (const bad of [
    { ...body, ticket: 'x'.repeat(16_385) },
    { ...body, request: 'x'.repeat(16_385) },
    { ...body, ticket: '' },
    { ...body, mac: b64(random(31)) },
    { ...body, mac: `${body.mac}=` },
    { ...body, more: '' },
    { ticket: body.ticket, request: body.request },
    [],
    null,
  ]) {
    expect(v.is(ASSIST_BODY, bad)).toBe(false);
  }
  expect(v.is(DISABLE_BODY, { request: 'x' })).toBe(true);
  expect(v.is(DISABLE_BODY, { request: 'x', ticket: 'y' })).toBe(false);
});

describe('an answer', () => {
  const read = (payload: object, exchange: Exchange = retrieve.exchange) =>
    readAnswer(utf8(JSON.stringify(payload)), exchange);
  const good = {
    v: 1,
    op: 'retrieve',
    jti: b64(random(16)),
    c: b64(random(48)),
    failedSince: { count: 0, last: null },
  };
  const retired = { v: 1, op: 'retire', jti: good.jti, retired: true, failedSince: good.failedSince };
  const key = { kty: 'OKP', crv: 'X25519', x: b64(random(32)), kid: b64(random(32)) };
  const renewed = { ticket: 'x', key };
  const refusal = { v: 1, op: 'retrieve', jti: good.jti, code: 'wrong_password', now: 5 };

  it('is help or a refusal, of exactly one form', () => {
    expect(read(good)).toMatchObject({ op: 'retrieve' });
    expect(read({ ...good, failedSince: { count: 3, last: 9 } })).toBeDefined();
    expect(read({ ...refusal, attemptsLeft: 0, retryAt: 9 })).toMatchObject({ code: 'wrong_password' });
    expect(read(retired, RETIRE)).toBeDefined();
    expect(read(retired)).toBeUndefined();
    expect(read({ ...good, renewed })).toBeDefined();
    expect(read({ ...good, lastUsed: null })).toBeDefined();
    expect(read({ ...good, lastUsed: 8, reissues: { count: 1, last: 7 } })).toBeDefined();
  });

  it.each<[string, object]>([
    ['both at once', { ...good, ...refusal }],
    ['help of another operation', { ...good, op: 'sign' }],
    ['not retired', { ...retired, retired: false }],
    ['retired and renewed', { ...retired, renewed }],
    ['an unknown code', { ...refusal, code: 'network' }],
    ['an inherited code', { ...refusal, code: 'constructor' }],
    ['a time that is none', { ...refusal, now: 1.5 }],
    ['less than no attempts', { ...refusal, attemptsLeft: -1 }],
    ['no counts', { ...good, failedSince: { count: 0 } }],
    ['surplus counts', { ...good, failedSince: { count: 0, last: null, x: 1 } }],
    ['a last use that is no time', { ...good, lastUsed: 1.5 }],
    ['a count of no reissues', { ...good, reissues: { count: 0, last: 1 } }],
    ['reissues at no time', { ...good, reissues: { count: 1, last: null } }],
    ['half a renewal', { ...good, renewed: { ticket: 'x' } }],
    ['an empty key', { ...good, c: '' }],
    ['too long a key', { ...good, c: b64(random(8161)) }],
  ])('that is %s is none', (_name, payload) => {
    expect(read(payload)).toBeUndefined();
    expect(read(payload, RETIRE)).toBeUndefined();
  });
});
