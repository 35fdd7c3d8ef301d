import { toBase64url, utf8, wipe } from '../base/bytes.ts';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import {
  exportPrivateKey,
  importForUse,
  type KeyUse,
  type PrivateKeyFormat,
} from '../crypto/keys/private-key.ts';
import { type PublicJwk, thumbprint } from '../crypto/keys/public-jwk.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import { retrieve, unmask } from '../protocol/schemes/retrieve.ts';
import {
  AssistedRecord,
  type AssistedRecordOptions,
  type KeyHistory,
  type Stretched,
} from './assisted-record.ts';
import {
  type ChangedPassword,
  type ChangePasswordOptions,
  reissue,
  remake,
  retireTicket,
} from './change-password.ts';
import { Held, type HoldOptions } from './held.ts';
import { loadShared } from './load-shared.ts';
import {
  cryptoKeySigner,
  isProofInput,
  type LoginAlg,
  type LoginTarget,
  prove,
  type RelyingPartyAnswer,
  type SignatureAlg,
  type Signer,
} from './login-proof.ts';
import { type Records, replaceRecord } from './records.ts';
import { type PickupOptions, pickUpRecord, RecordServiceClient, type RoamOptions } from './roam.ts';
import type { Signable } from './shared-key.ts';

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

export interface UnlockOptions extends HoldOptions {
  /** What the key is used for. Default: `Ed25519`, `ES256` or `PS256`, by its kind. */
  readonly alg?: KeyUse;
}

/** A key that was recovered, and how it was used before. */
export interface Unlocked extends KeyHistory {
  /** Not extractable; a reference that the caller kept still works after `lock()`. */
  readonly key: CryptoKey;
  readonly jwk: PublicJwk;
}

/** With the password, or after `unlock` or `unlockShared` without it. */
export interface WithPassword {
  readonly password?: string;
}

/** Where, as whom and how to prove possession of the key. */
export interface ProofOptions extends LoginTarget, WithPassword {
  /** As the app has the key registered. Default: `Ed25519`, `ES256` or `PS256`, by its kind. */
  readonly alg?: LoginAlg;
}

export interface SignOptions extends WithPassword {
  /** Default: `Ed25519`, `ES256` or `PS256`, by the kind of key. */
  readonly alg?: SignatureAlg;
}

export interface SignJwsOptions extends WithPassword {
  /** As `SignOptions`; `EdDSA` is `Ed25519` under its older name, for readers that know no other. */
  readonly alg?: SignatureAlg | 'EdDSA';
  /** Further header parameters, such as `typ` and `kid`. Default: the key's thumbprint as `kid`. */
  readonly header?: Readonly<Record<string, unknown>>;
}

/** An app's answer to a login; with how the key was used before, where the assistant was asked for it. */
export interface LoginAnswer extends RelyingPartyAnswer, Partial<KeyHistory> {}

/** How many changes of password may have left their old tickets; each needs its own password. */
const MAX_OLD = 8;

const DEFAULT_ALG = { OKP: 'Ed25519', EC: 'ES256', RSA: 'PS256' } as const;
const LOGIN_ALGS: readonly string[] = ['Ed25519', 'ES256', 'PS256', 'RS256'] satisfies LoginAlg[];

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
  readonly #held = new Held();
  /** The kid of the ticket that the record service is known to have. */
  #kidInStep: string | undefined;
  /** Records of earlier passwords whose tickets are still to be retired, the latest last. */
  #olds: readonly DeviceRecord[] = [];
  /** Whether the record service has the new record, where it had an old one: else no old ticket must go. */
  #isStored = true;
  /** What the app does before one goes, until it is done. */
  #beforeRetire: ChangePasswordOptions['beforeRetire'];
  /** The names under which the record service may have this key: it may have taken a record although no answer came. */
  readonly #names = new Set<string>();

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
    // A record that came from a record service is kept there.
    const save = options.save ?? (options.roam && (async () => {}));
    this.#record = new AssistedRecord(record, { ...options, ...(save && { save }) });
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
    return this.#held.current !== undefined;
  }

  /** What the assistant said at its last help of how the key was used before; show it to the user. */
  get lastUse(): KeyHistory | undefined {
    return this.#record.lastUse;
  }

  /**
   * Recovers the private key and holds it for a while.
   *
   * @throws RoamingKeyError `unsupported` for a shared key, which cannot be recovered: see `unlockShared`
   * @source docs/protocol.md sections 4 and 5
   */
  async unlock(password: string, options: UnlockOptions = {}): Promise<Unlocked> {
    if (this.record.scheme !== 'retrieve') throw notRecoverable();
    const { alg = this.#defaultAlg() } = options;
    const hold = this.#held.begin(options);
    const { jwk } = this;
    const key = await this.#withPrivateKey(password, (pkcs8) => importForUse(pkcs8, jwk, alg));
    hold({ key, alg });
    return { key, jwk, ...(this.lastUse as KeyHistory) };
  }

  /**
   * Holds what the password gives for a key that is shared with the assistant, so that `sign`, `decrypt` and `login`
   * need no password for a while. The assistant is asked at every use all the same, and only then is it known whether
   * the password was right; a wrong one is forgotten at once.
   *
   * @throws RoamingKeyError `bad_password`; `unsupported` for a key that is not shared
   */
  async unlockShared(password: string, options: HoldOptions = {}): Promise<void> {
    const hold = this.#held.begin(options);
    if (this.record.scheme === 'retrieve')
      throw new RoamingKeyError('unsupported', 'this key is not shared: unlock it');
    const stretched = await this.#record.stretch(password);
    if (!hold({ stretched })) stretched.end();
  }

  /** Forgets what is held, at once. */
  lock(): void {
    this.#held.lock();
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
   * @throws TypeError where the key's purposes do not include `login`, and for a key that decrypts
   * @source docs/protocol.md section 8
   */
  async login({ password, alg, ...party }: ProofOptions): Promise<LoginAnswer> {
    const before = this.lastUse;
    const answer = await this.#asProof(password, alg, (signer) =>
      prove(signer, { type: 'login' }, party, this.#options),
    );
    // Now there is a session. What fails here is tried again after the next login.
    if (this.#options.roam && this.#kidInStep !== this.record.assistant.jwk.kid)
      await this.syncRecord().catch(() => {});
    return this.lastUse === before ? answer : { ...answer, ...this.lastUse };
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
   * @throws TypeError where the key's purposes do not include `sign`; for a key that decrypts; for a digest with a key that also
   *   logs in
   * @source docs/protocol.md section 5
   */
  async sign(data: Signable, { password, alg = this.#defaultAlg() }: SignOptions = {}): Promise<Uint8Array> {
    this.#requirePurpose('sign');
    if (!(data instanceof Uint8Array)) {
      if (this.record.scheme !== 'rsa') throw new TypeError('only shared RSA keys sign digests');
      if (this.#purposes.has('login')) throw new TypeError('a key that logs in signs no bare digest');
      return this.#sign(password, { digest: new Uint8Array(data.digest) }, alg);
    }
    // A copy, since signing takes its time: what was looked at is what is signed.
    const bytes = new Uint8Array(data);
    if (isProofInput(bytes))
      throw new RoamingKeyError('refused', 'this would pass for a proof of this protocol');
    return this.#sign(password, bytes, alg);
  }

  /**
   * Signs a payload as a compact JWS (RFC 7515).
   *
   * @throws RoamingKeyError `refused` for a `typ` of this protocol
   */
  async signJws(payload: string | Uint8Array, options: SignJwsOptions = {}): Promise<string> {
    const { header, alg: name = this.#defaultAlg(), password } = options;
    const alg = name === 'EdDSA' ? 'Ed25519' : name;
    const bytes = typeof payload === 'string' ? utf8(payload) : payload;
    const kid = await thumbprint(this.jwk);
    const head = toBase64url(utf8(JSON.stringify({ kid, ...header, alg: name })));
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
    if (this.record.scheme !== 'elgamal')
      throw new TypeError('only shared ElGamal keys decrypt here; unlock other keys and use the CryptoKey');
    return this.#withShared(password, loadShared.elgamal(), (stretched, key) => key.decrypt(stretched, jwe));
  }

  /**
   * Retires a ticket: the assistant never helps with it again. After a change of password that could not retire the old
   * ticket (`isOldRetired: false`) it is that one, and `password` is the old one; else it is this record's. Keys
   * registered at apps stay as they are; to disable those, use the disabling kit.
   *
   * @throws RoamingKeyError after several such changes also where some tickets are left, such as `wrong_password`: those of this
   *   password are retired then, and the others need theirs. What `beforeRetire` throws comes through
   * @source docs/protocol.md section 5
   */
  async retire(password: string): Promise<void> {
    if (this.#olds.length === 0) {
      await this.#withStretched(password, retireTicket);
      this.lock();
      return;
    }
    await this.#prepareRetiring();
    let left: unknown;
    for (const old of [...this.#olds].reverse()) {
      const stretched = await this.#record.stretchFor(old, password);
      await this.#retireOld(stretched)
        .catch((error: unknown) => {
          left ??= error;
        })
        .finally(() => stretched.end());
    }
    if (left !== undefined) throw left;
  }

  /**
   * Changes the password.
   *
   * Of a shared key the assistant moves its share and the device makes a new record, uses it once, keeps it here and at
   * the record service, and retires the old ticket last. The kit stays good. Shared RSA keys cannot change theirs.
   *
   * Of a key that is recovered the device makes a new record, ticket and kit, tells the apps, replaces the record at the
   * record service and here, and retires the old ticket last.
   *
   * A crash at any point leaves records that work, at both places. The pickup code stays as it is, and so does the record of
   * another key that the service keeps for the account. A change keeps out who learns the old password afterwards; who had
   * record *and* password before may have a record of his own: use the kit and make a new key.
   *
   * @throws RoamingKeyError also as `register` and `storeRecord`; then the old record is in force here, unchanged, and at
   *   the record service either of the two. `refused` after many changes that could not retire the old ticket: `retire` those
   *   first. `unsupported` for a shared RSA key, and where the assistant cannot do it yet
   * @throws TypeError for a key that is recovered, without `saveKit`
   * @source docs/protocol.md section 6
   */
  async changePassword(options: ChangePasswordOptions): Promise<ChangedPassword> {
    if (this.#olds.length >= MAX_OLD)
      throw new RoamingKeyError(
        'refused',
        'too many tickets of earlier passwords are left: retire them first',
      );
    const { scheme } = this.record;
    if (scheme === 'retrieve') return this.#remake(options);
    const { change } = await loadShared[scheme]();
    if (!change)
      throw new RoamingKeyError(
        'unsupported',
        'the password of a shared RSA key cannot change: only the whole key could be split anew. Make a new key',
      );
    return this.#withStretched(options.password, async (old) => {
      const next = await reissue(this.#record, old, change, options);
      try {
        await this.#record.replace(next.record);
      } finally {
        next.end();
      }
      return this.#endChange(old, options, false);
    });
  }

  async #remake(options: ChangePasswordOptions): Promise<ChangedPassword> {
    if (!options.saveKit)
      throw new TypeError('saveKit must be given: a key that is recovered gets a new kit');
    return this.#withStretched(options.password, async (old) => {
      const { record, kit } = await this.#withKeyOf(old, (pkcs8) =>
        remake(old.record, pkcs8, this.#defaultAlg(), options, this.#options),
      );
      await this.#replaceStored(record);
      await this.#record.replace(record);
      return { ...(await this.#endChange(old, options, true)), kit };
    });
  }

  /** Brings the record service a new record of this key, if it keeps an earlier one: what it has of another key stays. */
  async #replaceStored(record: DeviceRecord): Promise<void> {
    if (!this.#options.roam) return;
    this.#names.add(this.record.u).add(record.u);
    const service = this.#service();
    const kept = await service.stored();
    if (kept && this.#names.has(kept.u)) await service.store(record, 'code');
  }

  /** Ends a change of password whose new record is kept here. What fails is left for `retire`. */
  async #endChange(
    old: Stretched,
    { beforeRetire }: ChangePasswordOptions,
    isStored: boolean,
  ): Promise<ChangedPassword> {
    // A half that is held belongs to the old ticket.
    if (this.#held.current?.stretched) this.lock();
    this.#olds = [...this.#olds, old.record];
    this.#isStored = isStored;
    this.#beforeRetire = beforeRetire ?? this.#beforeRetire;
    const cause = await this.#prepareRetiring()
      .then(() => this.#retireOld(old))
      .catch((error: unknown) => error);
    // The answers to the change itself say that the key was used just now.
    this.#record.tellFrom(old);
    const left = this.#olds.at(-1);
    if (!left) return { isOldRetired: true };
    return { isOldRetired: false, old: left, ...(cause !== undefined && { cause }) };
  }

  /** Does what comes before an old ticket goes: the new record must be at every place by then. */
  async #prepareRetiring(): Promise<void> {
    if (!this.#isStored) await this.#replaceStored(this.record);
    this.#isStored = true;
    await this.#beforeRetire?.(this.record);
    this.#beforeRetire = undefined;
  }

  async #retireOld(stretched: Stretched): Promise<void> {
    await retireTicket(stretched).catch((error: unknown) => {
      if (!isRoamingKeyError(error, 'disabled')) throw error;
    });
    this.#olds = this.#olds.filter((old) => old !== stretched.record);
  }

  #service(): RecordServiceClient {
    if (!this.#options.roam) throw new TypeError('roam must be given');
    return new RecordServiceClient(this.#options.roam, this.#options);
  }

  #defaultAlg(): LoginAlg {
    const { kty } = this.jwk;
    if (kty === 'DH') throw decryptsOnly();
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
    if (scheme === 'retrieve') return this.#withSigner(password, alg, use);
    if (scheme === 'elgamal') throw decryptsOnly();
    const chosen = alg ?? this.#defaultAlg();
    return this.#withShared(password, loadShared[scheme](), (stretched, key) =>
      use({ alg: chosen, jwk, isSeen: key.isSeen, sign: (data) => key.sign(stretched, data, chosen) }),
    );
  }

  async #sign(password: string | undefined, data: Signable, alg: SignatureAlg): Promise<Uint8Array> {
    const { scheme } = this.record;
    if (scheme === 'retrieve')
      return this.#withSigner(password, alg, (signer) => signer.sign(data as Uint8Array<ArrayBuffer>));
    if (scheme === 'elgamal') throw decryptsOnly();
    return this.#withShared(password, loadShared[scheme](), (stretched, key) =>
      key.sign(stretched, data, alg),
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
    const holding = this.#held.current;
    if (!holding?.key) throw notUnlocked('the key is locked');
    const { key, alg: held } = holding;
    if (alg === undefined ? !LOGIN_ALGS.includes(held) : held !== alg)
      throw notUnlocked(`the key was unlocked for ${held}`);
    return use(cryptoKeySigner(key, held as SignatureAlg, this.jwk));
  }

  /** As `#withStretched`, with the code for the key's scheme, which comes while the password is stretched. */
  async #withShared<K, T>(
    password: string | undefined,
    loading: Promise<K>,
    use: (stretched: Stretched, key: K) => Promise<T>,
  ): Promise<T> {
    // Nothing is stretched without a password, and what is held must not wait where lock() cannot reach it.
    if (password === undefined) await loading;
    // It may fail before it is awaited, or never be: without this Node would end the process.
    loading.catch(() => {});
    return this.#withStretched(password, async (stretched) => use(stretched, await loading));
  }

  /** Runs `use` with a password stretched, which ends afterwards; without one, with what is held. */
  async #withStretched<T>(
    password: string | undefined,
    use: (stretched: Stretched) => Promise<T>,
  ): Promise<T> {
    const holding = password === undefined ? this.#held.current : undefined;
    if (password === undefined && !holding?.stretched) throw notUnlocked('the key is locked');
    // A copy, since lock() wipes what is held, and may come while the assistant is being asked.
    const stretched = holding?.stretched?.copy() ?? (await this.#record.stretch(password as string));
    try {
      return await use(stretched);
    } catch (error) {
      // What was held meanwhile may be the right password's by now.
      if (holding && isRoamingKeyError(error, 'wrong_password') && this.#held.current === holding)
        this.lock();
      throw error;
    } finally {
      stretched.end();
    }
  }

  async #withPrivateKey<T>(
    password: string,
    use: (pkcs8: Uint8Array<ArrayBuffer>) => Promise<T>,
  ): Promise<T> {
    return this.#withStretched(password, (stretched) => this.#withKeyOf(stretched, use));
  }

  async #withKeyOf<T>(stretched: Stretched, use: (pkcs8: Uint8Array<ArrayBuffer>) => Promise<T>): Promise<T> {
    if (this.record.scheme !== 'retrieve') throw notRecoverable();
    const { c } = await stretched.ask(retrieve.exchange, () => ({}));
    const pkcs8 = unmask(c, stretched.k);
    try {
      return await use(pkcs8);
    } finally {
      wipe(pkcs8);
    }
  }
}

function notRecoverable(): RoamingKeyError {
  return new RoamingKeyError(
    'unsupported',
    'this key is shared with the assistant: it can be used, not recovered',
  );
}

function decryptsOnly(): TypeError {
  return new TypeError('this key decrypts and has no other use');
}

function notUnlocked(why: string): RoamingKeyError {
  return new RoamingKeyError('not_unlocked', `${why}: a password is needed`);
}
