/**
 * An SSH agent (draft-ietf-sshm-ssh-agent): lists identities, signs with them, adds and removes them, locks. What stands
 * behind an identity is its own affair, so that shared keys work as well as recovered and ordinary ones.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { equalBytes } from '../../base/bytes.ts';
import { addedKey } from './added-key.ts';
import { EXTENSION_FAILURE, FAILURE, identitiesAnswer, SUCCESS, signatureAnswer } from './answers.ts';
import type { Identity } from './identity.ts';
import { type AgentRequest, type Bind, readRequest } from './requests.ts';
import { verifySsh } from './wire-keys.ts';

const derive = promisify(scrypt) as (secret: Uint8Array, salt: Uint8Array, length: number) => Promise<Buffer>;

const MAX_ADDED = 64;
const MAX_BINDS = 16;
const MAX_SESSION_ID = 128;
/** Each wrong passphrase makes the next answer this much later, in milliseconds, up to 10 s. */
const UNLOCK_DELAY = 100;

/** Where identities come from that are not added by `ssh-add`. */
export interface IdentitySource {
  /** What there is now; certificates beside records come and go. */
  list(): Promise<readonly Identity[]>;
}

export interface SshAgentOptions {
  /** Asks the user whether a key may be used. Without it, keys that must be confirmed are not used. */
  readonly confirm?: (question: string) => Promise<boolean>;
  /** Keys of the source are confirmed before each use, too. */
  readonly confirmsAll?: boolean;
  /** Reports why a request failed. */
  readonly onError?: (error: unknown) => void;
}

/** A passphrase that ends a lock, as a salted hash. */
interface Lock {
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

interface Added {
  readonly identity: Identity;
  readonly confirm: boolean;
  readonly timer: NodeJS.Timeout | undefined;
}

/** What the agent knows of one client. */
export interface Client {
  readonly binds: Bind[];
}

export class SshAgent {
  readonly #source: IdentitySource;
  readonly #options: SshAgentOptions;
  readonly #added = new Map<string, Added>();
  /** Blobs that `ssh-add -d` took away. */
  readonly #hidden = new Set<string>();
  #lock: Lock | undefined;
  #wrongPassphrases = 0;

  constructor(source: IdentitySource, options: SshAgentOptions = {}) {
    this.#source = source;
    this.#options = options;
  }

  /** Answers a message; never rejects. */
  async answer(message: Uint8Array, client: Client): Promise<Uint8Array> {
    const request = readRequest(message);
    if (!request) return FAILURE;
    try {
      return this.#lock ? await this.#whileLocked(request) : await this.#serve(request, client);
    } catch (error) {
      this.#options.onError?.(error);
      return FAILURE;
    }
  }

  /** Wipes what is held of all keys; those of records are asked for again, ordinary ones are gone. */
  async forget(): Promise<void> {
    for (const blob of this.#added.keys()) this.#remove(blob);
    for (const identity of await this.#source.list()) identity.forget();
  }

  /** Shows identities again that were removed. */
  restore(): void {
    this.#hidden.clear();
  }

  async #serve(request: AgentRequest, client: Client): Promise<Uint8Array> {
    switch (request.type) {
      case 'list':
        return identitiesAnswer((await this.#identities()).map(({ identity }) => identity));
      case 'sign':
        return this.#sign(request, client);
      case 'add':
        return this.#add(request);
      case 'remove':
        return this.#hide([request.key]);
      case 'removeAll':
        return this.#hide((await this.#identities()).map(({ identity }) => identity.blob));
      case 'lock':
        return this.#lockWith(request.passphrase);
      case 'unlock':
        return FAILURE;
      case 'bind':
        return bind(request, client) ? SUCCESS : EXTENSION_FAILURE;
    }
  }

  async #whileLocked(request: AgentRequest): Promise<Uint8Array> {
    if (request.type === 'list') return identitiesAnswer([]);
    return request.type === 'unlock' ? this.#unlockWith(request.passphrase) : FAILURE;
  }

  async #identities(): Promise<readonly Pick<Added, 'identity' | 'confirm'>[]> {
    const own = (await this.#source.list()).map((identity) => ({
      identity,
      confirm: this.#options.confirmsAll ?? false,
    }));
    const shown = own.filter(({ identity }) => !this.#hidden.has(hex(identity.blob)));
    return [...shown, ...this.#added.values()];
  }

  async #sign(
    { key, data, flags }: Extract<AgentRequest, { type: 'sign' }>,
    client: Client,
  ): Promise<Uint8Array> {
    const found = (await this.#identities()).find(({ identity }) => equalBytes(identity.blob, key));
    if (!found) return FAILURE;
    const { identity, confirm } = found;
    const asker = client.binds.some(({ isForwarded }) => isForwarded)
      ? 'a forwarded connection'
      : 'a program';
    const question = `Allow ${asker} to use the key ${identity.comment}?`;
    if (confirm && !(await this.#options.confirm?.(question))) return FAILURE;
    return signatureAnswer(await identity.sign(data, flags, asker));
  }

  #add({ key, constraints }: Extract<AgentRequest, { type: 'add' }>): Uint8Array {
    const { lifetime, confirm } = constraints;
    if (confirm && !this.#options.confirm) return FAILURE;
    const identity = addedKey(key);
    const name = identity && hex(identity.blob);
    if (!identity || name === undefined) return FAILURE;
    if (this.#added.size >= MAX_ADDED && !this.#added.has(name)) return FAILURE;
    this.#remove(name);
    const timer = lifetime ? setTimeout(() => this.#remove(name), lifetime * 1000).unref() : undefined;
    this.#added.set(name, { identity, confirm, timer });
    return SUCCESS;
  }

  /** Removes ordinary keys; keys of records are hidden until the agent reads its records anew. */
  async #hide(blobs: readonly Uint8Array[]): Promise<Uint8Array> {
    const own = await this.#source.list();
    for (const blob of blobs) {
      const name = hex(blob);
      const found = own.find((identity) => equalBytes(identity.blob, blob));
      if (!found && !this.#added.has(name)) return FAILURE;
      if (found) this.#hidden.add(name);
      found?.forget();
      this.#remove(name);
    }
    return SUCCESS;
  }

  #remove(name: string): void {
    clearTimeout(this.#added.get(name)?.timer);
    this.#added.delete(name);
  }

  async #lockWith(passphrase: Uint8Array): Promise<Uint8Array> {
    const salt = randomBytes(16);
    this.#lock = { salt, hash: await derive(passphrase, salt, 32) };
    for (const identity of await this.#source.list()) identity.forget();
    return SUCCESS;
  }

  async #unlockWith(passphrase: Uint8Array): Promise<Uint8Array> {
    const { salt, hash } = this.#lock as Lock;
    await delay(Math.min(this.#wrongPassphrases * UNLOCK_DELAY, 10_000));
    if (!timingSafeEqual(await derive(passphrase, salt, 32), hash)) {
      this.#wrongPassphrases += 1;
      return FAILURE;
    }
    this.#wrongPassphrases = 0;
    this.#lock = undefined;
    return SUCCESS;
  }
}

/**
 * Takes note of a session, by the rules of OpenSSH's `session-bind@openssh.com`: the host key has signed the session id,
 * and a connection that has authenticated is bound to nothing else.
 */
function bind(request: Bind, { binds }: Client): boolean {
  const { hostKey, session, signature, isForwarded } = request;
  if (session.length > MAX_SESSION_ID || !verifySsh(hostKey, session, signature)) return false;
  if (binds.some((one) => !one.isForwarded)) return false;
  const same = binds.find((one) => equalBytes(one.session, session));
  if (same) return equalBytes(same.hostKey, hostKey);
  if (binds.length >= MAX_BINDS) return false;
  binds.push({ hostKey, session, signature, isForwarded });
  return true;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
