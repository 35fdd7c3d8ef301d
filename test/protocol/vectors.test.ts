import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Assistant } from '../../lib/assistant/assistant.ts';
import { KeySet } from '../../lib/assistant/keys.ts';
import { fromBase64url, toBase64url } from '../../lib/base/bytes.ts';
import { type AssistantJwk, openDirect, parseSealed, readAssistantJwk } from '../../lib/crypto/jwe/jwe.ts';
import { localUnwrap } from '../../lib/crypto/jwe/jwe-node.ts';
import { disablingName, parseDisablingCode, parseKit } from '../../lib/protocol/disabling.ts';
import { readAnswer, requestMac, requestPayload } from '../../lib/protocol/messages.ts';
import { deviceShare, normalisePassword, stretchPassword, verifier } from '../../lib/protocol/password.ts';
import { schemeOf } from '../../lib/protocol/schemes/index.ts';
import { unmask } from '../../lib/protocol/schemes/retrieve.ts';
import type { Exchange } from '../../lib/protocol/schemes/scheme.ts';
import { readTicket, stateId, ticketPayload } from '../../lib/protocol/ticket.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { openWithKey } from '../support/assistant-key.ts';
import { hex, toHex, vectors, vectors2 } from '../support/vectors.ts';

const bytes = (text: string) => fromBase64url(text) as Uint8Array<ArrayBuffer>;
const { derivations, assistantKey } = vectors;

describe('derivations are those of the independent implementation', () => {
  it('password → K → verifier and shares', async () => {
    const { small } = derivations;
    expect(toHex(normalisePassword(vectors.password))).toBe(small.normalised);
    const k = await stretchPassword(vectors.password, hex(small.v), { name: 'argon2id', ...small.kdf });
    expect(toHex(k)).toBe(small.K);
    expect(toHex(verifier(k))).toBe(small.verifier);
    for (const scheme of ['retrieve', 'rsa', 'elgamal'] as const) {
      for (const [length, share] of Object.entries(small.share[scheme])) {
        expect(toHex(deviceShare(k, scheme, Number(length)))).toBe(share);
      }
    }
  });

  it('the default cost', async () => {
    const { password, v, kdf, K } = derivations.default;
    const k = await stretchPassword(password, hex(v), { name: 'argon2id', ...kdf });
    expect(toHex(k)).toBe(K);
    expect(toHex(verifier(k))).toBe(derivations.default.verifier);
  });

  it('t → u and the printed code', () => {
    const { t, u, code } = derivations.disable;
    expect(toHex(disablingName(hex(t)))).toBe(u);
    const read = parseDisablingCode(code, 'https://assistant.example');
    expect({ ...read, t: toHex(read.t) }).toEqual({ t, isOld: true });
  });

  it('the state id', () => {
    const { a, b, u, s, id } = derivations.stateId;
    const frame = { v: 1 as const, a: hex(a), b: hex(b), u: hex(u), iat: 0 };
    expect(toHex(bytes(stateId({ ...frame, scheme: 'retrieve', c: hex(s) })))).toBe(id);
    expect(toHex(bytes(stateId({ ...frame, scheme: 'elgamal', group: 'P-256', x2: hex(s) })))).toBe(id);
  });

  it("the assistant key's thumbprint", async () => {
    const { d: _d, ...jwk } = assistantKey;
    expect(await readAssistantJwk(jwk)).toEqual(jwk);
    expect(await readAssistantJwk({ ...jwk, kid: toBase64url(new Uint8Array(32)) })).toBeUndefined();
  });
});

describe.each([
  ['retrieve', 'roaming-key-1.json', assistantKey, vectors.retrieve, vectors.retrieve.unlock],
  ['rsa', 'roaming-key-1.json', assistantKey, vectors.rsa, vectors.rsa.PS256],
  ['rsa', 'roaming-key-2.json', vectors2.X25519.assistantKey, vectors2.X25519.rsa, vectors2.X25519.rsa.PS256],
] as const)(
  'the dialogue of scheme %s in %s',
  (scheme, _file, assistantKey, { enrol, record, kit }, asked) => {
    it('the ticket opens and says what was enrolled', async () => {
      const payload = await openWithKey(record.ticket, 'rk-ticket+jwe', assistantKey);
      expect(Buffer.from(payload as Uint8Array).toString()).toBe(enrol.ticketSeal.plaintext);
      const ticket = readTicket(payload as Uint8Array);
      expect(ticket?.scheme).toBe(scheme);
      expect(toHex(ticket?.a as Uint8Array)).toBe(enrol.a);
      expect(toHex(ticket?.b as Uint8Array)).toBe(enrol.beta);
      expect(toHex(ticket?.u as Uint8Array)).toBe(enrol.u);
      expect(toHex(bytes(stateId(ticket as NonNullable<typeof ticket>)))).toBe(enrol.id);
      expect(JSON.stringify(ticketPayload(ticket as never, ticket as never))).toBe(
        enrol.ticketSeal.plaintext,
      );
    });

    it('the request is spelled and MACed alike', async () => {
      const payload = await openWithKey(asked.request, 'rk-request+jwe', assistantKey);
      expect(Buffer.from(payload as Uint8Array).toString()).toBe(asked.requestSeal.plaintext);
      const told = JSON.parse(asked.requestSeal.plaintext);
      const question =
        scheme === 'retrieve' ? {} : { alg: told.alg, digest: bytes(told.digest), salt: bytes(told.salt) };
      const ours = requestPayload<Exchange>(schemeOf(scheme).exchange, question, {
        beta: hex(asked.beta),
        rho: hex(asked.rho),
        iat: told.iat,
        jti: bytes(told.jti),
        ticket: record.ticket,
      });
      expect(ours).toEqual(told);
      expect(toHex(requestMac(bytes(record.a), asked.request, record.ticket))).toBe(asked.mac);
    });

    it('the answer opens under ρ', async () => {
      const payload = await openDirect(asked.response, 'rk-response+jwe', hex(asked.rho));
      expect(JSON.parse(Buffer.from(payload as Uint8Array).toString())).toEqual(asked.responsePlaintext);
      expect(readAnswer(payload as Uint8Array, schemeOf(scheme).exchange)).toMatchObject({
        op: asked.responsePlaintext.op,
      });
    });

    if (kit) {
      it('the kit is read', () => {
        expect(parseKit(kit)).toEqual(kit);
        expect(toHex(disablingName(bytes(kit.t)))).toBe(enrol.u);
      });
    }

    it('header and parts are taken apart', () => {
      expect(parseSealed(record.ticket, 'rk-ticket+jwe')).toMatchObject({
        kid: assistantKey.kid,
        alg: 'ECDH-ES',
      });
      expect(parseSealed(record.ticket, 'rk-request+jwe')).toBeUndefined();
    });
  },
);

it('the assistant’s answer is the vectors’, to the byte', async () => {
  const { assistantKey, rsa } = vectors2.X25519;
  const { kid: _kid, ...bare } = assistantKey as JsonWebKey & { kid: string };
  const { d: _d, ...jwk } = assistantKey as AssistantJwk & { d: string };
  const now = () => JSON.parse(rsa.PS256.requestSeal.plaintext).iat;
  const assistant = new Assistant({
    keys: await KeySet.of({ jwk, unwrap: localUnwrap(createPrivateKey({ key: bare, format: 'jwk' })) }),
    store: new MemoryStore({ now }),
    now,
  });
  onTestFinished(() => assistant.close());
  const { response } = await assistant.assist(rsa.PS256.post);
  const opened = await openDirect(response, 'rk-response+jwe', hex(rsa.PS256.rho));
  expect(Buffer.from(opened as Uint8Array).toString()).toBe(rsa.PS256.assistant.plaintext);
});

it('retrieval: c unmasks to the private key', () => {
  const { enrol, unlock } = vectors.retrieve;
  expect(toHex(unmask(bytes(unlock.responsePlaintext.c), hex(enrol.K)))).toBe(enrol.privateKey);
});
