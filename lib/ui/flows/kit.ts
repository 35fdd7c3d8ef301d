import { AppFlow } from './app-flow.ts';
import type { Context, FlowOptions } from './context.ts';
import { KEEP_WORDS } from './english/keep.ts';
import type { FlowState } from './flow.ts';
import { type KitSheet, kitSheet } from './kit-sheet.ts';

export interface KitState extends FlowState {
  /** `none`: every kit is kept; `pending`: one is not yet; `shown`: it is on the screen. */
  readonly step: 'none' | 'pending' | 'shown' | 'kept';
  readonly account?: string | undefined;
  readonly sheet?: KitSheet | undefined;
}

class KitFlow extends AppFlow<KitState> {
  constructor(options: FlowOptions | Context) {
    super(options, { step: 'none', isBusy: false, errors: {} });
    this.context.learn(KEEP_WORDS);
  }

  /** Looks whether a kit of the account that is logged in waits to be kept. */
  async start(account?: string): Promise<void> {
    const name = account ?? (await this.context.session().catch(() => undefined))?.account ?? undefined;
    if (name === undefined) return;
    const kit = this.context.memory.pendingKit(name);
    this.set({
      account: name,
      step: kit ? 'pending' : 'none',
      sheet: kit && kitSheet(this.context, kit, name),
    });
  }

  /** Shows it. */
  show(): void {
    if (this.state.sheet) this.set({ step: 'shown' });
  }

  /** The user has kept it: this browser forgets it. */
  confirm(isKept: boolean): void {
    const { account } = this.state;
    if (!isKept) {
      this.fail({ kept: this.context.say('kit.not-kept') });
      return;
    }
    if (account !== undefined) this.context.memory.setPendingKit(account, undefined);
    this.set({ step: 'kept', sheet: undefined, errors: {} });
  }
}

export type { KitFlow };

/** A kit that was made and waits to be kept. */
export function kitFlow(options: FlowOptions | Context): KitFlow {
  return new KitFlow(options);
}
