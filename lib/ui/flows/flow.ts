import type { Notice } from './explain.ts';

/** What every flow shows. */
export interface FlowState {
  readonly step: string;
  /** Whether something is being done; forms are out of use meanwhile. */
  readonly isBusy: boolean;
  readonly notice?: Notice | undefined;
  /** What the device is doing. */
  readonly progress?: { readonly text: string; readonly done?: number } | undefined;
  /** Field → what is wrong with it. */
  readonly errors: Readonly<Record<string, string>>;
}

/** A state and those who watch it. */
export class Flow<S extends FlowState> {
  #state: S;
  readonly #listeners = new Set<(state: S) => void>();
  readonly #ends: (() => void)[] = [];

  constructor(state: S) {
    this.#state = state;
  }

  get state(): S {
    return this.#state;
  }

  /**
   * Calls back with the state now and after every change.
   *
   * @returns ends the calls
   */
  subscribe(listener: (state: S) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => void this.#listeners.delete(listener);
  }

  /** Ends timers and listeners; the flow is over. */
  end(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#listeners.clear();
  }

  /** Has `end` call back. */
  protected onEnd(end: () => void): void {
    this.#ends.push(end);
  }

  protected set(change: Partial<S>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(this.#state);
  }

  /** Marks fields as wrong. */
  protected fail(errors: Readonly<Record<string, string>>): void {
    this.set({ errors, isBusy: false } as Partial<S>);
  }
}
