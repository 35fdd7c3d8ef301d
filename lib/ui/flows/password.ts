import type { ChangePasswordOptions, Device, DisablingKit, OtherPurpose } from '../../device/index.ts';
import { isRoamingKeyError } from '../../device/index.ts';
import { AppFlow } from './app-flow.ts';
import type { Context, FlowOptions } from './context.ts';
import { PASSWORD_WORDS } from './english/password.ts';
import type { FlowState } from './flow.ts';
import type { KitSheet } from './kit-sheet.ts';
import { weaknessOf } from './strength.ts';

export interface PasswordState extends FlowState {
  /** `elsewhere`: the key is not here; `kit`: a new kit is shown and waits for `confirmKit`. */
  readonly step: 'loading' | 'signed-out' | 'elsewhere' | 'ask' | 'kit' | 'done';
  readonly account: string;
  readonly sheet?: KitSheet | undefined;
  /** Whether the old password is dead. */
  readonly isOldRetired?: boolean;
  /** Whether the kit stays good: keys that are shared with the assistant keep theirs. */
  readonly isKitGood?: boolean;
  /** Other keys of the account that are here, in words: those that have the new password too, and those that keep theirs. */
  readonly moved?: string;
  readonly left?: string;
}

class PasswordFlow extends AppFlow<PasswordState> {
  #device: Device | undefined;
  #kept: ((isKept: true) => void) | undefined;
  /** Keys whose old passwords still work, and these: a second change may leave a second one. */
  readonly #unretired = new Set<Device>();
  readonly #others = new Map<OtherPurpose, Device>();
  readonly #old = new Set<string>();

  constructor(options: FlowOptions | Context) {
    super(options, { step: 'loading', isBusy: false, errors: {}, account: '' });
    this.context.learn(PASSWORD_WORDS);
  }

  /** Looks who is logged in and whether the key is here. */
  async start(): Promise<void> {
    const { context } = this;
    try {
      const { account } = await context.session();
      if (account === null) return this.showSignedOut({ step: 'signed-out' });
      this.set({ account });
      if (!(await context.recordHere(account))) {
        const action = { label: context.say('go.pickup'), page: 'pickup' } as const;
        const notice = context.notice('info', 'password.elsewhere', 'password.elsewhere.text');
        return this.tell({ ...notice, action }, { step: 'elsewhere' });
      }
      this.#device = await context.open(account);
      this.set({ step: 'ask' });
    } catch (error) {
      this.tell(context.explain(error), { step: 'elsewhere' });
    }
  }

  /** Changes the password; a key that is recovered gets a new kit on the way. */
  async submit(typed: { readonly password: string; readonly newPassword: string }): Promise<void> {
    const { context } = this;
    const { account } = this.state;
    const device = this.#device;
    if (!device) return;
    const { password, newPassword } = typed;
    if (password === '') return this.fail({ password: context.say('password.missing') });
    if (newPassword === password) return this.fail({ newPassword: context.say('password.same') });
    const weak = weaknessOf(newPassword, [account, context.site]);
    if (weak)
      return this.fail({ newPassword: context.say(weak.word, weak.n === undefined ? {} : { n: weak.n }) });
    const isKitGood = device.record.scheme !== 'retrieve';
    const changed = await this.attempt(
      async () => {
        // Loaded first: what fails later must not look as if nothing had changed.
        const [{ listOf, moveOthers }, { alarmOf, useKey }] = await Promise.all([
          import('./other-keys.ts'),
          import('./enter.ts'),
        ]);
        const { value, ...use } = await useKey(context, device, () =>
          device.changePassword({
            password,
            newPassword,
            ...(!isKitGood && {
              relyingParties: [context.party('keys', account)],
              saveKit: (kit: DisablingKit) => this.#showKit(kit),
            }),
          } as ChangePasswordOptions),
        );
        const others = await moveOthers(context, account, { password, newPassword }, this.#others);
        for (const [one, isOldRetired] of [[device, value.isOldRetired] as const, ...others.changed])
          if (isOldRetired) this.#unretired.delete(one);
          else this.#unretired.add(one);
        return {
          alarm: alarmOf(context, use) ?? others.alarm,
          moved: listOf(context, others.moved),
          left: listOf(context, others.left),
        };
      },
      {
        onFailure: (error) =>
          isRoamingKeyError(error, 'unsupported')
            ? context.notice('info', 'password.unsupported', 'password.unsupported.text')
            : undefined,
      },
    );
    if (!changed) return this.set({ step: 'ask', sheet: undefined });
    const { alarm, ...more } = changed;
    const isOldRetired = this.#unretired.size === 0;
    if (!isOldRetired) this.#old.add(password);
    this.tell(alarm, { step: 'done', sheet: undefined, isKitGood, isOldRetired, ...more });
  }

  /** Tries again to have the assistant stop the old password. */
  async retireOld(): Promise<void> {
    const isDone = await this.attempt(async () => {
      for (const device of this.#unretired) {
        await retireAll(device, [...this.#old]);
        this.#unretired.delete(device);
      }
      return true;
    });
    if (!isDone) return;
    this.#old.clear();
    this.set({ isOldRetired: true });
  }

  /** The new kit is kept. */
  confirmKit(isKept: boolean): void {
    if (!isKept) {
      this.set({ errors: { kept: this.context.say('kit.not-kept') } });
      return;
    }
    this.set({ errors: {}, sheet: undefined });
    this.#kept?.(true);
  }

  async #showKit(kit: DisablingKit): Promise<void> {
    const { kitSheet } = await import('./keeping.ts');
    return new Promise((resolve) => {
      this.#kept = () => resolve();
      this.set({ step: 'kit', sheet: kitSheet(this.context, kit, this.state.account, 'kit.what.new') });
    });
  }
}

/** Retires what is left of a key's earlier passwords, each by its own. */
async function retireAll(device: Device, passwords: readonly string[]): Promise<void> {
  for (const [i, password] of passwords.entries()) {
    try {
      return await device.retire(password);
    } catch (error) {
      // Others are left, which another password opens.
      if (!isRoamingKeyError(error, 'wrong_password') || i === passwords.length - 1) throw error;
    }
  }
}

export type { PasswordFlow };

/** Changing the password of the key that is kept here. */
export function passwordFlow(options: FlowOptions | Context): PasswordFlow {
  return new PasswordFlow(options);
}
