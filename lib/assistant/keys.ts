/**
 * The assistant's keys (docs/protocol.md sections 3 and 4): one active, to which devices seal, and any number retiring,
 * which still open what they sealed before. Losing a key loses every ticket sealed to it; showing it gives
 * ADV({assistant}).
 */

import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import * as v from 'valibot';
import { epochSeconds } from '../base/clock.ts';
import { type AssistantJwk, parseSealed, readAssistantJwk, seal, sealingAlg } from '../crypto/jwe/jwe.ts';
import { localUnwrap, openSealed, type Unwrap } from '../crypto/jwe/jwe-node.ts';
import { readPrivateFile, writePrivateFile } from '../files/private-file.ts';
import { emitWarning } from '../store/backing.ts';

/** A key of the assistant; its private half may live elsewhere, behind `unwrap` (KMS, HSM). */
export interface AssistantKey {
  /** The public half; `kid` is its RFC 7638 thumbprint. */
  readonly jwk: AssistantJwk;
  /** The private operation. May reject: the request is then answered as if the message were damaged. */
  readonly unwrap: Unwrap;
}

/** Kinds of keys that can be generated here. */
export type AssistantKeyType = 'X25519' | 'P-256' | 'RSA-OAEP-256';

/** `retiring` since then, in seconds since the epoch. */
interface RetiringKey extends AssistantKey {
  readonly since: number;
}

/** Keys that were retired less than this long ago stay, in seconds: 400 days. */
const DEFAULT_RETIREMENT = 400 * 86_400;

const KEY_FILE = v.strictObject({
  version: v.literal(1),
  keys: v.pipe(
    v.array(
      v.strictObject({
        state: v.picklist(['active', 'retiring']),
        since: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
        jwk: v.looseObject({ kty: v.string() }),
      }),
    ),
    v.check((keys) => keys.filter((key) => key.state === 'active').length === 1),
  ),
});

interface StoredKey {
  readonly state: 'active' | 'retiring';
  readonly since: number;
  readonly jwk: JWK & { kty: string };
}

const now = epochSeconds;

/**
 * An assistant's key set.
 *
 * @example
 * const keys = await KeySet.file('data/assistant-keys.json');
 * app.use('/assistant', assistant({ keys, store }));
 */
export class KeySet {
  #active: AssistantKey & { readonly since: number };
  #retiring: readonly RetiringKey[];
  readonly #stored = new Map<string, JWK>();

  private constructor(active: AssistantKey & { since: number }, retiring: readonly RetiringKey[]) {
    this.#active = active;
    this.#retiring = retiring;
  }

  /** A new set with one key of this process's own. Save it, or every ticket is lost with the process. */
  static async generate({ type = 'X25519' }: { readonly type?: AssistantKeyType } = {}): Promise<KeySet> {
    const stored = await generateStored(type);
    const set = new KeySet({ ...(await readStored(stored)), since: stored.since }, []);
    set.#stored.set(set.#active.jwk.kid, stored.jwk);
    return set;
  }

  /**
   * A set of keys that live elsewhere.
   *
   * @throws TypeError where tickets cannot be sealed to a public JWK, or its kid is not its thumbprint
   */
  static async of(active: AssistantKey, retiring: readonly AssistantKey[] = []): Promise<KeySet> {
    for (const key of [active, ...retiring]) {
      if (!(await readAssistantJwk(key.jwk)))
        throw new TypeError('keys: a jwk is no X25519, P-256 or RSA key with its thumbprint as kid');
      if (typeof key.unwrap !== 'function') throw new TypeError('keys: unwrap must be a function');
    }
    return new KeySet(
      { ...active, since: now() },
      retiring.map((key) => ({ ...key, since: now() })),
    );
  }

  /**
   * Reads a set from a file that `save` wrote.
   *
   * @throws Error with `code` ENOENT if there is no file
   * @throws TypeError if the file holds no key set, or everybody may read it
   */
  static async load(file: string): Promise<KeySet> {
    return KeySet.#read(parseJson(await readPrivateFile(file)), file);
  }

  /**
   * Reads a set from what `save` writes, as a secret in the environment: JSON text, or its value.
   *
   * @throws TypeError if it is no key set; the message holds nothing of it
   * @example
   * const keys = await KeySet.from(process.env.ASSISTANT_KEYS);
   */
  static async from(json: string | object | undefined): Promise<KeySet> {
    if (json === undefined || json === '')
      throw new TypeError('the key set is missing: `roaming-key keys generate` makes one');
    return KeySet.#read(typeof json === 'string' ? parseJson(json) : json, 'the text');
  }

  static async #read(value: unknown, where: string): Promise<KeySet> {
    const result = v.safeParse(KEY_FILE, value);
    if (!result.success) throw new TypeError(`${where} holds no key set`);
    const keys = await Promise.all(
      result.output.keys.map(async (stored) => ({
        ...(await readStored(stored as StoredKey, where)),
        stored,
      })),
    );
    const active = keys.find(({ stored }) => stored.state === 'active') as (typeof keys)[number];
    const retiring = keys.filter((key) => key !== active);
    const set = new KeySet(
      { jwk: active.jwk, unwrap: active.unwrap, since: active.stored.since },
      retiring.map(({ jwk, unwrap, stored }) => ({ jwk, unwrap, since: stored.since })),
    );
    for (const { jwk, stored } of keys) set.#stored.set(jwk.kid, stored.jwk as JWK);
    return set;
  }

  /** Reads the set from `file`, or generates one, saves it there and warns of that if there is no such file. */
  static async file(file: string, options: { readonly type?: AssistantKeyType } = {}): Promise<KeySet> {
    try {
      return await KeySet.load(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const set = await KeySet.generate(options);
    try {
      await set.save(file, { exclusive: true });
      emitWarning(
        `a NEW key set for the assistant was made in ${file}, since there was none: keep this file. Where there should have been ` +
          'one, stop now and bring it back: no record from before works with these keys.',
      );
      return set;
    } catch (error) {
      // Another process was first: its keys count.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return KeySet.load(file);
    }
  }

  /**
   * Writes the set, mode 0600, as one atomic step.
   *
   * @param options.exclusive refuse, with code EEXIST, if there is such a file already
   */
  async save(file: string, { exclusive = false }: { readonly exclusive?: boolean } = {}): Promise<void> {
    const entries = [
      { state: 'active', since: this.#active.since, kid: this.#active.jwk.kid },
      ...this.#retiring.map(({ since, jwk }) => ({ state: 'retiring', since, kid: jwk.kid })),
    ];
    const keys = entries.map(({ state, since, kid }) => {
      const jwk = this.#stored.get(kid);
      if (!jwk) throw new TypeError('keys that live elsewhere cannot be saved');
      return { state, since, jwk };
    });
    await writePrivateFile(file, `${JSON.stringify({ version: 1, keys }, null, 2)}\n`, { exclusive });
  }

  /** The key that new tickets are sealed to. */
  get active(): AssistantKey {
    return this.#active;
  }

  /** The key of this kid, and whether devices should move away from it; `undefined` without it. */
  find(kid: string): { readonly key: AssistantKey; readonly retiring: boolean } | undefined {
    if (kid === this.#active.jwk.kid) return { key: this.#active, retiring: false };
    const key = this.#retiring.find((k) => k.jwk.kid === kid);
    return key && { key, retiring: true };
  }

  /** What `GET {assistant}/keys` answers: public members only, the active key first. */
  jwks(): { readonly keys: readonly object[] } {
    return {
      keys: [this.#active, ...this.#retiring].map(({ jwk }) => ({
        ...jwk,
        use: 'enc',
        alg: sealingAlg(jwk),
      })),
    };
  }

  /** Makes a new active key; the one before is retiring from now on. Save the set afterwards. */
  async rotate({ type = 'X25519' }: { readonly type?: AssistantKeyType } = {}): Promise<void> {
    const stored = await generateStored(type);
    const next = { ...(await readStored(stored)), since: stored.since };
    this.#stored.set(next.jwk.kid, stored.jwk);
    this.#retiring = [{ ...this.#active, since: now() }, ...this.#retiring];
    this.#active = next;
  }

  /**
   * Drops keys that have been retiring for longer than `age` seconds (default 400 days). Records that were not used
   * in that time are lost with them. Save the set afterwards.
   *
   * @returns the kids that were dropped
   * @throws TypeError for a negative age, or one that is not a number
   */
  retire({ age = DEFAULT_RETIREMENT }: { readonly age?: number } = {}): readonly string[] {
    if (!Number.isFinite(age) || age < 0) throw new TypeError('age must be a number of seconds from 0');
    const isOld = (key: RetiringKey) => key.since + age <= now();
    const dropped = this.#retiring.filter(isOld).map((key) => key.jwk.kid);
    this.#retiring = this.#retiring.filter((key) => !isOld(key));
    for (const kid of dropped) this.#stored.delete(kid);
    return dropped;
  }
}

async function generateStored(type: AssistantKeyType): Promise<StoredKey> {
  const { privateKey } =
    type === 'RSA-OAEP-256'
      ? await generateKeyPair('RSA-OAEP-256', { extractable: true, modulusLength: 3072 })
      : await generateKeyPair('ECDH-ES', { extractable: true, crv: type });
  return { state: 'active', since: now(), jwk: (await exportJWK(privateKey)) as StoredKey['jwk'] };
}

async function readStored({ jwk }: StoredKey, file = 'the key set'): Promise<AssistantKey> {
  const refuse = () => new TypeError(`${file} holds a key that is no X25519, P-256 or RSA key`);
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: { ...jwk } as JsonWebKey, format: 'jwk' });
  } catch {
    throw refuse();
  }
  const { kty, crv, x, y, n, e } = jwk;
  const bare = Object.fromEntries(
    Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined),
  );
  const kid = await calculateJwkThumbprint(bare as JWK).catch(() => '');
  const publicJwk = await readAssistantJwk({ ...bare, kid });
  if (!publicJwk) throw refuse();
  const key = { jwk: publicJwk, unwrap: localUnwrap(privateKey) };
  // Importing does not compare the halves, and tickets sealed to a public key without its private one are lost.
  if (!(await isPair(key))) throw new TypeError(`${file} holds a key whose halves do not belong together`);
  return key;
}

async function isPair({ jwk, unwrap }: AssistantKey): Promise<boolean> {
  const sealed = await seal({}, 'rk-ticket+jwe', jwk).catch(() => '');
  const parsed = parseSealed(sealed, 'rk-ticket+jwe');
  return parsed !== undefined && (await openSealed(parsed, unwrap)) !== undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
