import { describe, expect, it } from 'vitest';
import { RoamingKeyError } from '../../lib/base/errors.ts';
import { Device, type DeviceOptions } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import { type EnrollOptions, enroll } from '../../lib/device/enroll.ts';
import { memoryRecords, type Records } from '../../lib/device/records.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { forgedProblem, hostileAssistant, intercepting, openAsAssistant } from '../attacks/support.ts';
import { type AssistantWorld, PASSWORD, quickArgon2id, startAssistant } from '../support/world.ts';

const NEW_PASSWORD = 'staple battery horse correct';
const change = { password: PASSWORD, newPassword: NEW_PASSWORD };
const utf8 = (text: string) => new TextEncoder().encode(text);

const SCHEMES = ['ed25519', 'elgamal'] as const;
type SharedScheme = (typeof SCHEMES)[number];

async function start(scheme: SharedScheme, world?: AssistantWorld) {
  const at = world ?? (await startAssistant());
  const { record, kit } = await enroll({ ...at.enrolment, scheme } as EnrollOptions);
  const options: DeviceOptions = {
    assistant: at.url,
    fetch: at.fetch,
    argon2id: quickArgon2id,
    purposes: ['sign'],
    onWarning: () => {},
  };
  return { world: at, record, kit, options, device: new Device(record, options) };
}

/** Uses a key as it is meant to be used. */
async function use(device: Device, password: string): Promise<void> {
  if (device.record.scheme === 'ed25519') {
    await device.sign(utf8('x'), { password });
    return;
  }
  const jwe = await encryptTo(device.jwk, utf8('x'));
  expect(await device.decrypt(jwe, { password })).toEqual(utf8('x'));
}

/** A network on which one question to the assistant is lost, counted from `at`; or with `after`, its answer. */
function cutting(fetch: typeof globalThis.fetch) {
  let left = 0;
  let isAnswerLost = false;
  return {
    at(question: number, when: 'before' | 'after' = 'before') {
      left = question;
      isAnswerLost = when === 'after';
    },
    fetch: intercepting(fetch, async ({ pathname }, ask) => {
      if (!pathname.endsWith('/assist') || --left !== 0) return undefined;
      if (isAnswerLost) await ask();
      throw new TypeError('fetch failed');
    }),
  };
}

/** The operations that an assistant was asked for. */
async function opsOf({ keys, traffic }: AssistantWorld): Promise<unknown[]> {
  const asked = traffic.filter(({ url }) => url.endsWith('/assist'));
  const bodies = asked.map(({ request }) => (JSON.parse(request) as { request: string }).request);
  const opened = await Promise.all(bodies.map((body) => openAsAssistant(keys, body, 'rk-request+jwe')));
  return opened.map(({ op }) => op);
}

describe.each(SCHEMES)('a change of password of scheme %s', (scheme) => {
  it('moves both halves: new password and record work, the old ones do not, and the kit stays good', async () => {
    const { world, record, kit, device, options } = await start(scheme);
    world.traffic.length = 0;
    expect(await device.changePassword(change)).toEqual({ isOldRetired: true });
    const op = scheme === 'ed25519' ? 'sign' : 'decrypt';
    expect(await opsOf(world)).toEqual(['reissue', op, 'retire']);
    const { salt, a, ticket, ...rest } = device.record;
    for (const [name, value] of Object.entries({ salt, a, ticket }))
      expect(value).not.toBe(record[name as 'salt']);
    expect(record).toMatchObject(rest);
    await use(device, NEW_PASSWORD);
    await expect(use(device, PASSWORD)).rejects.toMatchObject({ code: 'wrong_password' });
    await expect(use(new Device(record, options), PASSWORD)).rejects.toMatchObject({ code: 'retired' });
    await device.changePassword({ password: NEW_PASSWORD, newPassword: PASSWORD, kdf: { t: 4 } });
    expect(device.record.kdf).toEqual({ ...record.kdf, t: 4 });
    await disable(kit, { fetch: world.fetch });
    await expect(use(device, PASSWORD)).rejects.toMatchObject({ code: 'disabled' });
  });

  it('does not make the two records fit together: half of the old and half of the new are no key', async () => {
    const { record, device, options } = await start(scheme);
    const old = new Device(record, options);
    await old.unlockShared(PASSWORD);
    await device.changePassword(change);
    for (const mixed of [
      { ...device.record, salt: record.salt },
      { ...device.record, a: record.a },
      { ...record, salt: device.record.salt, a: device.record.a },
    ]) {
      for (const password of [PASSWORD, NEW_PASSWORD])
        await expect(use(new Device(mixed, options), password)).rejects.toBeInstanceOf(RoamingKeyError);
    }
    // What was held unlocked belongs to its own ticket.
    const held =
      scheme === 'ed25519' ? old.sign(utf8('x')) : old.decrypt(await encryptTo(old.jwk, utf8('x')));
    await expect(held).rejects.toMatchObject({ code: 'retired' });
  });

  it('forgets the half that is held, which belongs to the old ticket', async () => {
    const { device } = await start(scheme);
    await device.unlockShared(PASSWORD);
    await device.changePassword(change);
    expect(device.isUnlocked).toBe(false);
  });

  it('by a thief is ended by the kit that was made before it', async () => {
    const { world, record, kit, options } = await start(scheme);
    const thief = new Device(record, options);
    await thief.changePassword({ password: PASSWORD, newPassword: 'mine' });
    await use(thief, 'mine');
    await disable(kit, { fetch: world.fetch });
    await expect(use(thief, 'mine')).rejects.toMatchObject({ code: 'disabled' });
    const again = thief.changePassword({ password: 'mine', newPassword: 'mine too' });
    await expect(again).rejects.toMatchObject({ code: 'disabled' });
  });

  it('by a thief who leaves the old ticket alone is told to the owner, whose own changes are not', async () => {
    const { world, record, options } = await start(scheme);
    const warnings: string[] = [];
    const warned = { ...options, onWarning: ({ code }: { code: string }) => void warnings.push(code) };
    let asked = 0;
    const fetch = intercepting(world.fetch, ({ pathname }) =>
      pathname.endsWith('/assist') && ++asked === 3 ? forgedProblem('unavailable', 503) : undefined,
    );
    const thief = new Device(record, { ...options, fetch });
    expect(await thief.changePassword(change)).toMatchObject({ isOldRetired: false, old: record });
    await use(thief, NEW_PASSWORD);
    const owner = new Device(record, warned);
    await use(owner, PASSWORD);
    expect(owner.lastUse).toMatchObject({ reissues: { count: 1 }, isReissuedElsewhere: true });
    expect(warnings).toEqual(['reissued_elsewhere']);

    const other = await start(scheme, world);
    const own = new Device(other.record, { ...warned });
    expect(await own.changePassword(change)).toEqual({ isOldRetired: true });
    expect(own.lastUse).toMatchObject({ reissues: { count: 1 }, isReissuedElsewhere: false });
    await use(own, NEW_PASSWORD);
    expect(own.lastUse).toMatchObject({ isReissuedElsewhere: false });
    expect(warnings).toHaveLength(1);
  });

  it.each<[string, (pathname: string, asked: number) => Response | undefined, string]>([
    [
      'an older assistant, which does not know the operation',
      (pathname, asked) =>
        pathname.endsWith('/assist') && asked === 1 ? forgedProblem('invalid_request', 400) : undefined,
      'unsupported',
    ],
    [
      'a key that the assistant does not publish',
      (pathname) => (pathname.endsWith('/keys') ? Response.json({ keys: [] }) : undefined),
      'bad_response',
    ],
    [
      'a new record that cannot be used',
      (pathname, asked) =>
        pathname.endsWith('/assist') && asked === 2 ? forgedProblem('unavailable', 503) : undefined,
      'unavailable',
    ],
  ])('that meets %s changes nothing', async (_, answer, code) => {
    const { record, options } = await start(scheme);
    const saved: DeviceRecord[] = [];
    let asked = 0;
    let isChanging = false;
    const device = new Device(record, {
      ...options,
      save: async (next) => void saved.push(next),
      fetch: intercepting(options.fetch as typeof fetch, ({ pathname }) => {
        if (!isChanging) return undefined;
        if (pathname.endsWith('/assist')) asked++;
        return answer(pathname, asked);
      }),
    });
    await use(device, PASSWORD);
    isChanging = true;
    await expect(device.changePassword(change)).rejects.toMatchObject({ code });
    isChanging = false;
    expect([saved, device.record]).toEqual([[], record]);
    await use(device, PASSWORD);
  });

  it('is refused with a wrong password, and with a new one that is none', async () => {
    const { device, record } = await start(scheme);
    const wrong = device.changePassword({ ...change, password: 'wrong' });
    await expect(wrong).rejects.toMatchObject({ code: 'wrong_password' });
    await expect(device.changePassword({ ...change, newPassword: '' })).rejects.toMatchObject({
      code: 'bad_password',
    });
    expect(device.record).toEqual(record);
  });

  it('by a thief is told to the owner who mistyped the old password first, but not one that only seemed to fail', async () => {
    const { world, record, options } = await start(scheme);
    const cut = cutting(world.fetch);
    const thief = new Device(record, { ...options, fetch: cut.fetch });
    cut.at(3);
    await thief.changePassword(change);
    const warnings: string[] = [];
    const warned = { ...options, onWarning: ({ code }: { code: string }) => void warnings.push(code) };
    const owner = new Device(record, warned);
    await expect(owner.changePassword({ ...change, password: 'wrong' })).rejects.toMatchObject({
      code: 'wrong_password',
    });
    expect(await owner.changePassword(change)).toEqual({ isOldRetired: true });
    expect(warnings).toEqual(['reissued_elsewhere']);
    expect(owner.lastUse).toMatchObject({ isReissuedElsewhere: true });

    // An answer that is lost, after which the change is done anyhow, and a request that is lost.
    for (const when of ['after', 'before'] as const) {
      const other = await start(scheme, world);
      const own = new Device(other.record, { ...warned, fetch: cut.fetch });
      cut.at(1, when);
      await expect(own.changePassword(change)).rejects.toMatchObject({ code: 'network' });
      expect(await own.changePassword(change)).toEqual({ isOldRetired: true });
      expect(own.lastUse).toMatchObject({
        reissues: { count: when === 'after' ? 2 : 1 },
        isReissuedElsewhere: false,
      });
    }
    expect(warnings).toHaveLength(1);
  });

  it('by a thief is not covered by a request of the owner that was lost', async () => {
    const { world, record, options } = await start(scheme);
    const cut = cutting(world.fetch);
    const [thief, owner] = [0, 1].map(() => new Device(record, { ...options, fetch: cut.fetch }));
    cut.at(1);
    await expect(owner?.changePassword(change)).rejects.toMatchObject({ code: 'network' });
    await use(owner as Device, PASSWORD);
    cut.at(3);
    await thief?.changePassword(change);
    await use(owner as Device, PASSWORD);
    expect(owner?.lastUse).toMatchObject({ isReissuedElsewhere: true });
  });

  it('tells what went before it: wrong passwords, and the last use', async () => {
    const { device, record, options } = await start(scheme);
    await use(device, PASSWORD);
    await expect(use(new Device(record, options), 'wrong')).rejects.toMatchObject({ code: 'wrong_password' });
    await device.changePassword(change);
    expect(device.lastUse).toMatchObject({
      failedSince: { count: 1 },
      lastUsed: expect.any(Number) as unknown,
    });
  });

  it('is not done before every earlier ticket is retired, each with its password', async () => {
    const { world, record, options } = await start(scheme);
    const cut = cutting(world.fetch);
    const device = new Device(record, { ...options, fetch: cut.fetch });
    cut.at(3);
    expect(await device.changePassword(change)).toMatchObject({
      isOldRetired: false,
      old: record,
      cause: { code: 'network' },
    });
    const { record: second } = device;
    const third = { password: NEW_PASSWORD, newPassword: 'the third' };
    expect(await device.changePassword(third)).toEqual({ isOldRetired: false, old: record });
    await expect(use(new Device(second, options), NEW_PASSWORD)).rejects.toMatchObject({ code: 'retired' });
    await use(new Device(record, options), PASSWORD);

    cut.at(3);
    const { record: latest } = device;
    expect(await device.changePassword({ password: 'the third', newPassword: 'the last' })).toMatchObject({
      old: latest,
    });
    await expect(device.retire('the third')).rejects.toMatchObject({ code: 'wrong_password' });
    await expect(use(new Device(latest, options), 'the third')).rejects.toMatchObject({ code: 'retired' });
    await device.retire(PASSWORD);
    await expect(use(new Device(record, options), PASSWORD)).rejects.toMatchObject({ code: 'retired' });
    await use(device, 'the last');
    expect(await device.changePassword({ password: 'the last', newPassword: PASSWORD })).toEqual({
      isOldRetired: true,
    });
  });

  it('is refused where too many earlier tickets are left', async () => {
    const { world, record, options } = await start(scheme);
    const cut = cutting(world.fetch);
    const device = new Device(record, { ...options, fetch: cut.fetch });
    const same = { password: PASSWORD, newPassword: PASSWORD };
    for (let i = 0; i < 8; i++) {
      cut.at(3);
      await device.changePassword(same);
    }
    await expect(device.changePassword(same)).rejects.toMatchObject({ code: 'refused' });
    await device.retire(PASSWORD);
    expect(await device.changePassword(same)).toEqual({ isOldRetired: true });
  });

  it('has beforeRetire called with the new record while both passwords work, and again where it failed', async () => {
    const { record, options } = await start(scheme);
    const saved: DeviceRecord[] = [];
    const device = new Device(record, { ...options, save: async (next) => void saved.push(next) });
    const failure = new Error('the app has it not');
    const met: DeviceRecord[] = [];
    let isFailing = true;
    const beforeRetire = async (next: DeviceRecord) => {
      expect(saved).toEqual([next]);
      await use(new Device(next, options), NEW_PASSWORD);
      await use(new Device(record, options), PASSWORD);
      met.push(next);
      if (isFailing) throw failure;
    };
    const changed = await device.changePassword({ ...change, beforeRetire });
    expect(changed).toEqual({ isOldRetired: false, old: record, cause: failure });
    await expect(device.retire(PASSWORD)).rejects.toBe(failure);
    await use(new Device(record, options), PASSWORD);
    isFailing = false;
    await device.retire(PASSWORD);
    expect(met).toEqual([device.record, device.record, device.record]);
    await expect(use(new Device(record, options), PASSWORD)).rejects.toMatchObject({ code: 'retired' });

    // Once done, it is not called at the next change.
    await device.changePassword({ password: NEW_PASSWORD, newPassword: PASSWORD });
    expect(met).toHaveLength(3);
  });

  it('that was unavailable is asked for again, with a fresh salt and a', async () => {
    const { world, record, options } = await start(scheme);
    let asked = 0;
    const device = new Device(record, {
      ...options,
      fetch: intercepting(options.fetch as typeof fetch, async ({ pathname }, ask) => {
        if (!pathname.endsWith('/assist') || ++asked > 1) return undefined;
        await ask();
        return forgedProblem('unavailable', 503);
      }),
    });
    world.traffic.length = 0;
    expect(await device.changePassword(change)).toEqual({ isOldRetired: true });
    const opened = await Promise.all(
      world.traffic
        .filter(({ url }) => url.endsWith('/assist'))
        .map(({ request }) =>
          openAsAssistant(world.keys, (JSON.parse(request) as { request: string }).request, 'rk-request+jwe'),
        ),
    );
    const reissues = opened.filter(({ op }) => op === 'reissue');
    expect(reissues).toHaveLength(2);
    for (const name of ['a', 'b', 'delta']) expect(reissues[0]?.[name]).not.toBe(reissues[1]?.[name]);
    // Two were made from the old ticket, both by this device.
    expect(device.lastUse).toMatchObject({ isReissuedElsewhere: false });
    await use(device, NEW_PASSWORD);
  });

  it('that ends anywhere leaves a record that works with its password', async () => {
    const world = await startAssistant();

    async function run(at: number, when: 'before' | 'after', how: 'dies' | 'fails') {
      const { record, options } = await start(scheme, world);
      const stored: Records = memoryRecords();
      await stored.save('ada', record);
      let steps = 0;
      let reached = () => {};
      const happened = new Promise<void>((resolve) => {
        reached = resolve;
      });
      const crash = <T>(): Promise<T> => {
        if (how === 'fails') return Promise.reject(new TypeError('fetch failed'));
        reached();
        return new Promise(() => {});
      };
      const step = async <T>(act: () => Promise<T>): Promise<T> => {
        const isHere = steps++ === at;
        if (isHere && when === 'before') return crash();
        const result = await act();
        return isHere ? crash() : result;
      };
      const device = new Device(record, {
        ...options,
        fetch: (input, init) => step(() => world.fetch(input, init)),
        save: (next) => step(() => stored.save('ada', next)),
      });
      const changing = device.changePassword(change).catch(() => {});
      await Promise.race([changing, happened]);
      const kept = (await stored.load('ada')) as DeviceRecord;
      const isChanged = kept.salt !== record.salt;
      await use(new Device(kept, options), isChanged ? NEW_PASSWORD : PASSWORD);
      return { isChanged, steps };
    }

    const whole = await run(Number.POSITIVE_INFINITY, 'before', 'fails');
    expect(whole.isChanged).toBe(true);
    const outcomes = new Set<boolean>();
    for (let at = 0; at < whole.steps; at++)
      for (const when of ['before', 'after'] as const)
        for (const how of ['dies', 'fails'] as const) outcomes.add((await run(at, when, how)).isChanged);
    expect(outcomes).toEqual(new Set([true, false]));
  });
});

describe('what the assistant says of earlier uses', () => {
  it('is passed on, with a warning where more tickets were reissued than by this device', async () => {
    const world = await startAssistant();
    const { record } = await enroll(world.enrolment);
    const failedSince = { count: 2, last: 5 };
    const warnings: string[] = [];
    let more: object = {};
    const device = new Device(record, {
      assistant: world.url,
      argon2id: quickArgon2id,
      onWarning: ({ code }) => void warnings.push(code),
      fetch: hostileAssistant(world.keys, ({ request: { op, jti }, ticket: { c } }) => ({
        sealed: { v: 1, op, jti, c, failedSince, ...more },
      })),
    });
    expect(device.lastUse).toBeUndefined();
    // An older assistant says less.
    const { key: _key, jwk: _jwk, ...older } = await device.unlock(PASSWORD);
    expect(older).toEqual({ failedSince, isReissuedElsewhere: false });
    more = { lastUsed: null };
    expect(await device.unlock(PASSWORD)).toMatchObject({ lastUsed: null, isReissuedElsewhere: false });
    expect(warnings).toEqual([]);
    more = { lastUsed: 7, reissues: { count: 1, last: 6 } };
    for (let i = 0; i < 2; i++) {
      expect(await device.unlock(PASSWORD)).toMatchObject({
        lastUsed: 7,
        reissues: { count: 1, last: 6 },
        isReissuedElsewhere: true,
      });
    }
    expect(device.lastUse).toMatchObject({ isReissuedElsewhere: true });
    expect(warnings).toEqual(['reissued_elsewhere']);
  });

  it('includes a renewed record that has nowhere to go', async () => {
    const world = await startAssistant();
    const { record } = await enroll(world.enrolment);
    await world.keys.rotate();
    const warnings: string[] = [];
    const options = {
      assistant: world.url,
      argon2id: quickArgon2id,
      onWarning: ({ code }: { code: string }) => void warnings.push(code),
    };
    for (const keeping of [{ save: async () => {} }, { roam: { records: 'https://app.example/records' } }])
      await new Device(record, { ...options, ...keeping }).unlock(PASSWORD);
    expect(warnings).toEqual([]);
    const device = new Device(record, options);
    await device.unlock(PASSWORD);
    await world.keys.rotate();
    await device.unlock(PASSWORD);
    expect(warnings).toEqual(['renewed_unsaved']);
  });
});

describe('an assistant that is busy', () => {
  it('is asked again when it says, one request of a device after the other', async () => {
    const world = await startAssistant();
    const { record } = await enroll(world.enrolment);
    let open = 0;
    let most = 0;
    let asked = 0;
    const device = new Device(record, {
      assistant: world.url,
      argon2id: quickArgon2id,
      fetch: intercepting(world.fetch, async ({ pathname }, ask) => {
        if (!pathname.endsWith('/assist')) return undefined;
        most = Math.max(most, ++open);
        try {
          return ++asked % 2 === 1 ? busy() : await ask();
        } finally {
          open--;
        }
      }),
    });
    const busy = () =>
      Response.json(
        { code: 'busy', status: 429, title: 'busy' },
        { status: 429, headers: { 'retry-after': '0' } },
      );
    await Promise.all([1, 2, 3].map(() => device.unlock(PASSWORD)));
    expect([most, asked]).toEqual([1, 6]);
  });

  it('beyond the time limit is not waited for, nor one that does not say until when', async () => {
    const world = await startAssistant();
    const { record } = await enroll(world.enrolment);
    for (const headers of [{ 'retry-after': '30' }, {}]) {
      let asked = 0;
      const device = new Device(record, {
        assistant: world.url,
        argon2id: quickArgon2id,
        timeout: 20,
        fetch: intercepting(world.fetch, ({ pathname }) => {
          if (!pathname.endsWith('/assist')) return undefined;
          asked++;
          return Response.json({ code: 'busy', status: 429, title: 'busy' }, { status: 429, headers });
        }),
      });
      await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'busy' });
      expect(asked).toBe(1);
    }
  });
});
