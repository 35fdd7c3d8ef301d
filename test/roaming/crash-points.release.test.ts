import { expect, it } from 'vitest';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import { Device } from '../../lib/device/device.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { quickArgon2id as argon2id, CHEAP_KDF } from '../support/world.ts';
import { PASSWORD, type RoamingWorld, startWorld } from './support.ts';

const NEW = 'a newer password';

/**
 * A process that dies: at its effect number `at`, before it or after it. From then on nothing leaves it.
 */
class Process {
  readonly log: string[] = [];
  readonly #at: number;
  readonly #when: 'before' | 'after';
  #isDead = false;

  constructor(at: number, when: 'before' | 'after') {
    this.#at = at;
    this.#when = when;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  async effect<T>(name: string, act: () => Promise<T>): Promise<T> {
    const dies = this.log.push(name) > this.#at;
    if (this.#isDead || (dies && this.#when === 'before')) {
      this.#isDead = true;
      throw new Error('dead');
    }
    const result = await act();
    if (dies) {
      this.#isDead = true;
      throw new Error('dead');
    }
    return result;
  }

  readonly fetch: typeof globalThis.fetch = (url, init) =>
    this.effect(`${init?.method} ${new URL(url as string).pathname}`, () => fetch(url, init));
}

/** Runs a life once for every point at which it can end, and once to its end. */
async function everyCrash(
  live: (process: Process) => Promise<unknown>,
  check: (process: Process, where: string) => Promise<void>,
  restart: () => Promise<void>,
): Promise<string[]> {
  for (let at = 0; ; at++) {
    for (const when of ['before', 'after'] as const) {
      await restart();
      const process = new Process(at, when);
      await live(process).catch((error: unknown) => {
        if (!process.isDead) throw error;
      });
      await check(process, `${when} effect ${at}, ${process.log[at] ?? 'none'}`);
      if (!process.isDead) return process.log;
    }
  }
}

/** With which of the passwords a record logs ada in. */
async function logsInWith(
  device: Device,
  url: string,
  passwords: readonly string[],
): Promise<string | undefined> {
  for (const password of passwords) {
    try {
      const { body } = await device.login({ url, account: 'ada', password });
      expect(body).toEqual({ user: { account: 'ada' } });
      return password;
    } catch (error) {
      if (!isRoamingKeyError(error)) throw error;
    }
  }
  return undefined;
}

interface Life {
  readonly world: RoamingWorld;
  readonly code: string;
  local: DeviceRecord;
}

async function begin(scheme: 'retrieve' | 'ed25519' = 'retrieve'): Promise<Life> {
  const world = await startWorld({ profile: { scheme, kdf: CHEAP_KDF } });
  const { record, code } = await enroll({
    ...world.assistant.enrolment,
    scheme,
    argon2id,
    register: [{ url: `${world.rp.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } }],
    roam: world.service.as('ada'),
  });
  return { world, code: code as string, local: record };
}

function deviceOf(life: Life, process: Process): Device {
  const { assistant, service } = life.world;
  return new Device(life.local, {
    assistant: assistant.url,
    argon2id,
    fetch: process.fetch,
    onWarning: () => {},
    roam: service.as('ada'),
    save: (record) =>
      process.effect('save', async () => {
        life.local = record;
      }),
  });
}

/** Both the record at home and the one at the service must lead to the key, with a password that the user knows. */
async function expectBothWork(life: Life, where: string): Promise<readonly [string, string]> {
  const { assistant, roam, rp } = life.world;
  // After a crash nobody remembers whose a change of password was.
  const quiet = { argon2id, onWarning: () => {} };
  const home = new Device(life.local, { assistant: assistant.url, ...quiet });
  const away = await roam('ada', life.code, quiet);
  const login = `${rp.origin}/login`;
  const passwords = [
    await logsInWith(home, login, [PASSWORD, NEW]),
    await logsInWith(away, login, [NEW, PASSWORD]),
  ];
  expect(passwords, where).not.toContain(undefined);
  return passwords as unknown as readonly [string, string];
}

it('a change of password that ends anywhere leaves a working record, here and at the service', async () => {
  let life: Life;
  const log = await everyCrash(
    (process) => {
      const relyingParty = {
        url: `${life.world.rp.origin}/register`,
        account: 'ada',
        headers: { 'x-invited': 'ada' },
      };
      return deviceOf(life, process).changePassword({
        password: PASSWORD,
        newPassword: NEW,
        saveKit: () => process.effect('saveKit', async () => {}),
        relyingParties: [relyingParty],
      });
    },
    async (process, where) => {
      const [home, away] = await expectBothWork(life, where);
      if (!process.isDead) expect([home, away]).toEqual([NEW, NEW]);
      // Whoever has died goes on where he was: with the password that works here.
      if (home === PASSWORD)
        await deviceOf(life, new Process(1e9, 'after')).changePassword({
          password: PASSWORD,
          newPassword: NEW,
          saveKit: async () => {},
        });
      expect(await expectBothWork(life, where)).toEqual([NEW, NEW]);
    },
    async () => {
      life = await begin();
    },
  );
  // Nothing is retired before both have the new record.
  const order = ['saveKit', 'POST /register', 'PUT /records/', 'save'].map((name) => log.indexOf(name));
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(log.at(-1)).toBe('POST /assistant/assist');
  expect(log.lastIndexOf('save')).toBeLessThan(log.length - 1);
}, 120_000);

it('a change of password of a shared key that ends anywhere leaves a working record, and the next one completes it', async () => {
  let life: Life;
  const change = (process: Process, password: string) =>
    deviceOf(life, process).changePassword({ password, newPassword: NEW });
  const log = await everyCrash(
    (process) => change(process, PASSWORD),
    async (process, where) => {
      const [home, away] = await expectBothWork(life, where);
      if (!process.isDead) expect([home, away]).toEqual([NEW, NEW]);
      expect(await change(new Process(1e9, 'after'), home)).toEqual({ isOldRetired: true });
      expect(await expectBothWork(life, where)).toEqual([NEW, NEW]);
    },
    async () => {
      life = await begin('ed25519');
    },
  );
  // It is kept here, used before that, at the service next, and retired last.
  const steps = log.filter((step) => /assist$|^save$|^PUT/.test(step));
  expect(steps).toEqual([
    'POST /assistant/assist',
    'POST /assistant/assist',
    'save',
    'PUT /records/',
    'POST /assistant/assist',
  ]);
}, 120_000);

it('a renewal that ends anywhere leaves a working record, and comes to its end the next time', async () => {
  let life: Life;
  const kids = async () => {
    const stored = await new RecordServiceClient(life.world.service.as('ada')).stored();
    return [life.local.assistant.jwk.kid, stored?.kid];
  };
  const logIn = (process: Process) =>
    deviceOf(life, process).login({
      url: `${life.world.rp.origin}/login`,
      account: 'ada',
      password: PASSWORD,
    });
  await everyCrash(
    logIn,
    async (_process, where) => {
      await expectBothWork(life, where);
      await logIn(new Process(1e9, 'after'));
      const { kid } = life.world.assistant.keys.active.jwk;
      expect(await kids(), where).toEqual([kid, kid]);
      await expectBothWork(life, where);
    },
    async () => {
      life = await begin();
      await life.world.assistant.keys.rotate();
      expect(new Set(await kids()).size).toBe(1);
    },
  );
}, 120_000);

it('a second enrolment that ends anywhere leaves one of the two records, under the code that the user has', async () => {
  let life: Life;
  await everyCrash(
    (process) =>
      enroll({
        ...life.world.assistant.enrolment,
        password: NEW,
        argon2id,
        fetch: process.fetch,
        register: [
          { url: `${life.world.rp.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } },
        ],
        roam: life.world.service.as('ada'),
      }),
    async (_process, where) => void (await expectBothWork(life, where)),
    async () => {
      life = await begin();
    },
  );
}, 120_000);

it('a device that is behind does not bring back what another has replaced', async () => {
  const life = await begin();
  const { assistant, service } = life.world;
  const stale = deviceOf(life, new Process(1e9, 'after'));
  const options = { assistant: assistant.url, argon2id, roam: service.as('ada') };
  const changer = new Device(life.local, options);
  await changer.changePassword({ password: PASSWORD, newPassword: NEW, saveKit: async () => {} });
  expect(await stale.syncRecord()).toBe(false);
  const owner = new RecordServiceClient(service.as('ada'));
  await expect(owner.store(stale.record, 'renewal')).rejects.toMatchObject({ code: 'refused' });
  expect((await owner.stored())?.u).toBe(changer.record.u);

  const before = changer.record;
  await assistant.keys.rotate();
  await changer.unlock(NEW);
  expect(await changer.syncRecord()).toBe(true);
  expect((await owner.stored())?.kid).toBe(assistant.keys.active.jwk.kid);
  await expect(owner.store(before, 'renewal')).rejects.toMatchObject({ code: 'refused' });
  expect((await owner.stored())?.kid).toBe(assistant.keys.active.jwk.kid);
});

it('a record of the old password is never taken for the one there, nor brought there, although its name is the same', async () => {
  const world = await startWorld({ profile: { scheme: 'ed25519', kdf: CHEAP_KDF } });
  const { assistant, service } = world;
  const puts: string[] = [];
  const fetch: typeof globalThis.fetch = (url, init) => {
    if (init?.method === 'PUT') puts.push(url as string);
    return globalThis.fetch(url, init);
  };
  const options = { assistant: assistant.url, argon2id, roam: service.as('ada') };
  const { record } = await enroll({
    ...assistant.enrolment,
    scheme: 'ed25519',
    argon2id,
    register: [{ url: `${world.rp.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } }],
    roam: options.roam,
  });
  const thief = new Device(record, { ...options, fetch });
  expect(await thief.syncRecord()).toBe(true);

  const owner = new Device(record, options);
  await owner.changePassword({ password: PASSWORD, newPassword: NEW });
  const there = new RecordServiceClient(options.roam);
  const kept = await there.stored();
  expect(kept).toMatchObject({ u: record.u, kid: record.assistant.jwk.kid });
  expect(await thief.syncRecord()).toBe(false);

  await assistant.keys.rotate();
  await owner.login({ url: `${world.rp.origin}/login`, account: 'ada', password: NEW });
  expect(await owner.syncRecord()).toBe(true);
  expect((await there.stored())?.kid).toBe(assistant.keys.active.jwk.kid);
  expect(await thief.syncRecord()).toBe(false);
  expect(puts).toEqual([]);
  // A salt or an a of another record is another record, too.
  for (const member of ['salt', 'a'] as const)
    expect(await there.renew({ ...owner.record, [member]: record[member] }), member).toBe(false);
  expect(await there.renew(owner.record)).toBe(true);
  expect((await there.stored())?.of).toBe(kept?.of);
});

it('a service that does not say what it keeps judges renewals by itself', async () => {
  const { local, world } = await begin();
  const roam = world.service.as('ada');
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const response = await globalThis.fetch(url, init);
    if (init?.method !== 'GET' || !(url as string).startsWith(roam.records)) return response;
    const { stored } = (await response.json()) as { stored: Record<string, unknown> };
    const { of: _of, ...rest } = stored;
    return Response.json({ stored: rest });
  };
  const device = new Device(local, { assistant: world.assistant.url, argon2id, roam, fetch });
  // Nothing that it says tells it from this record.
  expect(await device.syncRecord()).toBe(true);
  await world.assistant.keys.rotate();
  await device.unlock(PASSWORD);
  expect(await device.syncRecord()).toBe(true);
});

it('a service that is down stops a change of password and leaves everything as it was', async () => {
  const life = await begin();
  const process = new Process(1e9, 'after');
  const device = deviceOf(life, process);
  const changed = new Device(device.record, {
    assistant: life.world.assistant.url,
    argon2id,
    roam: { records: 'http://127.0.0.1:1/records' },
  }).changePassword({ password: PASSWORD, newPassword: NEW, saveKit: async () => {} });
  await expect(changed).rejects.toMatchObject({ code: 'network' });
  expect(await expectBothWork(life, 'service down')).toEqual([PASSWORD, PASSWORD]);
  // A login is none of the service's business.
  const party = { url: `${life.world.rp.origin}/login`, account: 'ada', password: PASSWORD };
  const withoutService = new Device(device.record, {
    assistant: life.world.assistant.url,
    argon2id,
    roam: { records: 'http://127.0.0.1:1/records' },
  });
  expect((await withoutService.login(party)).body).toEqual({ user: { account: 'ada' } });
  await expect(
    new Device(device.record, { assistant: life.world.assistant.url }).storeRecord(),
  ).rejects.toBeInstanceOf(TypeError);
});

it('who stores a record anew gets a new code, and the old one leads to a decoy', async () => {
  const life = await begin();
  const { roam } = life.world;
  const device = deviceOf(life, new Process(1e9, 'after'));
  const code = (await device.storeRecord()) as string;
  expect(code).not.toBe(life.code);
  expect((await roam('ada', code, { argon2id })).record).toEqual(device.record);
  await expect((await roam('ada', life.code, { argon2id })).unlock(PASSWORD)).rejects.toMatchObject({
    code: 'wrong_password',
  });
});

it.each(['ed25519', 'retrieve'] as const)(
  'a change of password of a spare %s key leaves the record of another key at the service',
  async (scheme) => {
    const { world, code, local } = await begin(scheme);
    const { record } = await enroll({ ...world.assistant.enrolment, scheme, argon2id });
    const roam = world.service.as('ada');
    const spare = new Device(record, {
      assistant: world.assistant.url,
      argon2id,
      roam,
      save: async () => {},
    });
    const change = { password: PASSWORD, newPassword: NEW, saveKit: async () => {} };
    expect(await spare.changePassword(change)).toMatchObject({ isOldRetired: true });
    expect((await world.roam('ada', code, { argon2id })).record).toEqual(local);
  },
);

it('a record that the service took although no answer came is replaced by the next try', async () => {
  const life = await begin();
  const { assistant, service, roam } = life.world;
  let isLost = true;
  const device = new Device(life.local, {
    assistant: assistant.url,
    argon2id,
    roam: service.as('ada'),
    async fetch(url, init) {
      const answer = await fetch(url, init);
      if (!isLost || init?.method !== 'PUT') return answer;
      isLost = false;
      throw new TypeError('fetch failed');
    },
  });
  const change = { password: PASSWORD, newPassword: NEW, saveKit: async () => {} };
  await expect(device.changePassword(change)).rejects.toMatchObject({ code: 'network' });
  expect(await device.changePassword(change)).toMatchObject({ isOldRetired: true });
  expect((await roam('ada', life.code, { argon2id })).record).toEqual(device.record);
});

it.each(['ed25519', 'retrieve'] as const)(
  'a change of password of scheme %s calls beforeRetire when the service has the new record, before the old ticket goes',
  async (scheme) => {
    const life = await begin(scheme);
    const process = new Process(1e9, 'after');
    await deviceOf(life, process).changePassword({
      password: PASSWORD,
      newPassword: NEW,
      saveKit: async () => {},
      beforeRetire: (record) => process.effect(`beforeRetire ${record.a === life.local.a}`, async () => {}),
    });
    const steps = process.log.filter((step) => /assist$|^save$|^PUT|^before/.test(step));
    const kept = scheme === 'ed25519' ? ['save', 'PUT /records/'] : ['PUT /records/', 'save'];
    expect(steps.slice(-4)).toEqual([...kept, 'beforeRetire true', 'POST /assistant/assist']);
  },
);
