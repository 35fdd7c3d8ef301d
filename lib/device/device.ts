import { toBase64url, utf8, wipe } from '../base/bytes.ts';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import {
  exportPrivateKey,
  importForUse,
  type KeyUse,
  type PrivateKeyFormat,
} from '../crypto/keys/private-key.ts';
import { type PublicJwk, thumbprint } from '../crypto/keys/public-jwk.ts';
import type { DisablingKit } from '../protocol/disabling.ts';
import type { Answer, AnswerFrame } from '../protocol/messages.ts';
import type { KdfParameters } from '../protocol/password.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import { RETIRE } from '../protocol/schemes/index.ts';
import { mask, retrieve, unmask } from '../protocol/schemes/retrieve.ts';
import { AssistedRecord, type AssistedRecordOptions } from './assisted-record.ts';
import {
  cryptoKeySigner,
  isProofInput,
  type LoginAlg,
  prove,
  type RelyingPartyAnswer,
  type RelyingPartyOptions,
  type SignatureAlg,
  type Signer,
} from './login-proof.ts';
import { makeRecord, sealingTarget } from './make-record.ts';
import { type Records, replaceRecord } from './records.ts';
import { type PickupOptions, pickUpRecord, RecordServiceClient, type RoamOptions } from './roam.ts';
import type { Signable } from './shared-signing.ts';

export interface DeviceOptions extends AssistedRecordOptions {
  /**
   * What the key is for; one purpose is safest. `login` (and `register`), `sign`, or both: a key that also logs in
   * signs no bare digest. Default `login`. Keys for decryption have no other use.
   */
  readonly purposes?: readonly Purpose[];
  /** A record service that holds this record too, and is kept in step: after each login, and by `changePassword`. */
  readonly roam?: RoamOptions;
}

/** How a device without a record comes to be one; the assistant is the caller's to name, never the record's. */
export type RoamingDeviceOptions = Omit<DeviceOptions, 'roam'> & PickupOptions;

/** What a key is for: a signature made for one purpose must not pass for another. */
export type Purpose = 'login' | 'sign';

/** For how long a key is held. */
export interface HoldOptions {
  /** After how many seconds it is forgotten. Default 300; at most a day. */
  readonly forSeconds?: number;
}

export interface UnlockOptions extends HoldOptions {
  /** What the key shall be used for. Default: `Ed25519`, `ES256` or `PS256`, by its kind. */
  readonly alg?: KeyUse;
}

/** A key that was recovered. */
export interface Unlocked {
  /** Not extractable; still works after `lock()` in the hands of whoever kept it. */
  readonly key: CryptoKey;
  readonly jwk: PublicJwk;
  /** Wrong passwords tried on this key since its last success; tell the user. */
  readonly failedSince: AnswerFrame['failedSince'];
}

/** With the password, or after `unlock` or `unlockShared` without it. */
export interface WithPassword {
  readonly password?: string;
}

/** Where, as whom and how to prove possession of the key. */
export interface ProofOptions extends RelyingPartyOptions, WithPassword {
  /** As the app has the key registered. Default: `Ed25519`, `ES256` or `PS256`, by its kind. */
  readonly alg?: LoginAlg;
}

export interface SignOptions extends WithPassword {
  /** Default: `Ed25519`, `ES256` or `PS256`, by the kind of key. */
  readonly alg?: SignatureAlg;
}

export interface SignJwsOptions extends SignOptions {
  /** Further header parameters, such as `typ` and `kid`. Default: the key's thumbprint as `kid`. */
  readonly header?: Readonly<Record<string, unknown>>;
}

export interface ChangePasswordOptions {
  readonly password: string;
  readonly newPassword: string;
  /**
   * Keeps the new kit, off this device; must have done so when it resolves. The old one still disables the key
   * at apps that know its name, and nothing at the assistant, where its ticket is retired.
   */
  readonly saveKit: (kit: DisablingKit) => Promise<void>;
  /** Apps where the key is registered: they are told the new name under which it can be disabled. */
  readonly relyingParties?: readonly RelyingPartyOptions[];
  /** Cost of a guess. Default: as before. */
  readonly kdf?: Partial<Omit<KdfParameters, 'name'>>;
  /** When the new ticket shall end, in seconds since the epoch. Default never: the device cannot read the old one. */
  readonly expiresAt?: number;
}

/** What is held while unlocked: a recovered key, or what the password gives for a key that stays shared. */
type Held =
  | { readonly key: CryptoKey; readonly alg: KeyUse; readonly k?: undefined }
  | { readonly k: Uint8Array; readonly key?: undefined };

const DEFAULT_ALG = { OKP: 'Ed25519', EC: 'ES256', RSA: 'PS256' } as const;
const LOGIN_ALGS: readonly string[] = ['Ed25519', 'ES256', 'PS256', 'RS256'] satisfies LoginAlg[];
const MAX_HOLD = 86_400;

/**
 * A device with a record: recovers or shares its key with the password and the assistant's help, uses it, forgets it.
 *
 * Every method that asks the assistant throws `RoamingKeyError` with `wrong_password` or `locked` (`attemptsLeft`,
 * `retryAt`), `disabled`, `retired`, `refused`, `busy`, `unavailable`, `network`, `bad_response` (the answer is not
 * the assistant's, or wrong), `bad_record`, `bad_password`, or `not_unlocked` where a password is needed.
 *
 * @example
 * const device = new Device(record, { assistant: 'https://assistant.example' });
 * await device.login({ url: 'https://app.example/login', account: 'ada', password });
 */
export class Device {
  readonly #record: AssistedRecord;
  readonly #options: DeviceOptions;
  readonly #purposes: ReadonlySet<Purpose>;
  #held: Held | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #until = 0;
  #locks = 0;
  /** The kid of the ticket that the record service is known to have. */
  #kidInStep: string | undefined;

  /**
   * @param record as `enroll` made it, or parsed from where it was kept
   * @throws RoamingKeyError `bad_record` if it is damaged, of another version, has weak or excessive KDF parameters,
   *   or names another assistant than the options do
   */
  constructor(record: DeviceRecord, options: DeviceOptions) {
    const { purposes = ['login'] } = options;
    if (!purposes.every((purpose) => purpose === 'login' || purpose === 'sign')) {
      throw new TypeError("purposes must be some of 'login' and 'sign'");
    }
    this.#record = new AssistedRecord(record, options);
    this.#options = options;
    this.#purposes = new Set(purposes);
  }

  /**
   * A device whose record is kept in `records` and stays current there.
   *
   * @throws RoamingKeyError `bad_record`, also where there is no record of that name
   */
  static async open(
    records: Records,
    name: string,
    options: Omit<DeviceOptions, 'save' | 'load'>,
  ): Promise<Device> {
    const record = await records.load(name);
    if (!record) throw new RoamingKeyError('bad_record', 'there is no device record of this name');
    return new Device(record, {
      ...options,
      load: () => records.load(name),
      save: (changed, replaced) => replaceRecord(records, name, replaced, changed),
    });
  }

  /**
   * A device whose record comes from a record service, ready to unlock. It is kept nowhere unless `save` does so.
   *
   * Where account or code are wrong, this is a decoy: `unlock` then says `wrong_password`, whatever the password.
   *
   * @throws RoamingKeyError `bad_record` for a record of another assistant, or with a key that the assistant has not
   *   published; `busy`, `unavailable`, `network`, `bad_response`
   * @throws TypeError where `records` or `assistant` are missing, or neither https nor on the loopback
   * @source docs/protocol.md section 9
   *
   * @example
   * const device = await Device.roam({ records: 'https://app.example/records', assistant, account: 'ada', code });
   */
  static async roam({
    records,
    headers,
    credentials,
    account,
    code,
    ...options
  }: RoamingDeviceOptions): Promise<Device> {
    const roam = { records, ...(headers && { headers }), ...(credentials && { credentials }) };
    const pickup = { ...roam, account, ...(code !== undefined && { code }), assistant: options.assistant };
    const record = await pickUpRecord(pickup, options);
    return new Device(record, { ...options, roam });
  }

  /** What is stored on the device; changes when the assistant renews its key or the password changes. */
  get record(): DeviceRecord {
    return this.#record.current;
  }

  /** The public key. */
  get jwk(): PublicJwk {
    return this.#record.current.jwk;
  }

  /** Whether a key, or a shared key's half, is held now. */
  get isUnlocked(): boolean {
    return this.#holding() !== undefined;
  }

  /**
   * Recovers the private key and holds it for a while (claim 8).
   *
   * @throws RoamingKeyError `unsupported` for a shared key, which nobody can recover: see `unlockShared`
   * @source docs/protocol.md sections 4 and 5
   */
  async unlock(password: string, options: UnlockOptions = {}): Promise<Unlocked> {
    if (this.record.scheme !== 'retrieve') throw notRecoverable();
    const { forSeconds, alg = this.#defaultAlg() } = options;
    const hold = holdTime(forSeconds);
    const locks = this.#locks;
    const { key, failedSince } = await this.#withPrivateKey(password, async (pkcs8, response) => ({
      key: await importForUse(pkcs8, this.jwk, alg),
      failedSince: response.failedSince,
    }));
    // Whoever locked meanwhile wants nothing held; the key is the caller's all the same.
    if (locks === this.#locks) this.#hold({ key, alg }, hold);
    return { key, jwk: this.jwk, failedSince };
  }

  /**
   * Holds what the password gives for a key that is shared with the assistant, so that `sign`, `decrypt` and `login`
   * need no password for a while. The assistant is asked at every use all the same, and only then is it known whether
   * the password was right; a wrong one is forgotten at once.
   *
   * @throws RoamingKeyError `bad_password`; `unsupported` for a key that is not shared
   */
  async unlockShared(password: string, { forSeconds }: HoldOptions = {}): Promise<void> {
    const hold = holdTime(forSeconds);
    if (this.record.scheme === 'retrieve')
      throw new RoamingKeyError('unsupported', 'this key is not shared: unlock it');
    const locks = this.#locks;
    const k = await this.#record.stretch(password);
    if (locks === this.#locks) this.#hold({ k }, hold);
    else wipe(k);
  }

  /** Forgets what is held, at once. */
  lock(): void {
    this.#locks += 1;
    this.#forget();
  }

  /** Gives the private key out, which nothing can take back. */
  async exportPrivateKey(password: string, format: 'pkcs8-pem' | 'pkcs1-pem' | 'openssh'): Promise<string>;
  async exportPrivateKey(password: string, format: 'pkcs8-der'): Promise<Uint8Array>;
  async exportPrivateKey(password: string, format: 'jwk'): Promise<JsonWebKey>;
  async exportPrivateKey(
    password: string,
    format: PrivateKeyFormat,
  ): Promise<string | Uint8Array | JsonWebKey> {
    return this.#withPrivateKey(password, (pkcs8) => exportPrivateKey(pkcs8, this.jwk, format as 'jwk'));
  }

  /**
   * Stores the record at the record service for the account that this device is logged in to there.
   *
   * @returns the pickup code, to be shown once; `null` where the service needs none
   * @throws RoamingKeyError `refused`, `unsupported`, `unknown_key`, `disabled`, `busy`, `unavailable`, `network`
   * @throws TypeError without the option `roam`
   * @source docs/protocol.md section 9
   */
  async storeRecord(): Promise<string | null> {
    const { record } = this;
    const code = await this.#service().store(record);
    this.#kidInStep = record.assistant.jwk.kid;
    return code;
  }

  /**
   * Brings the record service a ticket that the assistant has renewed. `login` does it by itself where it can; without a
   * cookie jar, call it once the session's cookie is among the `headers` of `roam`.
   *
   * @returns whether the service has this record; not where it has none, or that of another password
   * @throws RoamingKeyError as `storeRecord`
   */
  async syncRecord(): Promise<boolean> {
    const { record } = this;
    const isInStep = await this.#service().renew(record);
    if (isInStep) this.#kidInStep = record.assistant.jwk.kid;
    return isInStep;
  }

  /**
   * Logs in to an app by proving possession of the key, whatever its scheme.
   *
   * @returns the app's answer
   * @throws RoamingKeyError also the app's `refused`, `disabled`, `busy`, `unavailable`
   * @source docs/protocol.md section 8
   */
  async login({ password, alg, ...party }: ProofOptions): Promise<RelyingPartyAnswer> {
    const answer = await this.#asProof(password, alg, (signer) =>
      prove(signer, { type: 'login' }, party, this.#options),
    );
    // Now there is a session. What fails here is tried again after the next login.
    if (this.#options.roam && this.#kidInStep !== this.record.assistant.jwk.kid)
      await this.syncRecord().catch(() => {});
    return answer;
  }

  /**
   * Registers the key with an account that the app has authenticated by other means.
   *
   * @throws RoamingKeyError as `login`
   * @source docs/protocol.md section 8
   */
  async register({ password, alg, ...party }: ProofOptions): Promise<RelyingPartyAnswer> {
    const { u } = this.record;
    return this.#asProof(password, alg, (signer) =>
      prove(signer, { type: 'register', u }, party, this.#options),
    );
  }

  /**
   * Signs data, or a digest with a shared RSA key.
   *
   * @returns the signature as JOSE has it: RSA as long as the modulus, ECDSA r ‖ s, Ed25519 64 bytes
   * @throws RoamingKeyError `refused` for data that would pass for a login
   * @throws TypeError where the key's purposes do not include `sign`; for a digest with a key that also logs in
   * @source docs/protocol.md section 5
   */
  async sign(data: Signable, { password, alg = this.#defaultAlg() }: SignOptions = {}): Promise<Uint8Array> {
    this.#requirePurpose('sign');
    if (!(data instanceof Uint8Array)) {
      if (this.record.scheme !== 'rsa') throw new TypeError('only shared RSA keys sign digests');
      if (this.#purposes.has('login')) throw new TypeError('a key that logs in signs no bare digest');
      const signable = { digest: new Uint8Array(data.digest) };
      return this.#withK(password, (k) => this.#signShared(k, signable, alg));
    }
    // A copy, since signing takes its time: what was looked at is what is signed.
    const bytes = new Uint8Array(data);
    if (isProofInput(bytes))
      throw new RoamingKeyError('refused', 'this would pass for a proof of this protocol');
    if (this.record.scheme === 'rsa') return this.#withK(password, (k) => this.#signShared(k, bytes, alg));
    return this.#withSigner(password, alg, (signer) => signer.sign(bytes));
  }

  /**
   * Signs a payload as a compact JWS (RFC 7515).
   *
   * @throws RoamingKeyError `refused` for a `typ` of this protocol
   */
  async signJws(payload: string | Uint8Array, options: SignJwsOptions = {}): Promise<string> {
    const { header, alg = this.#defaultAlg(), password } = options;
    const bytes = typeof payload === 'string' ? utf8(payload) : payload;
    const kid = await thumbprint(this.jwk);
    const head = toBase64url(utf8(JSON.stringify({ kid, ...header, alg })));
    const input = `${head}.${toBase64url(bytes)}`;
    const signature = await this.sign(utf8(input), { alg, ...(password !== undefined && { password }) });
    return `${input}.${toBase64url(signature)}`;
  }

  /**
   * Decrypts a compact JWE with a shared key: `ECDH-ES` (with or without key wrapping) on P-256, as any JOSE library
   * makes it, or what `encryptTo` made.
   *
   * @throws RoamingKeyError `invalid_request`, `unsupported` for a JWE that is not for this key, or damaged
   * @source docs/protocol.md section 5
   */
  async decrypt(jwe: string, { password }: WithPassword = {}): Promise<Uint8Array> {
    if (this.record.scheme !== 'elgamal') {
      throw new TypeError('only shared ElGamal keys decrypt here; unlock other keys and use the CryptoKey');
    }
    const { decryptShared } = await import('./shared-decryption.ts');
    return this.#withK(password, (k) =>
      decryptShared(this.record, k, (exchange, question) => this.#record.ask(k, exchange, question), jwe),
    );
  }

  /**
   * Retires this record's ticket: the assistant never helps with it again. Keys registered at apps stay as they are;
   * to disable those, use the disabling kit.
   *
   * @source docs/protocol.md section 5
   */
  async retire(password: string): Promise<void> {
    await this.#withK(password, (k) => this.#record.ask(k, RETIRE, () => ({})));
    this.lock();
  }

  /**
   * Changes the password of a retrieved key: makes a new record, ticket and kit around the same key, tells the apps,
   * replaces the record at the record service, if there is one, and here, and retires the old ticket last. A crash at any
   * point leaves a record that works, at both places. The pickup code stays as it is.
   *
   * @returns whether the old ticket could be retired; if not, old password and old record still lead to the key
   * @throws RoamingKeyError also as `register` and `storeRecord`; then the old record is in force here, unchanged, and
   *   at the record service either of the two. `unsupported` for a shared key, whose two halves only both sides together could split anew
   * @source docs/protocol.md section 6
   */
  async changePassword(options: ChangePasswordOptions): Promise<{ readonly isOldRetired: boolean }> {
    const { password, newPassword, saveKit, relyingParties = [], kdf, expiresAt } = options;
    return this.#withK(password, async (k) => {
      const old = this.record;
      const next = await this.#withKeyOf(k, async (pkcs8) => {
        const target = await sealingTarget(old.assistant.url, this.#options);
        const made = await makeRecord(
          target,
          old.jwk,
          (newK) => ({ scheme: 'retrieve', c: mask(pkcs8, newK) }),
          {
            ...this.#options,
            password: newPassword,
            kdf: { t: old.kdf.t, m: old.kdf.m, p: old.kdf.p, ...kdf },
            ...(expiresAt !== undefined && { expiresAt }),
          },
        );
        await saveKit(made.kit);
        const alg = this.#defaultAlg();
        const signer = cryptoKeySigner(await importForUse(pkcs8, old.jwk, alg), alg, old.jwk);
        for (const party of relyingParties) {
          await prove(signer, { type: 'register', u: made.record.u }, party, this.#options);
        }
        return made.record;
      });
      if (this.#options.roam && (await this.#service().stored())) await this.#service().store(next, 'code');
      await this.#record.replace(next);
      return { isOldRetired: await this.#retireOld(old, k) };
    });
  }

  async #retireOld(old: DeviceRecord, k: Uint8Array): Promise<boolean> {
    try {
      await this.#record.ask(k, RETIRE, () => ({}), old);
      return true;
    } catch (error) {
      if (isRoamingKeyError(error)) return isRoamingKeyError(error, 'retired', 'disabled');
      throw error;
    }
  }

  #service(): RecordServiceClient {
    if (!this.#options.roam) throw new TypeError('roam must be given');
    return new RecordServiceClient(this.#options.roam, this.#options);
  }

  #hold(held: Held, seconds: number): void {
    this.#forget();
    this.#held = held;
    this.#until = Date.now() + seconds * 1000;
    this.#timer = setTimeout(() => this.#forget(), seconds * 1000);
    // In Node, a key that is held must not keep the process alive.
    if (typeof this.#timer === 'object') this.#timer.unref();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    wipe(this.#held?.k);
    this.#held = undefined;
  }

  /** What is held. Timers stand still while a machine sleeps, so the clock is asked too. */
  #holding(): Held | undefined {
    if (Date.now() >= this.#until) this.#forget();
    return this.#held;
  }

  #defaultAlg(): LoginAlg {
    const { kty } = this.jwk;
    if (kty === 'DH' || this.record.scheme === 'elgamal')
      throw new TypeError('this key decrypts and has no other use');
    return DEFAULT_ALG[kty];
  }

  #requirePurpose(purpose: Purpose): void {
    if (!this.#purposes.has(purpose)) throw new TypeError(`purposes must include '${purpose}'`);
  }

  /** A signer for proofs: with a key that is shared through the assistant, else with the recovered one. */
  async #asProof<T>(
    password: string | undefined,
    alg: LoginAlg | undefined,
    use: (signer: Signer) => Promise<T>,
  ): Promise<T> {
    this.#requirePurpose('login');
    const { scheme, jwk } = this.record;
    if (scheme !== 'rsa') return this.#withSigner(password, alg, use);
    const chosen = alg ?? 'PS256';
    return this.#withK(password, (k) =>
      use({ alg: chosen, jwk, sign: (data) => this.#signShared(k, data, chosen) }),
    );
  }

  async #withSigner<T>(
    password: string | undefined,
    alg: SignatureAlg | undefined,
    use: (signer: Signer) => Promise<T>,
  ): Promise<T> {
    if (password !== undefined) {
      const chosen = alg ?? this.#defaultAlg();
      const key = await this.#withPrivateKey(password, (pkcs8) => importForUse(pkcs8, this.jwk, chosen));
      return use(cryptoKeySigner(key, chosen, this.jwk));
    }
    const holding = this.#holding();
    if (!holding?.key) throw notUnlocked('the key is locked');
    const { key, alg: held } = holding;
    if (alg === undefined ? !LOGIN_ALGS.includes(held) : held !== alg)
      throw notUnlocked(`the key was unlocked for ${held}`);
    return use(cryptoKeySigner(key, held as SignatureAlg, this.jwk));
  }

  async #signShared(k: Uint8Array, data: Signable, alg: SignatureAlg): Promise<Uint8Array> {
    const { signShared } = await import('./shared-signing.ts');
    if (alg === 'Ed25519' || alg === 'ES256') throw new TypeError(`alg ${alg} is no use of an RSA key`);
    return signShared(
      this.record,
      k,
      (exchange, question) => this.#record.ask(k, exchange, question),
      data,
      alg,
    );
  }

  /** Runs `use` with the password's K: a given password's, wiped afterwards, or the one that is held. */
  async #withK<T>(password: string | undefined, use: (k: Uint8Array) => Promise<T>): Promise<T> {
    if (password !== undefined) {
      const k = await this.#record.stretch(password);
      try {
        return await use(k);
      } finally {
        wipe(k);
      }
    }
    const holding = this.#holding();
    if (!holding?.k) throw notUnlocked('the key is locked');
    // A copy, since lock() wipes what is held, and may come while the assistant is being asked.
    const k = new Uint8Array(holding.k);
    try {
      return await use(k);
    } catch (error) {
      // What was held meanwhile may be the right password's by now.
      if (isRoamingKeyError(error, 'wrong_password') && this.#held === holding) this.lock();
      throw error;
    } finally {
      wipe(k);
    }
  }

  async #withPrivateKey<T>(
    password: string,
    use: (pkcs8: Uint8Array<ArrayBuffer>, response: Answer<typeof retrieve.exchange>) => Promise<T>,
  ): Promise<T> {
    return this.#withK(password, (k) => this.#withKeyOf(k, use));
  }

  async #withKeyOf<T>(
    k: Uint8Array,
    use: (pkcs8: Uint8Array<ArrayBuffer>, response: Answer<typeof retrieve.exchange>) => Promise<T>,
  ): Promise<T> {
    if (this.record.scheme !== 'retrieve') {
      throw notRecoverable();
    }
    const response = await this.#record.ask(k, retrieve.exchange, () => ({}));
    const pkcs8 = unmask(response.c, k);
    try {
      return await use(pkcs8, response);
    } finally {
      wipe(pkcs8);
    }
  }
}

function holdTime(seconds = 300): number {
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > MAX_HOLD) {
    throw new TypeError(`forSeconds must be a number above 0 and at most ${MAX_HOLD}`);
  }
  return seconds;
}

function notRecoverable(): RoamingKeyError {
  return new RoamingKeyError(
    'unsupported',
    'this key is shared with the assistant: it can be used, not recovered',
  );
}

function notUnlocked(why: string): RoamingKeyError {
  return new RoamingKeyError('not_unlocked', `${why}: a password is needed`);
}
