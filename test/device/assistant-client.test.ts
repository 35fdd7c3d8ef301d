import { describe, expect, it } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { AssistantClient } from '../../lib/device/assistant-client.ts';
import { verifier } from '../../lib/protocol/password.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { retrieve } from '../../lib/protocol/schemes/retrieve.ts';
import { b64, makeTicket, openAsAssistant, random } from '../attacks/support.ts';
import { type AssistantWorld, startAssistant } from '../support/world.ts';

/** A record and its K, made without a password. */
async function makeRecord(world: AssistantWorld): Promise<{ record: DeviceRecord; k: Uint8Array }> {
  const k = random(32);
  const { jwk } = world.keys.active;
  const { a, u, ticket } = await makeTicket(jwk, { b: new Uint8Array(verifier(k)) });
  const record: DeviceRecord = {
    version: 1,
    scheme: 'retrieve',
    salt: b64(random(32)),
    a: b64(a),
    u: b64(u),
    kdf: { name: 'argon2id', t: 3, m: 65_536, p: 4 },
    ticket,
    jwk: { kty: 'OKP', crv: 'Ed25519', x: 'C7w0aldmfDgBIL2cf9flHSxf3-o3zS9b9AWyxr9vLXg' },
    assistant: { url: world.url, jwk },
  };
  return { record, k };
}

const answering = (body: unknown, status = 200) => ({
  fetch: async () =>
    typeof body === 'string' ? new Response(body, { status }) : Response.json(body, { status }),
});

describe('the list of keys', () => {
  const keysOf = (body: unknown, status?: number) =>
    new AssistantClient('https://assistant.example', answering(body, status)).keys();

  it('is read in order, without what matters to others, and without keys of a kind that is not known here', async () => {
    const set = await KeySet.generate();
    await set.rotate({ type: 'P-256' });
    const [active, old] = set.jwks().keys as [object, object];
    const list = [
      { kty: 'AKP', alg: 'ML-KEM-768', pub: 'AA' },
      { ...active, 'x5t#S256': 'AA', exp: 5 },
      null,
      'x',
      { ...old, use: 'sig' },
      old,
    ];
    const read = await keysOf({ keys: list, more: 1 });
    expect(read).toEqual([set.active.jwk, set.find((old as { kid: string }).kid)?.key.jwk]);
  });

  it.each<[string, unknown, number?]>([
    ['no list', {}],
    ['an empty list', { keys: [] }],
    ['a list of nothing usable', { keys: [{ kty: 'RSA' }] }],
    ['a list that is none', { keys: 'x' }],
    ['too long a list', { keys: Array.from({ length: 101 }, () => ({})) }],
    ['null', null],
    ['no JSON', 'x'],
    ['an error of a proxy', 'x', 404],
  ])('that is %s is refused', async (_name, body, status) => {
    await expect(keysOf(body, status)).rejects.toMatchObject({ code: 'bad_response' });
  });

  it('with a private half is no list of public keys', async () => {
    const [jwk] = (await KeySet.generate()).jwks().keys;
    const [read] = await keysOf({ keys: [{ ...jwk, d: b64(random(32)) }] });
    expect(read).not.toHaveProperty('d');
  });
});

describe('a request', () => {
  it('says what section 4 says, and is never the same twice', async () => {
    const world = await startAssistant();
    const { record, k } = await makeRecord(world);
    const client = new AssistantClient(world.url, { fetch: world.fetch });
    await client.ask(record, k, retrieve.exchange, () => ({}));
    await client.ask(record, k, retrieve.exchange, () => ({}));
    const sent = world.traffic.map(
      ({ request }) => JSON.parse(request) as { request: string; ticket: string; mac: string },
    );
    expect(sent.map((body) => Object.keys(body))).toEqual([
      ['ticket', 'request', 'mac'],
      ['ticket', 'request', 'mac'],
    ]);
    const [one, two] = await Promise.all(
      sent.map(({ request }) => openAsAssistant(world.keys, request, 'rk-request+jwe')),
    );
    expect(one).toMatchObject({ v: 1, op: 'retrieve', beta: b64(verifier(k)), th: two?.['th'] });
    for (const name of ['rho', 'jti']) expect(one?.[name]).not.toBe(two?.[name]);
    expect(Object.keys(one ?? {}).sort()).toEqual(['beta', 'iat', 'jti', 'op', 'rho', 'th', 'v']);
  });

  it('bears no cookie, follows no redirect and waits no longer than it is told', async () => {
    const world = await startAssistant();
    const { record, k } = await makeRecord(world);
    let init: RequestInit | undefined;
    const client = new AssistantClient(world.url, {
      timeout: 0.05,
      fetch: (_input, given) => {
        init = given;
        return new Promise((_, reject) => {
          given?.signal?.addEventListener('abort', () => reject(new DOMException('late', 'TimeoutError')));
        });
      },
    });
    await expect(client.ask(record, k, retrieve.exchange, () => ({}))).rejects.toMatchObject({
      code: 'network',
    });
    expect(init).toMatchObject({ credentials: 'omit', redirect: 'error', method: 'POST' });
  });

  it('wipes neither the record nor K, which are the caller’s', async () => {
    const world = await startAssistant();
    const { record, k } = await makeRecord(world);
    const before = [JSON.stringify(record), b64(k)];
    await new AssistantClient(world.url).ask(record, k, retrieve.exchange, () => ({}));
    expect([JSON.stringify(record), b64(k)]).toEqual(before);
  });

  it('is not made where ticket and key do not belong together, or the ticket is none', async () => {
    const world = await startAssistant();
    const { record, k } = await makeRecord(world);
    const other = (await KeySet.generate()).active.jwk;
    const client = new AssistantClient(world.url, { fetch: world.fetch });
    for (const bad of [
      { ...record, ticket: (await makeTicket(other)).ticket },
      { ...record, ticket: 'opaque' },
      { ...record, assistant: { url: world.url, jwk: other } },
    ]) {
      await expect(client.ask(bad, k, retrieve.exchange, () => ({}))).rejects.toMatchObject({
        code: 'bad_record',
      });
    }
    expect(world.traffic).toEqual([]);
  });
});

it.each([
  'http://assistant.example',
  'assistant.example',
  '',
  'https://a:b@c.example',
  'https://c.example/?x',
])('%j is no assistant that secrets are sent to', (url) => {
  expect(() => new AssistantClient(url)).toThrow(TypeError);
});
