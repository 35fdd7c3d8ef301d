import { isRoamingKeyError } from '../../device/index.ts';
import { Context, type FlowOptions } from './context.ts';
import type { ExplainOptions, Notice } from './explain.ts';
import { Flow, type FlowState } from './flow.ts';

/** The longest delay that a timer takes, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** A flow with servers behind it; takes messages back when their cause has gone. */
export class AppFlow<S extends FlowState> extends Flow<S> {
  protected readonly context: Context;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: FlowOptions | Context, state: S) {
    super(state);
    this.context = options instanceof Context ? options : new Context(options);
    const online = () => {
      if (this.state.notice?.tone === 'offline') this.tell(undefined);
    };
    globalThis.addEventListener?.('online', online);
    this.onEnd(() => globalThis.removeEventListener?.('online', online));
    this.onEnd(() => clearTimeout(this.#timer));
  }

  /** Shows a message in place of an earlier one, until its wait is over. */
  protected tell(notice: Notice | undefined, change: Partial<S> = {}): void {
    clearTimeout(this.#timer);
    this.set({ notice, ...change } as Partial<S>);
    if (notice?.until === undefined) return;
    const wait = Math.min(LONGEST, Math.max(0, notice.until * 1000 - Date.now()));
    this.#timer = setTimeout(() => {
      if (this.state.notice === notice) this.set({ notice: undefined, ...this.afterWait() } as Partial<S>);
    }, wait);
  }

  /** Sends who is logged out to the login. */
  protected showSignedOut(change: Partial<S>): void {
    const action = { label: this.context.say('go.login'), page: 'login' } as const;
    this.tell({ ...this.context.notice('info', 'refused.session', 'refused.session.text'), action }, change);
  }

  /** What changes when a wait is over. */
  protected afterWait(): Partial<S> {
    return {};
  }

  /**
   * Does something for the user: shows progress, and what goes wrong.
   *
   * @returns `undefined` where it failed
   */
  protected async attempt<T>(
    act: () => Promise<T>,
    {
      refused,
      onFailure,
    }: {
      refused?: ExplainOptions['refused'];
      onFailure?: (error: unknown) => Notice | undefined;
    } = {},
  ): Promise<T | undefined> {
    if (this.state.isBusy) return undefined;
    this.tell(undefined, { isBusy: true, errors: {} } as Partial<S>);
    this.context.watchProgress((progress) => this.set({ progress } as Partial<S>));
    try {
      return await act();
    } catch (error) {
      if (!isRoamingKeyError(error)) console.error(error);
      const own = onFailure?.(error);
      // The field is emptied for a wrong password and for nothing else.
      const errors =
        own === undefined && isRoamingKeyError(error, 'wrong_password')
          ? { password: this.context.say('wrong_password.title') }
          : {};
      this.tell(own ?? this.context.explain(error, refused), { errors } as Partial<S>);
      return undefined;
    } finally {
      this.context.watchProgress(undefined);
      this.set({ isBusy: false, progress: undefined } as Partial<S>);
    }
  }
}
