import { Device, isRoamingKeyError } from '../../device/index.ts';
import { AppFlow } from './app-flow.ts';
import type { Context, FlowOptions } from './context.ts';
import { PICKUP_WORDS } from './english/pickup.ts';
import type { Entered } from './enter.ts';
import type { Notice } from './explain.ts';
import type { FlowState } from './flow.ts';
import type { CarriedKey } from './key-file.ts';
import { spellAccount } from './spell-account.ts';

/** A key from a file, looked at before a password is asked for. */
export interface FoundKey extends CarriedKey {
  /** The start of its fingerprint. */
  readonly print: string;
  /** The start of the fingerprint of another key that is kept here under this name. */
  readonly printHere?: string | undefined;
  /** Whether this browser has this very key. */
  readonly isHere: boolean;
}

export interface PickupState extends FlowState {
  /** `found`: a file was read and is shown. */
  readonly step: 'ask' | 'found' | 'done';
  readonly account: string;
  readonly code: string;
  readonly found?: FoundKey | undefined;
  readonly entered?: Entered | undefined;
}

const MAX_FILE = 1024 * 1024;

class PickupFlow extends AppFlow<PickupState> {
  /** What is said of the account's other keys. */
  #others: Told = { text: '' };

  constructor(options: FlowOptions | Context) {
    super(options, { step: 'ask', isBusy: false, errors: {}, account: '', code: '' });
    this.context.learn(PICKUP_WORDS);
  }

  /**
   * Takes account and code from a link or QR code: the part of the URL behind `#`, which no server sees. A link fills in
   * fields and does nothing else; every other fragment is the app's own.
   */
  readLink(fragment: string): void {
    if (!/^#?pickup=/.test(fragment)) return;
    const [, account, code] = /^#?pickup=([^&]{1,512})&code=([0-9A-Za-z]{8})$/.exec(fragment) ?? [];
    if (account === undefined || code === undefined) {
      this.tell(this.context.notice('wrong', 'pickup.link', 'pickup.link.text'));
      return;
    }
    try {
      const spelled = spellAccount(decodeURIComponent(account));
      this.tell(undefined, { step: 'ask', found: undefined, account: spelled, code: code.toUpperCase() });
    } catch {
      this.tell(this.context.notice('wrong', 'pickup.link', 'pickup.link.text'));
    }
  }

  /** Picks the key up and logs in with it. A malformed code is refused before anything is sent. */
  async submit(typed: {
    readonly account: string;
    readonly code: string;
    readonly password: string;
    readonly keep: boolean;
  }): Promise<void> {
    const { context } = this;
    const account = spellAccount(typed.account);
    const code = typed.code.toUpperCase().replace(/[\s\p{Pd}]/gu, '');
    if (account === '') return this.fail({ account: context.say('account.missing') });
    if (code === '') return this.fail({ code: context.say('pickup.code.missing') });
    if (/^[0-9A-Z]{29,32}$/.test(code)) return this.fail({ code: context.say('pickup.kit-code') });
    if (!/^[0-9A-TV-Z]{8}$/.test(code)) return this.fail({ code: context.say('pickup.code.form') });
    if (typed.password === '') return this.fail({ password: context.say('password.missing') });
    this.set({ account, code });
    const entered = await this.attempt(
      async () => {
        const { kdf: _kdf, ...transport } = context.transport;
        const device = await Device.roam({ ...transport, ...context.roam, account, code });
        return this.#enter(device, account, typed.password, typed.keep);
      },
      {
        refused: 'key',
        // Which of the three is wrong is not known, so that no field is emptied.
        onFailure: (error) =>
          isRoamingKeyError(error, 'wrong_password')
            ? context.notice('wrong', 'pickup.wrong', 'pickup.wrong.text')
            : undefined,
      },
    );
    if (entered) this.#done(entered);
  }

  /** Reads a key file, and looks whether the app knows the key, before a password is asked for. */
  async read(file: File): Promise<void> {
    const { context } = this;
    const found = await this.attempt(async () => {
      const [{ readKeyFile }, { isSameKey, thumbprintOf }] = await Promise.all([
        import('./key-file.ts'),
        import('./keep-record.ts'),
      ]);
      const carried = file.size > MAX_FILE ? undefined : readKeyFile(await file.text());
      if (carried === undefined) return context.say('pickup.file.none');
      if (carried === 'kit') return context.say('pickup.file.kit');
      // A record of another assistant is refused here.
      context.deviceOn(carried.record, carried.purpose);
      const jkt = await thumbprintOf(carried.record.jwk);
      const { account } = carried;
      if (
        context.has('known') &&
        !(await context.ask<{ isKnown: boolean }>('known', { account, jkt })).isKnown
      ) {
        this.tell(context.notice('stop', 'pickup.stranger', 'pickup.stranger.text', { account }));
        return 'stranger' as const;
      }
      const here = await context.recordHere(account, carried.purpose).catch(() => undefined);
      const isHere = here !== undefined && isSameKey(here, carried.record);
      const printHere = here && !isHere ? (await thumbprintOf(here.jwk)).slice(0, 8) : undefined;
      return { ...carried, isHere, print: jkt.slice(0, 8), printHere };
    });
    if (found === undefined || found === 'stranger') return;
    if (typeof found === 'string') return this.fail({ file: found });
    this.set({ step: 'found', account: found.account, found });
  }

  /** Uses the key of a file once, and keeps it after that. */
  async take(typed: {
    readonly password: string;
    readonly keep: boolean;
    readonly replace?: boolean;
  }): Promise<void> {
    const { context } = this;
    const { found } = this.state;
    if (!found) return;
    if (typed.password === '') return this.fail({ password: context.say('password.missing') });
    if (typed.keep && found.printHere && !typed.replace)
      return this.fail({ replace: context.say('pickup.found.choose') });
    const done = await this.attempt(
      async () => {
        const device = context.deviceOn(found.record, found.purpose);
        if (found.purpose === 'login')
          return this.#enter(device, found.account, typed.password, typed.keep, typed.replace);
        const { keepRecord } = await import('./keep-record.ts');
        const [{ alarmOf, useKey }, { useOnce }] = await Promise.all([
          import('./enter.ts'),
          import('./other-keys.ts'),
        ]);
        const use = await useKey(context, device, () => useOnce(device, typed.password));
        await keepRecord(context, { ...found, record: device.record }, typed.replace);
        return { notice: alarmOf(context, use) ?? context.notice('done', 'pickup.kept') };
      },
      { refused: 'key' },
    );
    if (!done) return;
    if ('notice' in done) this.tell(done.notice, { step: 'done' });
    else this.#done(done);
  }

  async #enter(
    device: Device,
    account: string,
    password: string,
    keep: boolean,
    replace = false,
  ): Promise<{ entered: Entered; told: Notice }> {
    const [{ keepRecord, thumbprintOf }, { enter, noticeOf }] = await Promise.all([
      import('./keep-record.ts'),
      import('./enter.ts'),
    ]);
    // A picked-up record whose key opened is the account's own: the app has let it in under this name.
    const entered = await enter(this.context, device, account, password);
    if (keep) {
      const kept = await keepRecord(
        this.context,
        { account, purpose: 'login', record: device.record },
        replace,
      );
      if (kept === 'other') {
        const here = await this.context.recordHere(account);
        const values = {
          old: here ? (await thumbprintOf(here.jwk)).slice(0, 8) : '',
          new: (await thumbprintOf(device.record.jwk)).slice(0, 8),
        };
        this.tell(this.context.notice('warn', 'pickup.found.other', 'pickup.found.other.text', values));
      }
      // The session of this login has the account's other keys. The login counts without them.
      if (this.context.has('records'))
        this.#others = await bringOthers(this.context, account, password).catch(() => ({ text: '' }));
    }
    return { entered, told: this.state.notice ?? noticeOf(this.context, entered) };
  }

  #done({ entered, told }: { entered: Entered; told: Notice }): void {
    const { text, alarm } = this.#others;
    // An alarm is not diluted.
    const isCalm = told.tone === 'done';
    const calm = text === '' ? told : { ...told, text: [text, told.text].filter(Boolean).join(' ') };
    const notice = isCalm ? (alarm ?? calm) : told;
    this.tell(notice, { step: 'done', entered });
  }
}

interface Told {
  readonly text: string;
  readonly alarm?: Notice | undefined;
}

/** Keeps the account's other keys here, and says which came. */
async function bringOthers(context: Context, account: string, password: string): Promise<Told> {
  const others = await import('./other-keys.ts');
  const brought = await others.bringOthers(context, account, password);
  return { text: others.tellOthers(context, brought), alarm: brought.alarm };
}

export type { PickupFlow };

/** Bringing a key to this device, by a pickup code or as a file. */
export function pickupFlow(options: FlowOptions | Context): PickupFlow {
  return new PickupFlow(options);
}
