/** Both devices and both assistants behind one face, so that one dialogue is held in both directions. */
import type { AssistantKeyType } from '../../lib/assistant/keys.ts';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import { type EnrollOptions, enroll } from '../../lib/device/enroll.ts';
import type { SignatureAlg } from '../../lib/device/login-proof.ts';
import type { DisablingKit } from '../../lib/protocol/disabling.ts';
import { disablingCode } from '../../lib/protocol/disabling.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import type { SchemeName } from '../../lib/protocol/schemes/index.ts';
import { argon2idOnce, CHEAP_KDF, PASSWORD, startAssistant } from '../support/world.ts';
import { KDF, type Peer, type PeerAssistant, PeerFault } from './support.ts';

/** What enrolment leaves. */
export interface Made {
  readonly record: DeviceRecord;
  readonly kit: DisablingKit;
  readonly code: string;
}

/** Which key to enrol where. */
export interface ToEnrol {
  readonly assistant: string;
  readonly scheme?: SchemeName;
  readonly key?: string;
  readonly exp?: number;
}

/** How a device is used: with which password, with which assistant alone, with a clock that is how many seconds off. */
export interface Use {
  readonly password?: string;
  readonly assistant?: string;
  readonly clock?: number;
}

export interface FailedSince {
  readonly count: number;
  readonly last: number | null;
}

/** What a use gave, and the record as it is afterwards. */
export type Used<T> = T & { readonly record: DeviceRecord };

/** A device, whoever wrote it. */
export interface DeviceParty {
  enroll(wish: ToEnrol): Promise<Made>;
  unlock(record: DeviceRecord, use?: Use): Promise<Used<{ pkcs8: Uint8Array; failedSince: FailedSince }>>;
  sign(
    record: DeviceRecord,
    alg: SignatureAlg,
    data: Uint8Array,
    use?: Use,
  ): Promise<Used<{ signature: Uint8Array }>>;
  decrypt(record: DeviceRecord, jwe: string, use?: Use): Promise<Used<{ plaintext: Uint8Array }>>;
  encrypt(jwk: object, plaintext: Uint8Array): Promise<string>;
  retire(record: DeviceRecord, use?: Use): Promise<unknown>;
  changePassword(record: DeviceRecord, newPassword: string, use?: Use): Promise<Used<object>>;
  disable(kit: DisablingKit): Promise<unknown>;
  disableByCode(code: string, assistant: string): Promise<unknown>;
}

/** An assistant, whoever wrote it. */
export interface AssistantParty {
  readonly url: string;
  /** Sets its clock this many seconds off. */
  readonly shift: (seconds: number) => Promise<unknown>;
  readonly rotate: (type: AssistantKeyType) => Promise<unknown>;
  /** Forgets all keys but the active one. */
  readonly dropRetiring: () => Promise<unknown>;
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));
const text = (data: Uint8Array) => Buffer.from(data).toString('base64url');

/** The library's device. */
export const ourDevice: DeviceParty = {
  async enroll({ assistant, scheme = 'retrieve', key, exp }) {
    const made = await enroll({
      assistant,
      scheme,
      password: PASSWORD,
      kdf: CHEAP_KDF,
      argon2id: argon2idOnce,
      ...(key !== undefined && { key }),
      ...(exp !== undefined && { expiresAt: exp }),
    } as EnrollOptions);
    return { ...made, code: disablingCode(made.kit) };
  },
  async unlock(record, use) {
    const device = open(record, use);
    const { failedSince } = await device.unlock(use?.password ?? PASSWORD);
    const pkcs8 = await device.exportPrivateKey(use?.password ?? PASSWORD, 'pkcs8-der');
    return { pkcs8, failedSince, record: device.record };
  },
  async sign(record, alg, data, use) {
    const device = open(record, use);
    const signature = await device.sign(data, { alg, password: use?.password ?? PASSWORD });
    return { signature, record: device.record };
  },
  async decrypt(record, jwe, use) {
    const device = open(record, use);
    const plaintext = await device.decrypt(jwe, { password: use?.password ?? PASSWORD });
    return { plaintext, record: device.record };
  },
  encrypt: (jwk, plaintext) => encryptTo(jwk, plaintext),
  retire: (record, use) => open(record, use).retire(use?.password ?? PASSWORD),
  async changePassword(record, newPassword, use) {
    const device = open(record, use);
    await device.changePassword({ password: use?.password ?? PASSWORD, newPassword });
    return { record: device.record };
  },
  disable: (kit) => disable(kit),
  disableByCode: (code, assistant) => disable(code, { assistant }),
};

function open(record: DeviceRecord, { assistant, clock = 0 }: Use = {}): Device {
  return new Device(record, {
    purposes: ['sign'],
    argon2id: argon2idOnce,
    now: () => Math.floor(Date.now() / 1000) + clock,
    assistant: assistant ?? record.assistant.url,
  });
}

/** The peer's device. */
export function peerDevice(peer: () => Peer): DeviceParty {
  const use = <T>(what: string, record: DeviceRecord, given: Use = {}, more: object = {}) =>
    peer().do<Used<T>>(what, { record, password: PASSWORD, ...given, ...more });
  return {
    enroll: (wish) => peer().do<Made>('enroll', { ...wish, password: PASSWORD, kdf: KDF }),
    async unlock(record, given) {
      const told = await use<{ pkcs8: string; failedSince: FailedSince }>('unlock', record, given);
      return { ...told, pkcs8: bytes(told.pkcs8) };
    },
    async sign(record, alg, data, given) {
      const told = await use<{ signature: string }>('sign', record, given, { alg, message: text(data) });
      return { ...told, signature: bytes(told.signature) };
    },
    async decrypt(record, jwe, given) {
      const told = await use<{ plaintext: string }>('decrypt', record, given, { jwe });
      return { ...told, plaintext: bytes(told.plaintext) };
    },
    encrypt: async (jwk, plaintext) =>
      (await peer().do<{ jwe: string }>('encrypt', { jwk, plaintext: text(plaintext) })).jwe,
    retire: (record, given) => use('retire', record, given),
    changePassword: (record, newPassword, given) => use('change-password', record, given, { newPassword }),
    disable: (kit) => peer().do('disable', kit),
    disableByCode: (code, assistant) => peer().do('disable', { code, assistant }),
  };
}

/** The library's assistant, which lives as long as the test that asks for it. */
export async function ourAssistant(): Promise<AssistantParty> {
  const { url, clock, keys } = await startAssistant();
  return {
    url,
    shift: async (seconds) => {
      clock.offset = seconds;
    },
    rotate: (type) => keys.rotate({ type }),
    dropRetiring: async () => keys.retire({ age: 0 }),
  };
}

/** The peer's assistant, which goes on for all tests: every one finds its clock right. */
export async function peerAssistant(peer: PeerAssistant): Promise<AssistantParty> {
  await peer.do('clock', { seconds: 0 });
  return {
    url: peer.url,
    shift: (seconds) => peer.do('clock', { seconds }),
    rotate: (kind) => peer.do('rotate', { kind }),
    dropRetiring: () => peer.do('drop'),
  };
}

/** Why something was refused, in this package's words; a hint that nobody sealed counts for what it says. */
export interface Failure {
  readonly code: unknown;
  readonly attemptsLeft?: unknown;
  readonly retryAt?: unknown;
}

const WORDS: Readonly<Record<string, string>> = {
  forged: 'bad_response',
  not_listed: 'bad_record',
  unreachable: 'network',
};

/** The failure of what must fail. */
export async function failureOf(done: Promise<unknown>): Promise<Failure> {
  try {
    await done;
  } catch (error) {
    if (isRoamingKeyError(error)) return pick(error.code, error.attemptsLeft, error.retryAt);
    if (error instanceof PeerFault) {
      const { hint, attemptsLeft, retryAt } = error.told;
      return pick(
        error.code === 'unsealed' ? hint : (WORDS[error.code] ?? error.code),
        attemptsLeft,
        retryAt,
      );
    }
    throw error;
  }
  throw new Error('this was to be refused');
}

function pick(code: unknown, attemptsLeft: unknown, retryAt: unknown): Failure {
  return {
    code,
    ...(attemptsLeft !== undefined && { attemptsLeft }),
    ...(retryAt !== undefined && { retryAt }),
  };
}
