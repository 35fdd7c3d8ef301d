/** Both halves of `ed25519` and of change of password, against an independent implementation and against lies. */
import { createPrivateKey, createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Assistant } from '../../lib/assistant/assistant.ts';
import { KeySet } from '../../lib/assistant/keys.ts';
import { fromBase64url, utf8 } from '../../lib/base/bytes.ts';
import { type AssistantJwk, openDirect } from '../../lib/crypto/jwe/jwe.ts';
import { localUnwrap } from '../../lib/crypto/jwe/jwe-node.ts';
import { sha256 } from '../../lib/crypto/sha256-node.ts';
import { sodiumEd25519 } from '../../lib/exponentiation/sodium.ts';
import { ED25519_ORDER as q } from '../../lib/math/ed25519-group.ts';
import { nobleEd25519 } from '../../lib/math/ed25519-noble.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { mod } from '../../lib/math/modular.ts';
import { ticketHash } from '../../lib/protocol/messages.ts';
import { deviceShare } from '../../lib/protocol/password.ts';
import { MAX_MESSAGE } from '../../lib/protocol/schemes/ed25519.ts';
import {
  answerEd25519,
  commitEd25519,
  completeEd25519,
  type Ed25519Answer,
  ed25519Delta,
  ed25519PublicKey,
  ed25519Scalar,
  splitEd25519Key,
} from '../../lib/protocol/schemes/ed25519-signing.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { random } from '../attacks/support.ts';
import { openWithKey } from '../support/assistant-key.ts';
import { hex, toHex, vectors2 } from '../support/vectors.ts';

const bytes = (text: string) => fromBase64url(text) as Uint8Array<ArrayBuffer>;
/** What a side drew: the bytes under a label, or under consecutive labels, in the order in which they are asked for. */
const drawn =
  (randomness: readonly (readonly [string, string])[], label: string) =>
  (length: number): Uint8Array => {
    const found = randomness.find(([name, value]) => name.includes(label) && value.length === 2 * length);
    if (!found) throw new Error(`${label}: ${JSON.stringify(randomness.map(([name]) => name))}`);
    return hex(found[1]);
  };

const KINDS = Object.entries(vectors2).filter(
  ([, value]) => typeof value === 'object' && value !== null && 'assistantKey' in value,
) as [string, typeof vectors2.X25519][];

describe.each(KINDS)('with an assistant on %s', (_kind, { assistantKey, ed25519 }) => {
  const { enrol, record, reissue } = ed25519;
  const dialogues = Object.entries(ed25519).filter(([name]) => name.startsWith('sign-')) as [
    string,
    typeof reissue,
  ][];

  it('enrolment gives the vectors’ ticket', () => {
    const f = deviceShare(hex(enrol.K), 'ed25519', 48);
    expect(toHex(f)).toBe(enrol.f);
    const x = os2ip(hex(enrol.x));
    const { x2, y } = splitEd25519Key(x, f);
    expect([toHex(x2), toHex(y)]).toEqual([enrol.x2, enrol.y]);
    expect(toHex(ed25519PublicKey(x))).toBe(enrol.y);
  });

  it.each(dialogues)('%s gives the vectors’ bytes on both sides', async (_name, dialogue) => {
    const ticket = JSON.parse(
      Buffer.from(
        (await openWithKey(dialogue.post.ticket, 'rk-ticket+jwe', assistantKey)) as Uint8Array,
      ).toString(),
    );
    const asked = JSON.parse(dialogue.requestSeal.plaintext);
    const request = {
      message: bytes(asked.message),
      hiding: bytes(asked.hiding),
      binding: bytes(asked.binding),
    };
    const share = { x2: bytes(ticket.x2), y: bytes(ticket.y) };
    const hedge = [sha256(utf8(dialogue.post.request)), ticketHash(dialogue.post.ticket)];
    const f = deviceShare(hex(dialogue.K), 'ed25519', 48);
    const told: Ed25519Answer = {
      hiding: bytes(dialogue.responsePlaintext.hiding),
      binding: bytes(dialogue.responsePlaintext.binding),
      share: bytes(dialogue.responsePlaintext.share),
    };
    const randomness = dialogue.randomness;
    for (const group of [await sodiumEd25519(), nobleEd25519]) {
      const ours = answerEd25519(group, share, request, hedge, drawn(randomness.assistant, 'nonces'));
      expect([ours.hiding, ours.binding, ours.share].map(toHex)).toEqual(
        [told.hiding, told.binding, told.share].map(toHex),
      );
    }
    const commitment = commitEd25519(f, request.message, drawn(randomness.device, 'nonce'));
    expect([commitment.nonces.hiding, commitment.nonces.binding].map(toHex)).toEqual(dialogue.deviceNonces);
    expect(commitment.request).toEqual(request);
    const signature = completeEd25519(bytes(record.jwk.x), f, commitment, told);
    expect(toHex(signature)).toBe(dialogue.signature);
    const key = createPublicKey({ key: record.jwk as JsonWebKey, format: 'jwk' });
    expect(verify(null, request.message, key, signature)).toBe(true);
  });

  it('delta is what one password’s share has more than the other’s', () => {
    const shareOf = (k: string) => deviceShare(hex(k), 'ed25519', 48);
    expect(toHex(ed25519Delta(shareOf(reissue.K), shareOf(reissue.newK)))).toBe(reissue.delta);
  });

  it('the assistant answers the posts', async () => {
    const { d: _d, ...jwk } = assistantKey as AssistantJwk & { d: string };
    const { kid: _kid, ...bare } = assistantKey as JsonWebKey & { kid: string };
    const now = () => vectors2.now + 5;
    const assistant = new Assistant({
      keys: await KeySet.of({
        jwk: jwk as AssistantJwk,
        unwrap: localUnwrap(createPrivateKey({ key: bare, format: 'jwk' })),
      }),
      store: new MemoryStore({ now }),
      now,
    });
    onTestFinished(() => assistant.close());
    const ask = async ({ post, rho }: typeof reissue) => {
      const { response } = await assistant.assist(post);
      const opened = await openDirect(response, 'rk-response+jwe', hex(rho));
      return JSON.parse(Buffer.from(opened as Uint8Array).toString());
    };
    for (const [name, dialogue] of [...dialogues, ['reissue', reissue]] as const) {
      const opened = await ask(dialogue);
      const { responsePlaintext } = dialogue;
      expect([name, Object.keys(opened).slice(0, 6)]).toEqual([
        name,
        Object.keys(responsePlaintext).slice(0, 6),
      ]);
      expect(opened).toMatchObject({ op: responsePlaintext.op, jti: responsePlaintext.jti });
      if (name !== 'reissue') continue;
      expect(opened.key).toEqual(responsePlaintext.key);
      const [ours, theirs] = await Promise.all(
        [opened.ticket, responsePlaintext.ticket].map((sealed) =>
          openWithKey(sealed, 'rk-ticket+jwe', assistantKey),
        ),
      );
      const written = (ticket: unknown) => Buffer.from(ticket as Uint8Array).toString();
      expect({ ...JSON.parse(written(ours)), iat: 0 }).toEqual({ ...JSON.parse(written(theirs)), iat: 0 });
      expect(Object.keys(JSON.parse(written(ours)))).toEqual(Object.keys(JSON.parse(written(theirs))));
    }
  });
});

describe('a shared signature', () => {
  const seed = random(32);
  const f = random(48);
  const share = splitEd25519Key(seed, f);
  const message = utf8('what is signed');
  const hedge = [random(32), random(32)];
  const answer = (request: ReturnType<typeof commitEd25519>['request'], of = share) =>
    answerEd25519(nobleEd25519, of, request, hedge);

  it('is an ordinary one, of any message up to the longest', () => {
    for (const length of [0, 1, 63, 64, 1000, MAX_MESSAGE]) {
      const text = random(length);
      const commitment = commitEd25519(f, text);
      const signature = completeEd25519(share.y, f, commitment, answer(commitment.request));
      const x = Buffer.from(share.y).toString('base64url');
      const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
      expect(verify(null, text, key, signature)).toBe(true);
      expect(commitment.nonces.hiding).toEqual(new Uint8Array(32));
    }
  });

  it('takes the key’s own numbers, as RFC 8032 derives them', () => {
    const { privateKey, publicKey } = process.getBuiltinModule('node:crypto').generateKeyPairSync('ed25519');
    const jwk = privateKey.export({ format: 'jwk' });
    const made = splitEd25519Key(bytes(jwk.d as string), f);
    expect(made.y).toEqual(bytes(publicKey.export({ format: 'jwk' }).x as string));
    const x1 = mod(os2ip(f), q);
    expect(mod(os2ip(made.x2) + x1, q)).toBe(ed25519Scalar(bytes(jwk.d as string)));
  });

  it('is refused where the assistant lies', () => {
    const other = commitEd25519(f, utf8('another message'));
    const [first, second] = [commitEd25519(f, message), commitEd25519(f, message)];
    const good = answer(second.request);
    const plus = (bytes: Uint8Array, n: bigint) => i2osp(os2ip(bytes.slice().reverse()) + n, 32).reverse();
    const identity = new Uint8Array(32);
    identity[0] = 1;
    const torsion = hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
    const lies: [string, Ed25519Answer][] = [
      ['a share of another message', answer(other.request)],
      ['the answer to another request in flight', answer(first.request)],
      ['a share of another key', answer(second.request, splitEd25519Key(random(32), f))],
      ['a share that is one more', { ...good, share: nobleEd25519.addScalars(good.share, identity) }],
      ['a share of 0', { ...good, share: new Uint8Array(32) }],
      ['a share beyond the order', { ...good, share: plus(good.share, q) }],
      ['a short share', { ...good, share: good.share.subarray(1) }],
      ['its commitments exchanged', { ...good, hiding: good.binding, binding: good.hiding }],
      ['one commitment twice', { ...good, binding: good.hiding }],
      ['the device’s own commitments', { ...good, ...second.request, share: good.share }],
      ['the identity', { ...good, hiding: identity }],
      ['a point of order 8', { ...good, binding: torsion }],
      ['a point of mixed order', { ...good, hiding: nobleEd25519.add(good.hiding, torsion) }],
      ['no point', { ...good, hiding: new Uint8Array(32).fill(2) }],
    ];
    for (const [what, lie] of lies) {
      const { hiding, binding } = second.nonces;
      const sent = { request: second.request, nonces: { hiding: hiding.slice(), binding: binding.slice() } };
      expect(() => completeEd25519(share.y, f, sent, lie), what).toThrow(
        expect.objectContaining({ code: 'bad_response' }),
      );
      expect([sent.nonces.hiding, sent.nonces.binding], what).toEqual([
        new Uint8Array(32),
        new Uint8Array(32),
      ]);
    }
    expect(completeEd25519(share.y, f, second, good)).toHaveLength(64);
  });

  it('has other nonces for every request, even where randomness repeats', async () => {
    const stuck = (length: number) => new Uint8Array(length).fill(7);
    const one = commitEd25519(f, message, stuck);
    expect(commitEd25519(f, message, stuck).request).toEqual(one.request);
    expect(commitEd25519(f, utf8('else'), stuck).request.hiding).not.toEqual(one.request.hiding);
    expect(commitEd25519(random(48), message, stuck).request.hiding).not.toEqual(one.request.hiding);
    const group = await sodiumEd25519();
    const at = (hedge: Uint8Array[], of = share) =>
      toHex(answerEd25519(group, of, one.request, hedge, stuck).hiding);
    const [a, b] = [random(32), random(32)];
    const seen = [at([a, b]), at([a, a]), at([b, b]), at([a, b], splitEd25519Key(random(32), f))];
    expect(new Set(seen).size).toBe(4);
    expect(at([a, b])).toBe(seen[0]);
  });

  it('under a public key outside the group is never completed', () => {
    const torsion = hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
    for (const y of [new Uint8Array(32).fill(2), torsion, nobleEd25519.add(share.y, torsion)]) {
      const commitment = commitEd25519(f, message);
      expect(() => completeEd25519(y, f, commitment, answer(commitment.request))).toThrow(
        expect.objectContaining({ code: 'bad_record' }),
      );
    }
  });
});
