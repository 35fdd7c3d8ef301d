import {
  type Device,
  type DeviceRecord,
  type Enrolment,
  enroll,
  isRoamingKeyError,
} from '../../device/index.ts';
import { AppFlow } from './app-flow.ts';
import type { Context, FlowOptions } from './context.ts';
import { ENROLL_WORDS } from './english/enroll.ts';
import type { FlowState } from './flow.ts';
import { hold } from './hold.ts';
import type { KitSheet } from './kit-sheet.ts';
import { isDeceptive, spellAccount } from './names.ts';

export interface EnrollState extends FlowState {
  /**
   * `signed-in`: somebody is logged in; `kit`: it is shown and waits for `confirmKit`; `taken`: another name is needed;
   * `again`: the key is made and the account is not, call `again`.
   */
  readonly step: 'ask' | 'signed-in' | 'working' | 'kit' | 'taken' | 'again' | 'done';
  readonly account: string;
  /** The account of a session without a key, which gets one: its name is not asked for. */
  readonly owner?: string | undefined;
  readonly sheet?: KitSheet | undefined;
  /** Whether the key of `again` has to be opened with the password. */
  readonly needsPassword?: boolean;
  /** Whether the browser keeps the key; where it does not, the user takes it along before he leaves: by `makeCode` or `file`. */
  readonly isKept?: boolean;
  /** A pickup code for it. */
  readonly code?: string | undefined;
  /** A file with it. */
  readonly file?: { readonly name: string; readonly text: string } | undefined;
}

export interface EnrollOptions {
  /** When the kit is shown: before the account is made, or later by `kitFlow`. Default `first`. */
  readonly kit?: 'first' | 'later';
}

/** How long the new key is held while the kit is being kept, in seconds. */
const KIT_TIME = 1800;

class EnrollFlow extends AppFlow<EnrollState> {
  readonly #kit: 'first' | 'later';
  #isCarried = false;
  #made:
    | {
        readonly enrolment: Enrolment;
        readonly device: Device;
        readonly parts: typeof import('./keeping.ts');
      }
    | undefined;
  /** Whether a registration was tried, whose answer may have been lost. */
  #isTried = false;
  /** The key that the browser does not keep. */
  #carried: DeviceRecord | undefined;

  constructor(options: FlowOptions | Context, { kit = 'first' }: EnrollOptions) {
    super(options, { step: 'ask', isBusy: false, errors: {}, account: '' });
    this.#kit = kit;
    this.context.learn(ENROLL_WORDS);
  }

  /** Whether leaving the page loses a kit that is shown, or a key that is only here. */
  get isFragile(): boolean {
    const { step, isKept, code } = this.state;
    if (step === 'done') return isKept === false && code === undefined && !this.#isCarried;
    return step === 'kit' || step === 'again' || step === 'taken';
  }

  /** Looks who is logged in. */
  async start(): Promise<void> {
    try {
      await this.#isSignedIn();
    } catch (error) {
      this.tell(this.context.explain(error));
    }
  }

  /** Logs out, so that an account can be made. */
  async logOut(): Promise<void> {
    const isOut = await this.attempt(async () => {
      await this.context.ask('logout', {});
      return true;
    });
    if (isOut) this.tell(undefined, { step: 'ask' });
  }

  /** Makes a key, for a new account or for `owner`; the session is asked for before the key is made. */
  async submit(typed: { readonly account: string; readonly password: string }): Promise<void> {
    const { context } = this;
    const { owner } = this.state;
    const account = owner ?? spellAccount(typed.account);
    const wrong = owner === undefined ? this.#nameError(account) : undefined;
    if (wrong) return this.fail({ account: wrong });
    const sheet = await this.attempt(async () => {
      const { weaknessOf } = await import('./strength.ts');
      const weak = weaknessOf(typed.password, [account, context.site]);
      if (weak) {
        this.set({ errors: { password: context.say(weak.word, weak.n === undefined ? {} : { n: weak.n }) } });
        return undefined;
      }
      this.set({ step: 'working', account });
      if (await this.#isSignedIn()) return undefined;
      // Somebody else has logged in meanwhile, or out: the form says for whom it is.
      if (this.state.owner !== owner) return undefined;
      const refused = owner === undefined ? await this.#refusedName(account) : undefined;
      if (refused) {
        this.set({ step: 'ask', errors: { account: refused } });
        return undefined;
      }
      // What a new key needs is there before the key is.
      const parts = await import('./keeping.ts');
      const enrolment = await enroll({ ...context.transport, password: typed.password });
      const device = context.deviceOn(enrolment.record);
      // Before anything depends on it: that the key opens. It stays open until the kit is kept.
      await hold(device, typed.password, KIT_TIME);
      this.#made = { enrolment, device, parts };
      return parts.kitSheet(context, enrolment.kit, account);
    });
    if (!sheet) return this.#stayAt('working', 'ask');
    // A kit that this browser does not remember must be kept before the page is left.
    if (this.#kit === 'first' || !context.memory.isLasting) return this.set({ step: 'kit', sheet });
    context.memory.setPendingKit(account, sheet.kit);
    return this.#finish(account);
  }

  /** The user has kept the kit: the account is made. */
  async confirmKit(isKept: boolean): Promise<void> {
    if (!isKept) return this.fail({ kept: this.context.say('kit.not-kept') });
    return this.#finish(this.state.account);
  }

  /** Goes on where the registration failed; with the password where the key has locked itself meanwhile. */
  async again({ password }: { readonly password?: string } = {}): Promise<void> {
    return this.#finish(this.state.account, password === '' ? undefined : password);
  }

  /** Takes another name for the key that was made. */
  async rename(typed: string): Promise<void> {
    const account = spellAccount(typed);
    const wrong = this.#nameError(account) ?? (await this.#refusedName(account).catch(() => undefined));
    if (wrong) return this.fail({ account: wrong });
    return this.#finish(account);
  }

  /** Registers the key, then keeps it here, then logs in with it. */
  async #finish(account: string, password?: string): Promise<void> {
    const { context } = this;
    const made = this.#made;
    if (!made) return;
    const { record, kit } = made.enrolment;
    const { isSameKey, keepRecord, keyFile, kitSheet, thumbprintOf } = made.parts;
    const done = await this.attempt(
      async () => {
        this.set({ account });
        if (password !== undefined) await hold(made.device, password, KIT_TIME);
        const { owner } = this.state;
        const here = await context.recordHere(account).catch(() => undefined);
        // The owner's key that is here is off: the app has said that none is good.
        if (owner === undefined && here && !isSameKey(here, record))
          throw new ExistsError(await thumbprintOf(here.jwk));
        const jkt = await thumbprintOf(record.jwk);
        if (!(await this.#isRegistered(account, jkt)))
          await made.device.register(context.party(owner === undefined ? 'register' : 'keys', account));
        // The account exists from here on, so the key is kept before anything else can fail.
        const kept = await keepRecord(
          context,
          { account, purpose: 'login', record: made.device.record },
          owner !== undefined,
        );
        context.memory.setKitNumber(jkt, kitSheet(context, kit, account).number);
        await made.device.login(context.party('login', account));
        return { isKept: kept === 'kept', record: made.device.record };
      },
      {
        onFailure: (error) => {
          if (error instanceof ExistsError) {
            this.set({ step: 'taken' });
            return context.notice('warn', 'enroll.exists', 'enroll.exists.text', {
              account,
              old: error.message.slice(0, 8),
            });
          }
          const isLocked = isRoamingKeyError(error, 'not_unlocked', 'wrong_password');
          this.set({ step: 'again', needsPassword: isLocked });
          return undefined;
        },
      },
    );
    if (!done) return this.#explainRefusal(account);
    made.device.lock();
    this.#made = undefined;
    const notice = done.isKept ? undefined : context.notice('warn', 'enroll.private', 'enroll.private.text');
    const { isKept, record: carried } = done;
    this.#carried = carried;
    const file = isKept ? undefined : keyFile(context, { account, purpose: 'login', record: carried });
    this.tell(notice, { step: 'done', isKept, file, sheet: undefined });
  }

  /** Stores a key that the browser does not keep for pickup. */
  async makeCode(): Promise<void> {
    const record = this.#carried;
    if (!record) return;
    const code = await this.attempt(() => this.context.deviceOn(record).storeRecord());
    if (typeof code === 'string') this.set({ code });
  }

  /** The user has the file. */
  carried(): void {
    this.#isCarried = true;
    this.set({});
  }

  /** Whether an earlier try has come through, though its answer did not. */
  async #isRegistered(account: string, jkt: string): Promise<boolean> {
    const { context } = this;
    const asks = this.#isTried && context.has('known');
    this.#isTried = true;
    return asks && (await context.ask<{ isKnown: boolean }>('known', { account, jkt })).isKnown;
  }

  /** A refused registration has one of two causes: the name was taken, or somebody is logged in. */
  async #explainRefusal(account: string): Promise<void> {
    if (this.state.step !== 'again' || this.state.owner !== undefined) return;
    const { context } = this;
    try {
      const session = await context.session();
      if (session.account !== null) {
        this.tell(
          {
            ...context.notice('warn', 'enroll.signed-in', 'enroll.signed-in.text', {
              account: session.account,
            }),
          },
          { step: 'again' },
        );
      } else if (context.has('names') && (await context.ask<Named>('names', { account })).isTaken) {
        this.tell(context.notice('wrong', 'enroll.taken', 'enroll.taken.text', { account }), {
          step: 'taken',
        });
      }
    } catch {
      // The message that is shown says what went wrong first.
    }
  }

  async #isSignedIn(): Promise<boolean> {
    const { account, needsKey } = await this.context.session();
    const owner = account !== null && needsKey ? account : undefined;
    if (owner !== this.state.owner) this.set({ owner });
    if (account === null || owner !== undefined) return false;
    this.tell(this.context.notice('info', 'enroll.signed-in', 'enroll.signed-in.text', { account }), {
      step: 'signed-in',
    });
    return true;
  }

  #nameError(account: string): string | undefined {
    if (account === '') return this.context.say('account.choose');
    if (account.length > 256 || /[\p{Cc}\p{Cs}]/u.test(account)) return this.context.say('account.form');
    return isDeceptive(account) ? this.context.say('account.mixed', { name: account }) : undefined;
  }

  async #refusedName(account: string): Promise<string | undefined> {
    if (!this.context.has('names')) return undefined;
    const { isName, isTaken } = await this.context.ask<Named>('names', { account });
    if (!isName) return this.context.say('account.form');
    return isTaken ? this.context.say('account.taken', { name: account }) : undefined;
  }

  #stayAt(from: EnrollState['step'], to: EnrollState['step']): void {
    if (this.state.step === from) this.set({ step: to });
  }
}

interface Named {
  readonly isName: boolean;
  readonly isTaken: boolean;
}

/** Another key is kept here under the name. */
class ExistsError extends Error {}

export type { EnrollFlow };

/** Making an account, or the key of one that has none: a key, its kit, a registration that may fail and be tried again. */
export function enrollFlow(options: FlowOptions | Context, more: EnrollOptions = {}): EnrollFlow {
  return new EnrollFlow(options, more);
}
