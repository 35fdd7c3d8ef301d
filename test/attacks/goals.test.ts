/** The goals G1 to G7 of docs/protocol.md section 1, as far as code can show them, each beside what does succeed. */
import { describe, expect, it } from 'vitest';
import { xor } from '../../lib/base/bytes.ts';
import { exportPrivateKey } from '../../lib/crypto/keys/private-key.ts';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { disablingName } from '../../lib/protocol/disabling.ts';
import { deviceShare, stretchPassword, verifier } from '../../lib/protocol/password.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { unmask } from '../../lib/protocol/schemes/retrieve.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import { argon2idOnce, PASSWORD, startAssistant, startRelyingParty } from '../support/world.ts';
import {
  assist,
  b64,
  makeDisabling,
  makeRequest,
  makeTicket,
  openAsAssistant,
  post,
  random,
} from './support.ts';

const bytes = (text: unknown) => new Uint8Array(Buffer.from(text as string, 'base64url'));

async function start() {
  const world = await startAssistant();
  const { record, kit } = await enroll({ ...world.enrolment, argon2id: argon2idOnce });
  const options = { assistant: world.url, fetch: world.fetch, argon2id: argon2idOnce };
  const device = new Device(record, options);
  return { world, record, kit, device, options };
}

const stretch = (password: string, { salt, kdf }: DeviceRecord) =>
  stretchPassword(password, bytes(salt), kdf, argon2idOnce);

/** All that the assistant ever holds in clear: every ticket and request, opened. */
async function assistantsView(world: Awaited<ReturnType<typeof startAssistant>>) {
  const view: Record<string, unknown>[] = [];
  for (const { url, request } of world.traffic) {
    if (!url.endsWith('/assist')) continue;
    const body = JSON.parse(request) as { ticket: string; request: string };
    view.push(await openAsAssistant(world.keys, body.ticket, 'rk-ticket+jwe'));
    view.push(await openAsAssistant(world.keys, body.request, 'rk-request+jwe'));
  }
  return view;
}

describe('G1: assistant and password', () => {
  it('do not make the key: what masks it needs the salt, which only the device has', async () => {
    const { world, record, device } = await start();
    const pkcs8 = await device.exportPrivateKey(PASSWORD, 'pkcs8-der');
    const [ticket] = await assistantsView(world);
    const c = bytes(ticket?.['c']);
    const k = await stretch(PASSWORD, record);
    expect(b64(unmask(c, k))).toBe(b64(pkcs8));
    for (const salt of [
      new Uint8Array(32),
      bytes(record.a),
      bytes(record.u),
      verifier(k),
      bytes(ticket?.['b']),
    ]) {
      const tried = await stretch(PASSWORD, { ...record, salt: b64(salt) });
      await expect(exportPrivateKey(unmask(c, tried), record.jwk, 'pkcs8-der')).rejects.toMatchObject({
        code: 'bad_response',
      });
    }
  });

  it('do not use it either: without a, the assistant’s own door is shut', async () => {
    const { world, record, device } = await start();
    await device.unlock(PASSWORD);
    const other = { ...record, a: b64(random(32)) };
    await expect(
      new Device(other, { assistant: world.url, fetch: world.fetch, argon2id: argon2idOnce }).unlock(
        PASSWORD,
      ),
    ).rejects.toMatchObject({ code: 'bad_mac' });
  });
});

describe('G2: the device', () => {
  it('holds nothing by which a guess could be tested without the assistant', async () => {
    const { record } = await start();
    const k = await stretch(PASSWORD, record);
    const everything = Buffer.from(JSON.stringify(record));
    const parts = [...record.ticket.split('.').map((part) => Buffer.from(part, 'base64url')), everything];
    for (const derived of [k, verifier(k), deviceShare(k, 'retrieve', 48)]) {
      for (const form of [Buffer.from(derived), Buffer.from(b64(derived))]) {
        expect(parts.some((part) => part.includes(form))).toBe(false);
      }
    }
    expect(Object.keys(record).sort()).toEqual([
      'a',
      'assistant',
      'jwk',
      'kdf',
      'salt',
      'scheme',
      'ticket',
      'u',
      'version',
    ]);
  });

  it('gets five guesses at once, and then waits that double', async () => {
    const { device, world } = await start();
    const guess = () => device.unlock(`not ${PASSWORD}`).catch((error) => error);
    for (const attemptsLeft of [4, 3, 2, 1, 0]) {
      expect(await guess()).toMatchObject({ code: 'wrong_password', attemptsLeft });
    }
    const waits = [];
    for (let i = 0; i < 4; i++) {
      const locked = await guess();
      expect(locked.code).toBe('locked');
      const wait = locked.retryAt - world.clock.now();
      waits.push(wait);
      world.clock.offset += wait;
      expect(await guess()).toMatchObject({ code: 'wrong_password', attemptsLeft: 0 });
    }
    expect(waits.map((wait) => Math.round(wait / 30))).toEqual([1, 2, 4, 8]);
  });

  it('gets at most 100 guesses a month, even if its owner logs in between them', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    let wrong = 0;
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 4; i++) {
        const now = world.clock.now();
        const { json } = await assist(world, await makeRequest(owner, { beta: random(32), iat: now }));
        if (json.code === 'wrong_password') wrong += 1;
      }
      await assist(world, await makeRequest(owner, { iat: world.clock.now() }));
      world.clock.offset += 3600;
    }
    expect(wrong).toBe(100);
    const last = await assist(world, await makeRequest(owner, { iat: world.clock.now() }));
    expect(last.json).toMatchObject({ code: 'locked' });
    expect(last.json).not.toHaveProperty('retryAt');
    expect(last.headers.get('retry-after')).toBeNull();
    world.clock.offset += 31 * 86_400;
    expect((await assist(world, await makeRequest(owner, { iat: world.clock.now() }))).json.code).toBe(
      'locked',
    );
  });
});

describe('G3: device and assistant', () => {
  it('find the password, at one Argon2id a guess: that is all that is promised', async () => {
    const { world, record } = await start();
    const ticket = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
    const found = [];
    for (const guess of ['123456', 'password', PASSWORD, 'letmein']) {
      if (b64(verifier(await stretch(guess, record))) === ticket['b']) found.push(guess);
    }
    expect(found).toEqual([PASSWORD]);
  });

  it('find it by no shorter way: the salt is the key’s own, so no table serves two tickets', async () => {
    const one = await start();
    const two = await enroll({ ...one.world.enrolment, argon2id: argon2idOnce });
    const tickets = await Promise.all(
      [one.record, two.record].map(({ ticket }) => openAsAssistant(one.world.keys, ticket, 'rk-ticket+jwe')),
    );
    for (const name of ['a', 'b', 'u', 'c']) expect(tickets[0]?.[name]).not.toBe(tickets[1]?.[name]);
    expect(one.record.salt).not.toBe(two.record.salt);
  });
});

/** Disables a key in the moment between reserving and settling, as a request on another process may. */
class DisablingInFlight extends MemoryStore {
  mark: { readonly u: string; readonly t: string } | undefined;
  override async reserve(request: Parameters<MemoryStore['reserve']>[0]) {
    const answer = await super.reserve(request);
    if (this.mark) await this.disable(this.mark);
    return answer;
  }
}

describe('G4: device and password', () => {
  it('get no help any more once the key is disabled, not even for a request in flight', async () => {
    const store = new DisablingInFlight();
    const world = await startAssistant({ store });
    const owner = await makeTicket(world.keys.active.jwk);
    store.mark = { u: b64(owner.u), t: b64(owner.t) };
    const answer = await assist(world, await makeRequest(owner));
    expect(answer.status).toBe(403);
    expect(answer.opened).toMatchObject({ code: 'disabled' });
    expect(answer.opened).not.toHaveProperty('c');
  });

  it('cannot retire a ticket in flight that was disabled meanwhile, nor be told so', async () => {
    const store = new DisablingInFlight();
    const world = await startAssistant({ store });
    const owner = await makeTicket(world.keys.active.jwk);
    store.mark = { u: b64(owner.u), t: b64(owner.t) };
    const answer = await assist(world, await makeRequest(owner, { op: 'retire' }));
    expect(answer.opened).toMatchObject({ code: 'disabled' });
    const kinds = [];
    for await (const { kind } of store.exportMarks()) kinds.push(kind);
    expect(kinds).toEqual(['disabled']);
  });

  it('stay out with a copy of the record, a ticket renewed before, and the old password', async () => {
    const { world, record, kit, device, options } = await start();
    await world.keys.rotate();
    await device.unlock(PASSWORD);
    expect(device.record.ticket).not.toBe(record.ticket);
    await disable(kit, options);
    for (const copy of [device, new Device(record, options)]) {
      await expect(copy.unlock(PASSWORD)).rejects.toMatchObject({ code: 'disabled' });
      await expect(copy.exportPrivateKey(PASSWORD, 'jwk')).rejects.toMatchObject({ code: 'disabled' });
      await expect(copy.retire(PASSWORD)).rejects.toMatchObject({ code: 'disabled' });
    }
  });

  it('are told retired where the ticket was retired, and disabled once it is disabled too', async () => {
    const { kit, device, options } = await start();
    await device.retire(PASSWORD);
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'retired' });
    await expect(device.unlock('a wrong one')).rejects.toMatchObject({ code: 'retired' });
    await disable(kit, options);
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'disabled' });
  });
});

describe('G5: the assistant', () => {
  it('sees in a whole life of a key nothing that is made from the password without the salt', async () => {
    const { world, record, kit, device, options } = await start();
    await device.unlock('a wrong one').catch(() => {});
    await device.unlock(PASSWORD);
    await world.keys.rotate();
    await device.unlock(PASSWORD);
    const { record: next } = await changed(device);
    await device.unlock(PASSWORD);
    await disable(kit, options);
    const view = JSON.stringify(await assistantsView(world));
    const traffic = JSON.stringify(world.traffic);
    for (const { salt, kdf } of [record, next]) {
      const k = await stretch(PASSWORD, { ...record, salt, kdf });
      const f = deviceShare(k, 'retrieve', 48);
      for (const secret of [bytes(salt), k, f, bytes(salt).subarray(0, 16), f.subarray(0, 12)]) {
        for (const form of [b64(secret), Buffer.from(secret).toString('hex')]) {
          expect(view).not.toContain(form);
          expect(traffic).not.toContain(form);
        }
      }
      // What it does see, so that the search above is known to find: the verifier.
      expect(view).toContain(b64(verifier(k)));
      expect(traffic).not.toContain(b64(verifier(k)));
    }
  });

  it('learns from enrolment nothing at all but that keys were asked for', async () => {
    const { world } = await start();
    expect(world.traffic.map(({ url, request }) => [new URL(url).pathname, request])).toEqual([
      ['/assistant/keys', ''],
    ]);
    expect(world.events).toEqual([]);
  });

  it('cannot tell from c whether it guessed the mask of a key: all masks give a key of that length', async () => {
    const { world, record } = await start();
    const ticket = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
    const any = random(48);
    expect(xor(bytes(ticket['c']), any)).toHaveLength(48);
    expect(JSON.stringify(ticket)).not.toContain(record.jwk.kty === 'OKP' ? record.jwk.x : '');
  });
});

async function changed(device: Device): Promise<Device> {
  await device.changePassword({ password: PASSWORD, newPassword: PASSWORD, saveKit: async () => {} });
  return device;
}

describe('G6: without the device', () => {
  it('nobody locks the owner out, by any number of requests beside his ticket or with his name', async () => {
    const { world, record, device } = await start();
    const thief = { ticket: record.ticket, jwk: record.assistant.jwk, b: random(32) };
    for (let i = 0; i < 20; i++) {
      const request = await makeRequest({ ...thief, a: random(32) });
      expect((await assist(world, request)).json.code).toBe('bad_mac');
    }
    const own = await makeTicket(record.assistant.jwk, { u: bytes(record.u) });
    for (let i = 0; i < 8; i++) await assist(world, await makeRequest(own, { beta: random(32) }));
    expect((await device.unlock(PASSWORD)).failedSince).toEqual({ count: 0, last: null });
  });
});

describe('G7: without t', () => {
  it('nobody disables: not with u, not with another t, not with u for t', async () => {
    const { world, record, device } = await start();
    const { jwk } = world.keys.active;
    const requests = [
      await makeDisabling(jwk, { t: random(16) }),
      await makeDisabling(jwk, { payload: { t: record.u } }),
      await makeDisabling(jwk, { payload: { u: record.u } }),
      await makeDisabling(jwk, { t: bytes(record.u).slice(0, 16) }),
    ];
    const answers = [];
    for (const { body } of requests) answers.push((await post(world, '/disable', body)).status);
    expect(answers).toEqual([200, 400, 400, 200]);
    await device.unlock(PASSWORD);
    expect(await world.store.isDisabled([record.u])).toBe(false);
  });

  it('an assistant that lies in its feed disables nobody at a relying party', async () => {
    const { world, record, device } = await start();
    const liar: typeof globalThis.fetch = async (input) => {
      const after = new URL(input as string | URL).searchParams.get('after');
      return Response.json({
        disabled: after === null ? [b64(random(16)), b64(bytes(record.u).slice(0, 16))] : [],
        next: '1.AAAAAAAAAAAA',
      });
    };
    const feed = disabledFeed({ url: world.url, fetch: liar });
    await feed.refresh();
    expect(await feed.isDisabled([record.u])).toBe(false);
    await device.unlock(PASSWORD);
  });

  it('a thief who has the key, and registers it with a u of his own, does not put the owner’s kit out of force', async () => {
    const { world, kit, device, options } = await start();
    const rp = await startRelyingParty(world.store);
    const register = { url: `${rp.origin}/register`, account: 'ada', password: PASSWORD };
    const headers = { 'x-invited': 'ada' };
    await device.register({ ...register, headers });
    // Device and password in his hands, the thief takes the key out and protects it anew, with a kit of his own.
    const pem = await device.exportPrivateKey(PASSWORD, 'pkcs8-pem');
    const thief = await enroll({
      ...world.enrolment,
      key: { existing: pem },
      password: 'mine',
      argon2id: argon2idOnce,
    });
    const thiefs = new Device(thief.record, options);
    await thiefs.register({ ...register, headers, password: 'mine' });
    expect(rp.accounts.get('ada')).toHaveLength(1);
    await disable(kit, options);
    for (const [one, password] of [
      [device, PASSWORD],
      [thiefs, 'mine'],
    ] as const) {
      await expect(one.login({ url: `${rp.origin}/login`, account: 'ada', password })).rejects.toMatchObject({
        code: 'disabled',
      });
    }
  });

  it('a thief who registers his own key with the owner’s u disables nothing by it', async () => {
    const { world, record, device, options } = await start();
    const rp = await startRelyingParty(world.store);
    const party = {
      url: `${rp.origin}/register`,
      account: 'ada',
      password: PASSWORD,
      headers: { 'x-invited': 'ada' },
    };
    await device.register(party);
    const made = await enroll({ ...world.enrolment, argon2id: argon2idOnce });
    const mallory = new Device({ ...made.record, u: record.u }, options);
    await mallory.register({ ...party, account: 'mallory', headers: { 'x-invited': 'mallory' } });
    await disable(made.kit, options);
    await device.login({ url: `${rp.origin}/login`, account: 'ada', password: PASSWORD });
    expect(b64(disablingName(bytes(made.kit.t)))).not.toBe(record.u);
  });
});
