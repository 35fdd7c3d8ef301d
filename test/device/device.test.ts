import { describe, expect, it, vi } from 'vitest';
import { Device, type DeviceOptions } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { memoryRecords, type Records } from '../../lib/device/records.ts';
import { type DisablingKit, disablingName } from '../../lib/protocol/disabling.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { b64, forgedProblem, intercepting } from '../attacks/support.ts';
import { eventually } from '../support/eventually.ts';
import {
  argon2idOnce,
  inEarnest,
  PASSWORD,
  quickArgon2id,
  startAssistant,
  startRelyingParty,
} from '../support/world.ts';

const NEW_PASSWORD = 'staple battery horse correct';

async function start() {
  const world = await startAssistant();
  const { record, kit } = await enroll(world.enrolment);
  const options = { assistant: world.url, fetch: world.fetch, argon2id: quickArgon2id };
  return { world, record, kit, options, device: new Device(record, options) };
}

describe('unlock', () => {
  it('refuses a time that is none, before anything is asked', async () => {
    const { world, device } = await start();
    const before = world.traffic.length;
    for (const forSeconds of [0, -1, 86_401, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(device.unlock(PASSWORD, { forSeconds })).rejects.toThrow(TypeError);
    }
    expect(world.traffic).toHaveLength(before);
  });

  it('holds the key from the last unlocking, for its time', async () => {
    const { device } = await start();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    try {
      await device.unlock(PASSWORD, { forSeconds: 10 });
      await device.unlock(PASSWORD, { forSeconds: 100 });
      vi.advanceTimersByTime(99_999);
      expect(device.isUnlocked).toBe(true);
      vi.advanceTimersByTime(1);
      expect(device.isUnlocked).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it('holds nothing where the user locked while it was under way', async () => {
    const { device } = await start();
    const unlocking = device.unlock(PASSWORD);
    device.lock();
    expect((await unlocking).key.type).toBe('private');
    expect(device.isUnlocked).toBe(false);
  });

  it('a key for another use than it can have is a mistake of the programmer’s', async () => {
    const { device } = await start();
    await expect(device.unlock(PASSWORD, { alg: 'PS256' })).rejects.toThrow(TypeError);
    expect(device.isUnlocked).toBe(false);
  });

  it('gives a key that cannot be taken out', async () => {
    const { device } = await start();
    const { key } = await device.unlock(PASSWORD);
    await expect(crypto.subtle.exportKey('pkcs8', key)).rejects.toThrow();
    await expect(crypto.subtle.exportKey('jwk', key)).rejects.toThrow();
  });

  it('tells how many wrong passwords there were, and forgets them then', async () => {
    const { world, device } = await start();
    await device.unlock('wrong').catch(() => {});
    await device.unlock('wrong again').catch(() => {});
    const { failedSince } = await device.unlock(PASSWORD);
    expect(failedSince.count).toBe(2);
    expect(Math.abs((failedSince.last as number) - world.clock.now())).toBeLessThanOrEqual(2);
    expect((await device.unlock(PASSWORD)).failedSince).toEqual({ count: 0, last: null });
  });

  it('takes the same password in its other spellings', async () => {
    const world = await startAssistant();
    const { record } = await enroll({ ...world.enrolment, password: 'Å\u00a0pass' });
    await new Device(record, { assistant: world.url, argon2id: quickArgon2id }).unlock('A\u030a pass');
  });
});

describe('a device', () => {
  it('refuses a record that is none, or of another assistant', async () => {
    const { record, options } = await start();
    const bad = expect.objectContaining({ code: 'bad_record' });
    for (const value of [
      null,
      undefined,
      1,
      '{}',
      [],
      {},
      { ...record, version: 2 },
      { ...record, more: 1 },
    ]) {
      expect(() => new Device(value as DeviceRecord, options)).toThrow(bad);
    }
    expect(() => new Device(record, { assistant: 'https://other.example' })).toThrow(bad);
    expect(() => new Device(record, { assistant: 'ftp://other.example' })).toThrow(TypeError);
    expect(() => new Device(record, { assistant: `${record.assistant.url}/` })).not.toThrow();
  });

  it('opens from a store of records and stays current there', async () => {
    const { world, record, options } = await start();
    const records = memoryRecords();
    await expect(Device.open(records, 'ada', options)).rejects.toMatchObject({ code: 'bad_record' });
    await records.save('ada', record);
    await world.keys.rotate();
    const device = await Device.open(records, 'ada', options);
    await device.unlock(PASSWORD);
    expect(await records.load('ada')).toEqual(device.record);
    expect(device.record.ticket).not.toBe(record.ticket);
  });

  it('proves nothing without being unlocked, nor with a key that was unlocked for another use', async () => {
    const world = await startAssistant();
    const { record } = await enroll({ ...world.enrolment, key: 'P-256' });
    const device = new Device(record, { assistant: world.url, argon2id: quickArgon2id });
    const party = { url: 'https://app.example/login', account: 'ada' };
    await expect(device.login(party)).rejects.toMatchObject({ code: 'not_unlocked' });
    await device.unlock(PASSWORD, { alg: 'ECDH-ES' });
    await expect(device.login(party)).rejects.toMatchObject({ code: 'not_unlocked' });
  });

  it('requires the assistant’s URL and never takes it from the record', async () => {
    const { record } = await start();
    for (const options of [{}, { assistant: undefined }, { assistant: '' }, { assistant: 5 }]) {
      expect(() => new Device(record, options as unknown as DeviceOptions)).toThrow('assistant must be');
    }
  });

  it('asks for the list of keys again when it is old, and believes a key no longer that has gone from it', async () => {
    const { world, record, options } = await start();
    let listed = true;
    const fetch = intercepting(world.fetch, ({ pathname }) =>
      pathname.endsWith('/keys') && !listed
        ? Response.json({ keys: world.keys.jwks().keys.slice(0, 1) })
        : undefined,
    );
    await world.keys.rotate();
    const device = new Device(record, {
      ...options,
      fetch,
      save: () => Promise.reject(new Error('disk full')),
    });
    await device.unlock(PASSWORD);
    listed = false;
    await device.unlock(PASSWORD);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 301_000 });
    try {
      await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_record' });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('renewal', () => {
  it('moves the record to the new key at the next success, and every copy keeps its counter', async () => {
    const { world, record, device, options } = await start();
    await device.unlock('wrong').catch(() => {});
    await world.keys.rotate({ type: 'P-256' });
    await expect(device.unlock('wrong')).rejects.toMatchObject({ attemptsLeft: 3 });
    expect(device.record).toEqual(record);
    expect((await device.unlock(PASSWORD)).failedSince.count).toBe(2);
    const { ticket: _ticket, assistant: _assistant, ...rest } = device.record;
    expect(record).toMatchObject(rest);
    expect(device.record.assistant).toEqual({ url: world.url, jwk: world.keys.active.jwk });
    const copy = new Device(record, options);
    await copy.unlock('wrong').catch(() => {});
    expect((await device.unlock(PASSWORD)).failedSince.count).toBe(1);
    world.keys.retire({ age: 0 });
    await device.unlock(PASSWORD);
    await expect(new Device(record, options).unlock(PASSWORD)).rejects.toMatchObject({
      code: 'bad_record',
    });
  });

  it('never happens when a ticket is retired', async () => {
    const { world, record, device } = await start();
    await world.keys.rotate();
    await device.retire(PASSWORD);
    expect(device.record).toEqual(record);
    expect(world.events.find(({ type }) => type === 'assisted')).toMatchObject({
      op: 'retire',
      renewed: false,
    });
  });

  it('that cannot be saved changes nothing, and the user has what he asked for', async () => {
    const { world, record, options } = await start();
    await world.keys.rotate();
    const device = new Device(record, { ...options, save: () => Promise.reject(new Error('disk full')) });
    await device.unlock(PASSWORD);
    expect(device.record).toEqual(record);
  });

  it('that arrives after the password was changed does not bring the old ticket back', async () => {
    const { world, record, options } = await start();
    await world.keys.rotate();
    const records = memoryRecords();
    await records.save('ada', record);
    const slow = new Gate();
    let asked = 0;
    const fetch = intercepting(world.fetch, async ({ pathname }) => {
      // The first renewal waits for the list of keys until the password has been changed.
      if (pathname.endsWith('/keys') && ++asked === 2) await slow.opened;
      return undefined;
    });
    const device = await Device.open(records, 'ada', { ...options, fetch });
    const unlocking = device.unlock(PASSWORD);
    await eventually(() => expect(asked).toBe(2));
    await device.changePassword({ password: PASSWORD, newPassword: NEW_PASSWORD, saveKit: async () => {} });
    slow.open();
    await unlocking;
    expect(await records.load('ada')).toEqual(device.record);
    await (await Device.open(records, 'ada', options)).unlock(NEW_PASSWORD);
  });

  it('that is being saved while the password is changed does not come to lie on top', async () => {
    const { world, record, options } = await start();
    await world.keys.rotate();
    const saved: DeviceRecord[] = [];
    const slow = new Gate();
    let saves = 0;
    const save = async (changed: DeviceRecord) => {
      if (++saves === 1) await slow.opened;
      saved.push(changed);
    };
    const device = new Device(record, { ...options, save });
    const unlocking = device.unlock(PASSWORD);
    await eventually(() => expect(saves).toBe(1));
    const changing = device.changePassword({
      password: PASSWORD,
      newPassword: NEW_PASSWORD,
      saveKit: async () => {},
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    slow.open();
    await Promise.all([unlocking, changing]);
    await new Device(saved.at(-1) as DeviceRecord, options).unlock(NEW_PASSWORD);
  });
});

class Gate {
  open: () => void = () => {};
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

describe('changePassword', () => {
  it('makes a new record around the same key, tells the apps, and the old password opens nothing more', async () => {
    const { world, record, kit, device, options } = await start();
    const rp = await startRelyingParty(world.store);
    const headers = { 'x-invited': 'ada' };
    const party = { url: `${rp.origin}/register`, account: 'ada', headers };
    await device.register({ ...party, password: PASSWORD });
    const kits: DisablingKit[] = [];
    const saveKit = async (made: DisablingKit) => void kits.push(made);
    const answer = await device.changePassword({
      password: PASSWORD,
      newPassword: NEW_PASSWORD,
      saveKit,
      relyingParties: [party],
    });
    expect(answer).toEqual({ isOldRetired: true, kit: kits[0] });
    const { record: next } = device;
    expect(next.jwk).toEqual(record.jwk);
    expect(next.kdf).toEqual(record.kdf);
    for (const member of ['salt', 'a', 'u', 'ticket'] as const) expect(next[member]).not.toBe(record[member]);
    await device.login({ url: `${rp.origin}/login`, account: 'ada', password: NEW_PASSWORD });
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'wrong_password' });
    await expect(new Device(record, options).unlock(PASSWORD)).rejects.toMatchObject({ code: 'retired' });
    expect(kits).toHaveLength(1);
    expect(rp.accounts.get('ada')?.[0]?.disablingNames).toEqual([record.u, next.u]);
    // Either kit ends the logins; the new one also ends the help.
    await disable(kits[0] as DisablingKit, options);
    await expect(device.unlock(NEW_PASSWORD)).rejects.toMatchObject({ code: 'disabled' });
    expect(kit.t).not.toBe(kits[0]?.t);
  });

  it('keeps what a guess costs, unless told otherwise', async () => {
    const { world, options } = await start();
    const kdf = { t: 4, m: 30_000, p: 2 };
    const { record } = await enroll({ ...world.enrolment, kdf });
    const device = new Device(record, options);
    const change = { password: PASSWORD, newPassword: PASSWORD, saveKit: async () => {} };
    await device.changePassword(change);
    expect(device.record.kdf).toEqual({ name: 'argon2id', ...kdf });
    await device.changePassword({ ...change, kdf: { t: 5 } });
    expect(device.record.kdf).toEqual({ name: 'argon2id', ...kdf, t: 5 });
    await expect(device.changePassword({ ...change, kdf: { m: 8 } })).rejects.toThrow(TypeError);
  });

  it.each<[string, object, string]>([
    ['a wrong password', { password: 'wrong' }, 'wrong_password'],
    ['a new password that is none', { newPassword: '' }, 'bad_password'],
    ['a kit that cannot be kept', { saveKit: () => Promise.reject(new Error('no printer')) }, 'no printer'],
  ])('with %s leaves all as it was', async (_name, change, told) => {
    const { record, device } = await start();
    const options = { password: PASSWORD, newPassword: NEW_PASSWORD, saveKit: async () => {}, ...change };
    const error = (await device.changePassword(options).catch((e: unknown) => e)) as Error & {
      code?: string;
    };
    expect(error.code ?? error.message).toBe(told);
    expect(device.record).toEqual(record);
    await device.unlock(PASSWORD);
  });

  it('says so where the old ticket could not be retired', async () => {
    const { world, record, options } = await start();
    let asked = 0;
    const fetch = intercepting(world.fetch, ({ pathname }) =>
      pathname.endsWith('/assist') && ++asked === 2 ? forgedProblem('unavailable', 503) : undefined,
    );
    const device = new Device(record, { ...options, fetch });
    const change = { password: PASSWORD, newPassword: NEW_PASSWORD, saveKit: async () => {} };
    expect(await device.changePassword(change)).toMatchObject({ isOldRetired: false, old: record });
    await device.unlock(NEW_PASSWORD);
    await new Device(record, options).unlock(PASSWORD);
    // Later, with the old password; then it is the old ticket that goes, and not this one.
    await expect(device.retire(NEW_PASSWORD)).rejects.toMatchObject({ code: 'wrong_password' });
    await device.retire(PASSWORD);
    await expect(new Device(record, options).unlock(PASSWORD)).rejects.toMatchObject({ code: 'retired' });
    await device.unlock(NEW_PASSWORD);
  });
});

/** Everything that a password change does outside of itself, in order; and a power cut before or after any of it. */
class Crash {
  steps = 0;
  reached: () => void = () => {};
  readonly happened = new Promise<void>((resolve) => {
    this.reached = resolve;
  });
  readonly #at: number;
  readonly #when: 'before' | 'after';
  readonly #how: 'dies' | 'fails';

  constructor(at: number, when: 'before' | 'after', how: 'dies' | 'fails') {
    this.#at = at;
    this.#when = when;
    this.#how = how;
  }

  async step<T>(act: () => Promise<T>): Promise<T> {
    const number = this.steps++;
    if (number === this.#at && this.#when === 'before') return this.#crash();
    const result = await act();
    if (number === this.#at) return this.#crash();
    return result;
  }

  #crash(): Promise<never> {
    if (this.#how === 'fails') return Promise.reject(new TypeError('fetch failed'));
    this.reached();
    return new Promise(() => {});
  }
}

describe('changePassword that ends', () => {
  it('anywhere leaves a record that works with its password, whose kit was kept, and which the app knows', async () => {
    const world = await startAssistant();
    const options = { assistant: world.url, argon2id: quickArgon2id };

    async function run(crash: Crash, rotated: boolean): Promise<{ changed: boolean }> {
      const rp = await startRelyingParty(world.store);
      const party = { url: `${rp.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } };
      const made = await enroll(world.enrolment);
      const kits = [made.kit];
      const stored: Records = memoryRecords();
      await stored.save('ada', made.record);
      await new Device(made.record, options).register({ ...party, password: PASSWORD });
      if (rotated) await world.keys.rotate();
      const device = new Device(made.record, {
        ...options,
        fetch: (input, init) => crash.step(() => world.fetch(input, init)),
        save: (record) => crash.step(() => stored.save('ada', record)),
      });
      const change = device.changePassword({
        password: PASSWORD,
        newPassword: NEW_PASSWORD,
        saveKit: (kit) => crash.step(async () => void kits.push(kit)),
        relyingParties: [party, party],
      });
      await Promise.race([change.catch(() => {}), crash.happened]);

      const record = (await stored.load('ada')) as DeviceRecord;
      const changed = record.salt !== made.record.salt;
      const survivor = new Device(record, { ...options, save: (next) => stored.save('ada', next) });
      await survivor.unlock(changed ? NEW_PASSWORD : PASSWORD);
      expect(kits.map(({ t }) => b64(disablingName(Buffer.from(t, 'base64url'))))).toContain(record.u);
      expect(rp.accounts.get('ada')?.[0]?.disablingNames).toContain(record.u);
      await survivor.login({ url: `${rp.origin}/login`, account: 'ada' });
      return { changed };
    }

    const whole = new Crash(Number.POSITIVE_INFINITY, 'before', 'fails');
    expect(await run(whole, false)).toEqual({ changed: true });
    expect(whole.steps).toBe(10);
    const outcomes = new Set<boolean>();
    for (let at = 0; at < whole.steps + 2; at++) {
      for (const when of ['before', 'after'] as const) {
        for (const how of ['dies', 'fails'] as const) {
          outcomes.add((await run(new Crash(at, when, how), at % 2 === 1)).changed);
        }
      }
    }
    expect(outcomes).toEqual(new Set([true, false]));
  });
});

describe('retire', () => {
  it('ends the help for a ticket and not the key', async () => {
    const { world, device, options } = await start();
    const rp = await startRelyingParty(world.store);
    await device.register({
      url: `${rp.origin}/register`,
      account: 'ada',
      password: PASSWORD,
      headers: { 'x-invited': 'ada' },
    });
    await device.unlock(PASSWORD);
    await expect(device.retire('wrong')).rejects.toMatchObject({ code: 'wrong_password' });
    const pem = await device.exportPrivateKey(PASSWORD, 'pkcs8-pem');
    await device.retire(PASSWORD);
    expect(device.isUnlocked).toBe(false);
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'retired' });
    const again = await enroll({ ...world.enrolment, key: { existing: pem } });
    await new Device(again.record, options).login({
      url: `${rp.origin}/login`,
      account: 'ada',
      password: PASSWORD,
    });
  });
});

it('works with the real Argon2id as with any', async () => {
  const world = await startAssistant();
  const { record } = await enroll(inEarnest(world.enrolment));
  await new Device(record, { assistant: world.url, argon2id: argon2idOnce }).unlock(PASSWORD);
});
