/** A user's key at home and at the record service, used by processes that may die. */
import { expect } from 'vitest';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import { Device } from '../../lib/device/device.ts';
import { enroll } from '../../lib/device/enroll.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { quickArgon2id as argon2id, CHEAP_KDF } from '../support/world.ts';
import { PASSWORD, type RoamingWorld, startWorld } from './support.ts';

export const NEW = 'a newer password';

/** A process that dies at its effect number `at`, before it or after it, or lives on. Nothing leaves one that is dead. */
export class Process {
  readonly log: string[] = [];
  readonly #at: number;
  readonly #when: 'before' | 'after';
  #isDead = false;

  constructor(at = Number.POSITIVE_INFINITY, when: 'before' | 'after' = 'after') {
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

export interface Life {
  readonly world: RoamingWorld;
  readonly code: string;
  local: DeviceRecord;
}

export async function begin(scheme: 'retrieve' | 'ed25519' = 'retrieve'): Promise<Life> {
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

export function deviceOf(life: Life, process: Process): Device {
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
export async function expectBothWork(life: Life, where: string): Promise<readonly [string, string]> {
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
