import { isRoamingKeyError } from '../../device/index.ts';
import { AppFlow } from './app-flow.ts';
import type { Context, FlowOptions } from './context.ts';
import { LOGIN_WORDS } from './english/login.ts';
import { type Entered, enter, noticeOf } from './enter.ts';
import type { FlowState } from './flow.ts';
import { lookOf, spellAccount } from './names.ts';

export interface LoginState extends FlowState {
  /**
   * `loading` until `start` has seen which keys are here; `locked` until the wait in `notice` is over; `no-key` where
   * this browser has none for that account.
   */
  readonly step: 'loading' | 'ask' | 'working' | 'locked' | 'no-key' | 'done';
  /** Accounts that have a key in this browser. */
  readonly accountsHere: readonly string[];
  /** Who is logged in already. */
  readonly signedIn?: string | undefined;
  /** When the next try is possible, in seconds since the epoch. */
  readonly retryAt?: number | undefined;
  readonly entered?: Entered | undefined;
}

/** From how many seconds on users are told that their clock is wrong. */
const WRONG_CLOCK = 300;

class LoginFlow extends AppFlow<LoginState> {
  constructor(options: FlowOptions | Context) {
    super(options, { step: 'loading', isBusy: false, errors: {}, accountsHere: [] });
    this.context.learn(LOGIN_WORDS);
  }

  /** Looks which keys are here and who is logged in. */
  async start(): Promise<void> {
    const accountsHere = await this.context.accountsHere();
    this.set({ accountsHere, ...(this.state.step === 'loading' && { step: 'ask' }) });
    try {
      await this.context.records.list();
      const { account } = await this.context.session();
      if (account !== null && this.state.step === 'ask') {
        const { tone, title, text } = this.context.notice('info', 'login.already', 'login.already.text', {
          account,
        });
        const action = { label: this.context.say('go.home'), page: 'home' } as const;
        this.tell({ tone, title, ...(text && { text }), action }, { signedIn: account });
      } else if (Math.abs(this.context.behind) >= WRONG_CLOCK) {
        const { clockNotice } = await import('./clock-notice.ts');
        if (!this.state.notice) this.tell(clockNotice(this.context));
      }
    } catch (error) {
      this.tell(this.context.explain(error));
    }
  }

  /** Logs in. */
  async submit(typed: { readonly account: string; readonly password: string }): Promise<void> {
    const { context } = this;
    const account = spellAccount(typed.account);
    if (account === '') return this.fail({ account: context.say('account.missing') });
    if (typed.password === '') return this.fail({ password: context.say('password.missing') });
    const entered = await this.attempt(
      async () => {
        this.set({ step: 'working', retryAt: undefined });
        if (!(await context.recordHere(account))) return 'no-key' as const;
        return enter(context, await context.open(account), account, typed.password);
      },
      { refused: 'key' },
    );
    if (entered === 'no-key') return this.#tellNoKey(account);
    if (entered) return this.tell(noticeOf(context, entered), { step: 'done', entered });
    const { until } = this.state.notice ?? {};
    this.set(until === undefined ? { step: 'ask' } : { step: 'locked', retryAt: until });
  }

  protected override afterWait(): Partial<LoginState> {
    return this.state.step === 'locked' ? { step: 'ask', retryAt: undefined } : {};
  }

  async #tellNoKey(account: string): Promise<void> {
    const { context } = this;
    const accountsHere = await context.accountsHere();
    const alike = accountsHere.find((here) => here !== account && lookOf(here) === lookOf(account));
    if (alike !== undefined) {
      const sameCase = alike.toLowerCase() === account.toLowerCase();
      if (!sameCase)
        return this.tell(context.notice('warn', 'login.alike', 'login.alike.text', { account: alike }), {
          step: 'no-key',
          accountsHere,
        });
    }
    // A browser that keeps nothing looks like one without a key.
    const blocked = await context.records.list().then(
      () => undefined,
      (error: unknown) => (isRoamingKeyError(error) ? context.explain(error) : undefined),
    );
    const action = { label: context.say('go.pickup'), page: 'pickup', account } as const;
    const notice = blocked ?? context.notice('info', 'login.no-key', 'login.no-key.text', { account });
    this.tell({ ...notice, action }, { step: 'no-key', accountsHere });
  }
}

export type { LoginFlow };

/**
 * Logging in with a key that this browser has.
 *
 * @example
 * const flow = loginFlow({ assistant, app: { login: '/login' } });
 * flow.subscribe((state) => render(state));
 * await flow.start();
 * await flow.submit({ account, password });
 */
export function loginFlow(options: FlowOptions | Context): LoginFlow {
  return new LoginFlow(options);
}
