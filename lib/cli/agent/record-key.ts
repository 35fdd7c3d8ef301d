/** Keys of device records in an agent: the password is asked for at the first use and its half is held for a while. */
import { readFile } from 'node:fs/promises';
import { equalBytes, randomBytes } from '../../base/bytes.ts';
import { isRoamingKeyError } from '../../base/errors.ts';
import { type SshAlg, sshAlgs, sshPublicKeyBlob, sshSignatureBlob } from '../../crypto/ssh/encoding.ts';
import type { Device } from '../../device/device.ts';
import { historyOf } from '../history.ts';
import { toText } from '../output.ts';
import { rsaHash } from './added-key.ts';
import type { IdentitySource } from './agent.ts';
import type { Identity } from './identity.ts';
import { PatientQueue } from './patience.ts';
import { plainKey } from './wire-keys.ts';

export interface RecordKeyOptions {
  /** Opens a device of this record; RSA keys that are recovered take one for each algorithm. */
  readonly open: () => Promise<Device>;
  /** What the record is called. */
  readonly name: string;
  /** Where a certificate for this key may lie. */
  readonly certificate?: string;
  /** Asks for the password; `complaint` says what was wrong with the last one. */
  readonly askPassword: (question: Question) => Promise<string>;
  /** How long a recovered key is held, and how long the half of a shared one, in seconds. */
  readonly hold: { readonly recovered: number; readonly shared: number };
  /** Reports what the owner should know after an unlock. */
  readonly onNews?: (text: string) => void;
}

export interface Question {
  readonly asker: string;
  readonly complaint?: string;
}

/** How often a password is asked for before a request fails. */
const TRIES = 3;

type Devices = ReadonlyMap<SshAlg, Device>;

/** A record's key and, while there is one, its certificate. */
export class RecordKey implements IdentitySource {
  readonly #options: RecordKeyOptions;
  readonly #blob: Uint8Array;
  readonly #isRsa: boolean;
  #comment: string;
  readonly #queue = new PatientQueue();
  #held: Devices = new Map();
  #opening: Promise<void> | undefined;

  /** @throws RoamingKeyError `unsupported` for a key that does not sign */
  constructor(device: Device, options: RecordKeyOptions) {
    this.#options = options;
    this.#blob = sshPublicKeyBlob(device.jwk);
    this.#isRsa = device.jwk.kty === 'RSA';
    this.#comment = commentOf(options.name, device.record.u);
  }

  async list(): Promise<readonly Identity[]> {
    const { certificate } = this.#options;
    const plain = this.#identity(this.#blob);
    const signed = certificate === undefined ? undefined : await readCertificate(certificate, this.#blob);
    return signed ? [plain, this.#identity(signed)] : [plain];
  }

  /** Holds the key, or its half. @throws RoamingKeyError also `wrong_password` */
  async unlock(password: string): Promise<void> {
    const { open, hold, onNews, name } = this.#options;
    this.#held = await this.#queue.run(() => openForSsh(open, password, hold, onNews));
    // A change of password elsewhere gives a recovered key another name.
    for (const { record } of this.#held.values()) this.#comment = commentOf(name, record.u);
  }

  /** Wipes what is held. */
  forget(): void {
    for (const device of this.#held.values()) device.lock();
    this.#held = new Map();
  }

  #identity(blob: Uint8Array): Identity {
    return {
      blob,
      comment: this.#comment,
      sign: (data, flags, asker) => this.#sign(data, flags, asker),
      forget: () => this.forget(),
    };
  }

  async #sign(data: Uint8Array, flags: number, asker: string): Promise<Uint8Array> {
    for (let tries = 1; ; tries++) {
      if (![...this.#held.values()].some(({ isUnlocked }) => isUnlocked)) await this.#unlockOnce(asker);
      const [first] = this.#held.keys();
      const alg = this.#isRsa ? (`RS${rsaHash(flags)}` as SshAlg) : (first as SshAlg);
      const device = this.#held.get(alg) as Device;
      try {
        const signature = await this.#queue.run(() => device.sign(data, { alg }));
        return sshSignatureBlob(alg, signature);
      } catch (error) {
        // The time may have run out meanwhile, or another process has changed the password, and with it the record.
        const isPast = isRoamingKeyError(error, 'not_unlocked', 'retired') && tries < TRIES;
        if (!isPast) throw error;
        if (this.#held.get(alg) === device) this.forget();
      }
    }
  }

  /** Unlocks once for all requests that wait, so that one wrong password is one guess. */
  #unlockOnce(asker: string): Promise<void> {
    this.#opening ??= this.#askAndOpen(asker).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #askAndOpen(asker: string): Promise<void> {
    const { askPassword } = this.#options;
    let complaint: string | undefined;
    for (let tries = 1; ; tries++) {
      const password = await askPassword({ asker, ...(complaint !== undefined && { complaint }) });
      try {
        await this.unlock(password);
        return;
      } catch (error) {
        if (tries === TRIES || !isRoamingKeyError(error, 'wrong_password', 'bad_password')) throw error;
        complaint = toText(error);
      }
    }
  }
}

/**
 * Opens for each algorithm that SSH may ask for a device that holds the key for it, or its half. Then the password is known
 * to be right.
 */
async function openForSsh(
  open: () => Promise<Device>,
  password: string,
  hold: RecordKeyOptions['hold'],
  onNews?: (text: string) => void,
): Promise<Devices> {
  const device = await open();
  const [first, ...others] = sshAlgs(device.jwk) as [SshAlg, ...SshAlg[]];
  if (device.record.scheme !== 'retrieve') {
    await device.unlockShared(password, { forSeconds: hold.shared });
    // Only the assistant knows whether the password was right: find out once, before many requests guess.
    await device.sign(randomBytes(32), { alg: first });
    for (const line of historyOf(device)) onNews?.(line);
    return new Map([first, ...others].map((alg) => [alg, device]));
  }
  const held = { forSeconds: hold.recovered };
  await device.unlock(password, { ...held, alg: first });
  for (const line of historyOf(device)) onNews?.(line);
  const devices = new Map([[first, device]]);
  for (const alg of others) {
    const another = await open();
    await another.unlock(password, { ...held, alg });
    devices.set(alg, another);
  }
  return devices;
}

/** A certificate from a file as `ssh-keygen -s` writes it; `undefined` where it is for another key, or missing. */
async function readCertificate(file: string, key: Uint8Array): Promise<Uint8Array | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const [, base64 = ''] = /^\S+-cert-v01@openssh\.com ([A-Za-z0-9+/=]+)/.exec(text) ?? [];
  const blob = new Uint8Array(Buffer.from(base64, 'base64'));
  const plain = plainKey(blob);
  return plain && equalBytes(plain, key) ? blob : undefined;
}

/** The identities of several records. */
export function together(sources: () => readonly IdentitySource[]): IdentitySource {
  return {
    list: async () => (await Promise.all(sources().map((source) => source.list()))).flat(),
  };
}

/** What the public key of an identity is called on hosts: its name, and the name under which it can be disabled. */
function commentOf(name: string, u: string): string {
  return `${name} u=${u}`;
}
