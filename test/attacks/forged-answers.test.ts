/** Attacks on what a device believes (docs/protocol.md sections 3, 4 and 6): from the way, and by the assistant itself. */
import express from 'express';
import { describe, expect, it } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { seal } from '../../lib/crypto/jwe/jwe.ts';
import { Device, type DeviceOptions } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { type AssistantWorld, listen, PASSWORD, quickArgon2id, startAssistant } from '../support/world.ts';
import {
  b64,
  forgedProblem,
  type HostileAnswer,
  hostileAssistant,
  intercepting,
  makeTicket,
  random,
  unixNow,
} from './support.ts';

async function start() {
  const world = await startAssistant();
  const { record, kit } = await enroll(world.enrolment);
  return { world, record, kit };
}

const deviceOf = (world: AssistantWorld, record: DeviceRecord, options: Partial<DeviceOptions> = {}) =>
  new Device(record, { assistant: world.url, fetch: world.fetch, argon2id: quickArgon2id, ...options });

const assists = ({ traffic }: AssistantWorld) => traffic.filter(({ url }) => url.endsWith('/assist')).length;

/** A device that talks to an assistant which answers `answer` in place of the truth. */
async function deceived(answer: HostileAnswer) {
  const { world, record } = await start();
  const saved: DeviceRecord[] = [];
  const fetch = hostileAssistant(world.keys, answer);
  const save = async (changed: DeviceRecord) => void saved.push(changed);
  return { world, record, saved, device: deviceOf(world, record, { fetch, save }) };
}

const SEALED_ONLY: readonly (readonly [string, number])[] = [
  ['wrong_password', 401],
  ['locked', 429],
  ['disabled', 403],
  ['retired', 403],
  ['refused', 403],
  ['replayed', 400],
  ['stale_request', 400],
];

describe('somebody on the way who tells in clear text', () => {
  it.each(['/assist', '/keys'])('a refusal at %s is not believed', async (path) => {
    const { world, record } = await start();
    for (const [code, status] of SEALED_ONLY) {
      const more = { attemptsLeft: 0, retryAt: 4_000_000_000, now: 5 };
      const fetch = intercepting(world.fetch, ({ pathname }) =>
        pathname.endsWith(path) ? forgedProblem(code, status, more) : undefined,
      );
      const told = await deviceOf(world, record, { fetch })
        .unlock(PASSWORD)
        .catch((error) => error);
      expect(told).toMatchObject({ code: 'bad_response', attemptsLeft: undefined, retryAt: undefined });
    }
  });

  it('a refusal to disable is not believed, lest the owner thinks it was done before', async () => {
    const { world, kit } = await start();
    for (const [code, status] of SEALED_ONLY) {
      const fetch = intercepting(world.fetch, ({ pathname }) =>
        pathname.endsWith('/disable') ? forgedProblem(code, status) : undefined,
      );
      await expect(disable(kit, { fetch })).rejects.toMatchObject({ code: 'bad_response' });
    }
  });

  it('another time moves no clock: the device does not even ask again', async () => {
    const { world, record } = await start();
    const bodies: string[] = [];
    const fetch = intercepting(world.fetch, ({ pathname }, _ask, body) => {
      if (!pathname.endsWith('/assist')) return undefined;
      bodies.push(body);
      return forgedProblem('stale_request', 400, { now: unixNow() + 10_000_000 });
    });
    await expect(deviceOf(world, record, { fetch }).unlock(PASSWORD)).rejects.toThrow();
    expect(bodies).toHaveLength(1);
  });

  it('a sealed answer that was meant for an earlier request is not believed', async () => {
    const { world, record } = await start();
    let earlier: string | undefined;
    const fetch = intercepting(world.fetch, async ({ pathname }, ask) => {
      if (!pathname.endsWith('/assist')) return undefined;
      if (earlier !== undefined) return new Response(earlier, { status: 200 });
      earlier = await (await ask()).clone().text();
      return undefined;
    });
    const device = deviceOf(world, record, { fetch });
    // The first answer was asked for twice by the interceptor: the second is `replayed`, and genuine.
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'replayed' });
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_response' });
    expect(device.isUnlocked).toBe(false);
  });

  it('a genuine refusal beside a status of success, or help beside a refusal, is not believed', async () => {
    const { world, record } = await start();
    const restate = (status: number) =>
      intercepting(world.fetch, async ({ pathname }, ask) => {
        if (!pathname.endsWith('/assist')) return undefined;
        const { response } = (await (await ask()).json()) as { response: string };
        return Response.json({ response, code: 'bad_mac' }, { status });
      });
    const unlock = (password: string, status: number) =>
      deviceOf(world, record, { fetch: restate(status) }).unlock(password);
    await expect(unlock('wrong', 200)).rejects.toMatchObject({ code: 'bad_response' });
    await expect(unlock(PASSWORD, 403)).rejects.toMatchObject({ code: 'bad_response' });
  });

  it('nonsense gets an error of the one family', async () => {
    const { world, record } = await start();
    for (const [text, status] of [
      ['', 200],
      ['<html>', 200],
      ['null', 200],
      ['[]', 200],
      ['{"response":"a.b.c.d.e"}', 200],
      ['{"response":{"toString":1}}', 200],
      ['x'.repeat(600_000), 200],
      ['<html>', 511],
      ['{"code":"__proto__"}', 400],
      ['{"code":"not_unlocked"}', 401],
      ['{"code":"bad_mac","response":"..."}', 401],
    ] as const) {
      const fetch = intercepting(world.fetch, ({ pathname }) =>
        pathname.endsWith('/assist') ? new Response(text, { status }) : undefined,
      );
      await expect(deviceOf(world, record, { fetch }).unlock(PASSWORD)).rejects.toMatchObject({
        name: 'RoamingKeyError',
        code: expect.stringMatching(/^(bad_response|unavailable)$/),
      });
    }
  });

  it('that the answer is elsewhere does not send the request there', async () => {
    const { record } = await start();
    const elsewhere: string[] = [];
    const thief = express().use((req, res) => {
      elsewhere.push(req.path);
      res.json({});
    });
    const target = await listen(thief);
    const turning = await listen(express().use((req, res) => res.redirect(307, target + req.path)));
    const { url: _url, ...rest } = record.assistant;
    const device = new Device(
      { ...record, assistant: { url: turning, ...rest } },
      { assistant: turning, argon2id: quickArgon2id },
    );
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'network' });
    expect(elsewhere).toEqual([]);
  });
});

describe('a genuine stale_request', () => {
  it('corrects the clock once, and the next request starts from the device’s own clock again', async () => {
    const { world, record } = await start();
    const device = deviceOf(world, record, { now: () => unixNow() - 5000 });
    await device.unlock(PASSWORD);
    expect(assists(world)).toBe(2);
    await device.unlock(PASSWORD);
    expect(assists(world)).toBe(4);
    expect(world.events.filter(({ type }) => type === 'rejected')).toHaveLength(2);
  });

  it('is not obeyed twice', async () => {
    let asked = 0;
    const { device } = await deceived(({ request }) => {
      asked += 1;
      const { op, jti } = request;
      return {
        status: 400,
        body: { code: 'stale_request' },
        sealed: { v: 1, op, jti, code: 'stale_request', now: asked * 1000 },
      };
    });
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'stale_request' });
    expect(asked).toBe(2);
  });
});

describe('an assistant that answers, under the right rho,', () => {
  const failedSince = { count: 0, last: null };

  const LIES: readonly (readonly [string, (members: object) => object])[] = [
    ['to another request', (answer) => ({ ...answer, jti: b64(random(16)) })],
    ['to another operation', ({ ...answer }) => ({ ...answer, c: undefined, op: 'retire', retired: true })],
    ['without saying how many failed', (answer) => ({ ...answer, failedSince: undefined })],
    ['with a member nobody knows', (answer) => ({ ...answer, k: 'x' })],
    ['of another version', (answer) => ({ ...answer, v: 2 })],
    [
      'with a failure in the past that never was',
      (answer) => ({ ...answer, failedSince: { count: -1, last: null } }),
    ],
    [
      'with an error that no server tells',
      (answer) => ({ ...answer, c: undefined, failedSince: undefined, code: 'not_unlocked', now: 1 }),
    ],
    ['with help and an error at once', (answer) => ({ ...answer, code: 'disabled', now: 1 })],
    ['nothing', () => ({})],
    ['an array', () => []],
  ];

  it('to something else than was asked is not believed', async () => {
    let bend = (members: object): object => members;
    const { device } = await deceived(({ request: { op, jti }, ticket: { c } }) => ({
      sealed: bend({ v: 1, op, jti, c, failedSince }),
    }));
    await device.unlock(PASSWORD);
    device.lock();
    for (const [name, lie] of LIES) {
      bend = lie;
      await expect(device.unlock(PASSWORD), name).rejects.toMatchObject({ code: 'bad_response' });
      expect(device.isUnlocked).toBe(false);
    }
  });

  it('help where it was to retire a ticket has retired none', async () => {
    const { device, record } = await deceived(({ request: { jti }, ticket: { c } }) => ({
      sealed: { v: 1, op: 'retrieve', jti, c, failedSince },
    }));
    await expect(device.retire(PASSWORD)).rejects.toMatchObject({ code: 'bad_response' });
    const change = { password: PASSWORD, newPassword: 'another', saveKit: async () => {} };
    expect((await device.changePassword(change)).isOldRetired).toBe(false);
    expect(device.record.jwk).toEqual(record.jwk);
  });

  it('with any bit of the masked key flipped gets no signature out of it', async () => {
    let bit = 0;
    const { device } = await deceived(({ request: { op, jti }, ticket: { c } }) => {
      const bytes = Buffer.from(c as string, 'base64url');
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      return { sealed: { v: 1, op, jti, c: b64(bytes), failedSince } };
    });
    for (bit = 0; bit < 48 * 8; bit += 5) {
      await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_response' });
    }
    expect(device.isUnlocked).toBe(false);
  });

  it.each([1, 47, 49, 8160])('with a masked key of %d bytes gets none either', async (length) => {
    const { device } = await deceived(({ request: { op, jti } }) => ({
      sealed: { v: 1, op, jti, c: b64(random(length)), failedSince },
    }));
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_response' });
  });

  const other = async () => (await KeySet.generate()).active.jwk;
  it.each<[string, (owner: string, current: object) => Promise<{ ticket: string; key: object }>]>([
    [
      'a key that it has not published',
      async () => {
        const key = await other();
        return { ticket: (await makeTicket(key)).ticket, key };
      },
    ],
    [
      'a ticket that is sealed to another key than it says',
      async (_ticket, key) => ({ ticket: (await makeTicket(await other())).ticket, key }),
    ],
    ['what is no ticket', async (_ticket, key) => ({ ticket: 'a.b.c.d.e', key })],
    [
      'a key whose kid is not its thumbprint',
      async (ticket, key) => ({ ticket, key: { ...key, x: b64(random(32)) } }),
    ],
  ])('and renews to %s: the record stays as it was', async (_name, make) => {
    let renewed: object | undefined;
    const { device, record, saved } = await deceived(({ request: { op, jti }, ticket: { c } }) => ({
      sealed: { v: 1, op, jti, c, failedSince, renewed },
    }));
    renewed = await make(record.ticket, record.assistant.jwk);
    await device.unlock(PASSWORD);
    expect(device.record).toEqual(record);
    expect(saved).toEqual([]);
  });

  it('to a disabling: disabled false, of another operation, under another key, or what it said last time', async () => {
    const { world, kit } = await start();
    const now = unixNow();
    const confirm = (sealed: object) =>
      disable(kit, { fetch: hostileAssistant(world.keys, () => ({ sealed })) });
    await expect(confirm({ v: 1, op: 'disable', disabled: true, now })).resolves.toMatchObject({
      assistant: world.url,
    });
    for (const lie of [
      { v: 1, op: 'disable', disabled: false, now },
      { v: 1, op: 'retire', disabled: true, now },
      { v: 1, op: 'disable', now },
      { v: 1, op: 'disable', disabled: true, now, note: 'no' },
    ]) {
      await expect(confirm(lie)).rejects.toMatchObject({ code: 'bad_response' });
    }
    const fetch = intercepting(world.fetch, async ({ pathname }, ask) => {
      if (!pathname.endsWith('/disable')) return undefined;
      const { response } = (await (await ask()).json()) as { response: string };
      const parts = response.split('.');
      return Response.json({ response: [parts[0], '', b64(random(12)), ...parts.slice(3)].join('.') });
    });
    await expect(disable(kit, { fetch })).rejects.toMatchObject({ code: 'bad_response' });
    let last: string | undefined;
    const replaying = intercepting(world.fetch, async ({ pathname }, ask) => {
      if (!pathname.endsWith('/disable')) return undefined;
      if (last !== undefined) return new Response(last, { status: 200 });
      const answer = await ask();
      last = await answer.clone().text();
      return answer;
    });
    await disable(kit, { fetch: replaying });
    await expect(disable(kit, { fetch: replaying })).rejects.toMatchObject({ code: 'bad_response' });
  });
});

describe('a record that was changed before its owner uses it', () => {
  it('names another assistant: refused, and nothing is sent anywhere', async () => {
    const { world, record } = await start();
    const evil = await startAssistant();
    const jwk = evil.keys.active.jwk;
    const swapped = { ...record, assistant: { url: evil.url, jwk } };
    expect(() => deviceOf(world, swapped)).toThrow(expect.objectContaining({ code: 'bad_record' }));
    expect(evil.events).toEqual([]);
  });

  it('names the right assistant and a key of the thief’s, with a ticket for it: no β is sealed to it', async () => {
    const { world, record } = await start();
    const { jwk } = (await KeySet.generate()).active;
    const { ticket } = await makeTicket(jwk);
    const swapped = { ...record, ticket, assistant: { url: world.url, jwk } };
    const before = assists(world);
    await expect(deviceOf(world, swapped).unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_record' });
    expect(assists(world)).toBe(before);
  });

  it('bears the kid of the right key with the key material of another', async () => {
    const { world, record } = await start();
    const { x } = (await KeySet.generate()).active.jwk as { x: string };
    const jwk = { ...record.assistant.jwk, x } as DeviceRecord['assistant']['jwk'];
    const swapped = { ...record, assistant: { url: world.url, jwk } };
    const before = assists(world);
    await expect(deviceOf(world, swapped).unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_record' });
    expect(assists(world)).toBe(before);
  });

  it('has a cheaper KDF than the floor, or one that would exhaust the device', () => {
    const kdf = { name: 'argon2id', t: 3, m: 65_536, p: 4 } as const;
    const base = {
      version: 1,
      scheme: 'retrieve',
      salt: b64(random(32)),
      a: b64(random(32)),
      u: b64(random(32)),
      ticket: 'x',
      jwk: { kty: 'OKP', crv: 'Ed25519', x: 'C7w0aldmfDgBIL2cf9flHSxf3-o3zS9b9AWyxr9vLXg' },
      assistant: {
        url: 'https://assistant.example',
        jwk: { kty: 'OKP', crv: 'X25519', x: b64(random(32)), kid: b64(random(32)) },
      },
    } as const;
    expect(() => new Device({ ...base, kdf }, { assistant: base.assistant.url })).not.toThrow();
    for (const bad of [
      { m: 19_455, t: 64 },
      { t: 1, m: 38_911 },
      { t: 65 },
      { m: 2 ** 20 + 1, t: 1 },
      { p: 17 },
      { p: 0 },
      { t: 0 },
      { t: 5, m: 2 ** 20 },
      { t: 2.5 },
      { t: Number.NaN },
      { name: 'argon2d' },
      { name: 'pbkdf2', iterations: 1 },
    ]) {
      const record = { ...base, kdf: { ...kdf, ...bad } } as unknown as DeviceRecord;
      expect(() => new Device(record, { assistant: base.assistant.url })).toThrow(
        expect.objectContaining({ code: 'bad_record' }),
      );
    }
  });

  it('has a cheaper KDF within the bounds: the owner’s password is simply wrong', async () => {
    const { world, record } = await start();
    const weaker = { ...record, kdf: { ...record.kdf, m: record.kdf.m + 8 } };
    await expect(deviceOf(world, weaker).unlock(PASSWORD)).rejects.toMatchObject({ code: 'wrong_password' });
  });

  it('holds a ticket of the thief’s for the right key: his counter moves, the owner’s does not, no key comes out', async () => {
    const { world, record } = await start();
    const thief = await makeTicket(world.keys.active.jwk, {
      a: new Uint8Array(Buffer.from(record.a, 'base64url')),
    });
    await expect(deviceOf(world, { ...record, ticket: thief.ticket }).unlock(PASSWORD)).rejects.toMatchObject(
      { code: 'wrong_password' },
    );
    const { failedSince } = await deviceOf(world, record).unlock(PASSWORD);
    expect(failedSince.count).toBe(0);
  });

  it('holds a ticket that was sealed by the thief with a public key that is no good', async () => {
    await expect(
      seal({}, 'rk-ticket+jwe', {
        kty: 'OKP',
        crv: 'X25519',
        x: b64(new Uint8Array(32)),
        kid: b64(random(32)),
      }),
    ).rejects.toMatchObject({ code: 'bad_record' });
  });
});
