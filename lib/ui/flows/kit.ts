import { type DisablingKit, disablingCode } from '../../device/index.ts';
import { Context, type FlowOptions } from './context.ts';
import { KEEP_WORDS } from './english/keep.ts';
import { Flow, type FlowState } from './flow.ts';
import type { Words } from './words.ts';

/** A kit as it is shown. */
export interface KitSheet {
  readonly kit: DisablingKit;
  readonly account: string;
  /** The whole code. */
  readonly code: string;
  /** The code in groups that must not break. */
  readonly groups: readonly string[];
  /** The first characters of the code: the kit's number on the sheet and beside the key. */
  readonly number: string;
  /** What it switches off, as in “Code of your key”. */
  readonly what: string;
  /** The file's name and content. */
  readonly file: { readonly name: string; readonly text: string };
}

export interface KitState extends FlowState {
  /** `none`: every kit is kept; `pending`: one is not yet; `shown`: it is on the screen. */
  readonly step: 'none' | 'pending' | 'shown' | 'kept';
  readonly account?: string | undefined;
  readonly sheet?: KitSheet | undefined;
}

/** Makes a kit's sheet. */
export function kitSheet(
  context: Context,
  kit: DisablingKit,
  account: string,
  what: keyof Words = 'kit.what',
): KitSheet {
  context.learn(KEEP_WORDS);
  const code = disablingCode(kit);
  const groups = code.split('-');
  const number = groups[0] as string;
  const plain = context.site.replace(/[^\p{L}\p{N}]+/gu, '-').toLowerCase();
  return {
    kit,
    account,
    code,
    groups,
    number,
    what: context.say(what),
    file: { name: `${plain}-kit-${account}-${number}.json`, text: `${JSON.stringify(kit, null, 2)}\n` },
  };
}

class KitFlow extends Flow<KitState> {
  readonly #context: Context;

  constructor(options: FlowOptions | Context) {
    super({ step: 'none', isBusy: false, errors: {} });
    this.#context = options instanceof Context ? options : new Context(options);
    this.#context.learn(KEEP_WORDS);
  }

  /** Looks whether a kit of the account that is logged in waits to be kept. */
  async start(account?: string): Promise<void> {
    const name = account ?? (await this.#context.session().catch(() => undefined))?.account ?? undefined;
    if (name === undefined) return;
    const kit = this.#context.memory.pendingKit(name);
    this.set({
      account: name,
      step: kit ? 'pending' : 'none',
      sheet: kit && kitSheet(this.#context, kit, name),
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
      this.fail({ kept: this.#context.say('kit.not-kept') });
      return;
    }
    if (account !== undefined) this.#context.memory.setPendingKit(account, undefined);
    this.set({ step: 'kept', sheet: undefined, errors: {} });
  }
}

export type { KitFlow };

/** A kit that was made and waits to be kept. */
export function kitFlow(options: FlowOptions | Context): KitFlow {
  return new KitFlow(options);
}
