import { type DeviceRecord, enroll, isRoamingKeyError, RecordServiceClient } from '../../device/index.ts';
import { AppFlow } from './app-flow.ts';
import type { Context, FlowOptions, Session, SessionKey } from './context.ts';
import { DEVICES_WORDS } from './english/devices.ts';
import type { Notice } from './explain.ts';
import type { FlowState } from './flow.ts';
import { hold } from './hold.ts';
import { thumbprintOf } from './keep-record.ts';
import type { CarriedKey } from './key-file.ts';
import type { KitSheet } from './kit-sheet.ts';

/** A key of the account, as this device sees it. */
export interface DeviceKey extends SessionKey {
  readonly isHere: boolean;
  /** Whether it opened this session. */
  readonly isThisLogin: boolean;
  /** The number on its kit, where this device made it. */
  readonly kitNumber?: string | undefined;
}

export interface DevicesState extends FlowState {
  /** `signed-out`: no session; `code`: a pickup code is shown; `kit`: that of a spare key. */
  readonly step: 'loading' | 'signed-out' | 'ready' | 'code' | 'kit';
  readonly account: string;
  readonly keys: readonly DeviceKey[];
  /** Since when the app keeps the key for pickup; `null`: it does not. */
  readonly storedAt: number | null;
  readonly pickups: readonly { readonly at: number; readonly address: string; readonly agent?: string }[];
  /** Whether the login key is in this browser. */
  readonly isHere: boolean;
  readonly code?: string | undefined;
  /** The link behind the code's picture: short enough for a small QR code. */
  readonly link?: string | undefined;
  readonly sheet?: KitSheet | undefined;
  /** A file to give to the user. */
  readonly file?: { readonly name: string; readonly text: string } | undefined;
}

class DevicesFlow extends AppFlow<DevicesState> {
  #login: DeviceRecord | undefined;
  readonly #pickupUrl: string;

  constructor(options: FlowOptions | Context, { pickupUrl = '/pickup' }: DevicesOptions) {
    super(options, {
      step: 'loading',
      isBusy: false,
      errors: {},
      account: '',
      keys: [],
      storedAt: null,
      pickups: [],
      isHere: false,
    });
    this.#pickupUrl = pickupUrl;
    this.context.learn(DEVICES_WORDS);
  }

  /** Reads the account's keys, and what the app keeps. */
  async start(): Promise<void> {
    const { context } = this;
    try {
      const session = await context.session();
      if (session.account === null) return this.showSignedOut({ step: 'signed-out' });
      const { account } = session;
      this.#login = await context.recordHere(account).catch(() => undefined);
      const keys = await this.#keys(session);
      this.set({ step: 'ready', account, keys, isHere: this.#login !== undefined });
      if (session.needsKey) {
        const action = { label: context.say('devices.none.make'), page: 'create' } as const;
        this.tell({ ...context.notice('info', 'devices.none', 'devices.none.text'), action });
      } else if (!this.#login && context.has('records')) {
        const action = { label: context.say('go.pickup'), page: 'pickup' } as const;
        this.tell({ ...context.notice('info', 'devices.elsewhere', 'devices.elsewhere.text'), action });
      }
      await this.#readStored();
    } catch (error) {
      this.tell(context.explain(error));
    }
  }

  /** Stores the keys that are here for pickup, and shows the code. */
  async makeCode(): Promise<void> {
    const { context } = this;
    const record = this.#login;
    if (!record) return;
    const stored = await this.attempt(
      async () => {
        // First, since the code that is shown stands for all of them.
        const { keepOthers, listOf } = await import('./other-keys.ts');
        const left = await keepOthers(context, this.state.account);
        return { code: await context.deviceOn(record).storeRecord(), left: listOf(context, left) };
      },
      {
        onFailure: (error) =>
          isRoamingKeyError(error, 'unsupported')
            ? context.notice('info', 'devices.kind', 'devices.kind.text')
            : undefined,
      },
    );
    if (typeof stored?.code !== 'string') return;
    const { code, left } = stored;
    const url = new URL(this.#pickupUrl, globalThis.location?.href);
    const link = `${url.href}#pickup=${encodeURIComponent(this.state.account)}&code=${code}`;
    const notice = left
      ? context.notice('info', 'devices.left', 'devices.left.text', { list: left })
      : undefined;
    this.tell(notice, { step: 'code', code, link });
    await this.#readStored();
  }

  /** Removes the keys from the app's store: the code no longer works. */
  async removeStored(): Promise<void> {
    const { context } = this;
    const isDone = await this.attempt(async () => {
      await new RecordServiceClient(context.roam, context.transport).remove();
      return true;
    });
    if (!isDone) return;
    this.tell(context.notice('done', 'devices.removed', 'devices.removed.text'), {
      step: 'ready',
      code: undefined,
      link: undefined,
    });
    await this.#readStored();
  }

  /** The file that carries a key. */
  async file(purpose: CarriedKey['purpose']): Promise<{ name: string; text: string } | undefined> {
    const { account } = this.state;
    const record = await this.context.recordHere(account, purpose).catch(() => undefined);
    return record && (await import('./keeping.ts')).keyFile(this.context, { account, purpose, record });
  }

  /** Makes a spare key with a kit of its own; its file is in the state when the kit was kept. */
  async addSpare({ password }: { readonly password: string }): Promise<void> {
    const { context } = this;
    const { account } = this.state;
    if (password === '') return this.fail({ password: context.say('password.missing') });
    const made = await this.attempt(async () => {
      const { keyFile, kitSheet } = await import('./keeping.ts');
      // A typo would lock the spare key under an unknown password: check it with the login key.
      const here = this.#login;
      const alarm = here && (await tryPassword(context, here, password));
      const enrolment = await enroll({ ...context.transport, password });
      const device = context.deviceOn(enrolment.record);
      await hold(device, password);
      await device.register(context.party('keys', account));
      device.lock();
      const sheet = kitSheet(context, enrolment.kit, account, 'kit.what.spare');
      context.memory.setKitNumber(await thumbprintOf(enrolment.record.jwk), sheet.number);
      const file = keyFile(context, { account, purpose: 'login', record: device.record }, 'spare');
      return { alarm, sheet, file };
    });
    if (!made) return;
    const { alarm, ...kit } = made;
    this.tell(alarm, { step: 'kit', ...kit });
  }

  /** The kit of the spare key is kept. */
  async confirmKit(isKept: boolean): Promise<void> {
    const { context } = this;
    if (!isKept) return this.fail({ kept: context.say('kit.not-kept') });
    const { file } = this.state;
    await this.start();
    this.tell(context.notice('done', 'devices.spare.done', 'devices.spare.done.text'), {
      sheet: undefined,
      file,
    });
  }

  /** Ends the session; keys stay here, locked. */
  async logOut(): Promise<void> {
    const isOut = await this.attempt(async () => {
      await this.context.ask('logout', {});
      return true;
    });
    if (isOut)
      this.tell(this.context.notice('done', 'logout.done', 'logout.done.text'), { step: 'signed-out' });
  }

  async #keys({ keys, jkt, account }: Session): Promise<DeviceKey[]> {
    const { context } = this;
    return Promise.all(
      keys.map(async (key) => {
        const here = await context.recordHere(account ?? '', key.purpose).catch(() => undefined);
        return {
          ...key,
          isHere: here !== undefined && (await thumbprintOf(here.jwk)) === key.jkt,
          isThisLogin: key.jkt === jkt,
          kitNumber: context.memory.kitNumberOf(key.jkt),
        };
      }),
    );
  }

  async #readStored(): Promise<void> {
    if (!this.context.has('records')) return;
    const service = new RecordServiceClient(this.context.roam, this.context.transport);
    const [stored, pickups] = await Promise.all([
      service.stored().catch(() => undefined),
      service.fetches().catch(() => []),
    ]);
    this.set({ storedAt: stored?.at ?? null, pickups });
  }
}

/** Uses a key once, to see whether the password is its own: a shared key that is merely held asks no assistant. */
async function tryPassword(
  context: Context,
  record: DeviceRecord,
  password: string,
): Promise<Notice | undefined> {
  const [{ alarmOf, useKey }, { useOnce }] = await Promise.all([
    import('./enter.ts'),
    import('./other-keys.ts'),
  ]);
  const device = context.deviceOn(record, 'sign');
  return alarmOf(context, await useKey(context, device, () => useOnce(device, password)));
}

export interface DevicesOptions {
  /** Where keys are picked up. Default `/pickup`. */
  readonly pickupUrl?: string;
}

export type { DevicesFlow };

/** The account's keys, pickup codes and spare keys. */
export function devicesFlow(options: FlowOptions | Context, more: DevicesOptions = {}): DevicesFlow {
  return new DevicesFlow(options, more);
}
