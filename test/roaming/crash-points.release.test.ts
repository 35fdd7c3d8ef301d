/** Changes at a record service that end anywhere. */
import { expect, it } from 'vitest';
import { enroll } from '../../lib/device/enroll.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import { quickArgon2id as argon2id } from '../support/world.ts';
import { begin, deviceOf, expectBothWork, type Life, NEW, Process } from './life.ts';
import { PASSWORD } from './support.ts';

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
        await deviceOf(life, new Process()).changePassword({
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
      expect(await change(new Process(), home)).toEqual({ isOldRetired: true });
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
      await logIn(new Process());
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
