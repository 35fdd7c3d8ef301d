import {
  type DisablingKit,
  disable,
  isRoamingKeyError,
  kitFromCode,
  parseKit,
  RoamingKeyError,
} from '../../device/index.ts';
import { AppFlow } from './app-flow.ts';
import type { Context, FlowOptions, KeyPurpose } from './context.ts';
import { LOST_WORDS } from './english/lost.ts';
import type { FlowState } from './flow.ts';

/** What the app says of one kit's code. `account` and `purposes` only while the key is not off yet. */
export interface KilledKey {
  readonly isKnown: boolean;
  readonly isDisabled: boolean;
  readonly account?: string;
  /** What its keys are for: one kit may be that of several. */
  readonly purposes?: readonly KeyPurpose[];
  readonly jkt?: string;
  /** Whether the account has another key that is on. */
  readonly hasOther?: boolean;
  /** Whether it has one that is put on hold with this key, which has vouched for it. */
  readonly hasHeld?: boolean;
}

/** The answer of `app.killed`, in the order of the codes that were asked about. */
export interface KilledKeys {
  /** `null` where the app cannot say. */
  readonly keys: readonly KilledKey[] | null;
}

/** One sentence about one kit. */
export interface Verdict {
  readonly tone: 'done' | 'warn' | 'wait' | 'info';
  readonly title: string;
  readonly text: string;
}

export interface LostState extends FlowState {
  /** `check`: what will be switched off is shown, and the red button. */
  readonly step: 'ask' | 'check' | 'done';
  /** What the code will switch off, one sentence for each kit; then what it has switched off. */
  readonly verdicts: readonly Verdict[];
  /** Whether a key of this app was switched off. */
  readonly isOurs: boolean;
  /** Whether the account has another key to log in with. */
  readonly hasSpare: boolean;
  /** Whether it has one that waits until the app confirms it. */
  readonly isSpareHeld: boolean;
}

export interface LostOptions {
  /** Reads the QR code in a picture. Without it pictures are refused. */
  readonly readPicture?: (file: Blob) => Promise<string | undefined>;
}

const MAX_FILE = 20 * 1024 * 1024;
type Word = Parameters<Context['say']>[0];

class LostFlow extends AppFlow<LostState> {
  readonly #readPicture: LostOptions['readPicture'];
  #kits: readonly DisablingKit[] = [];
  #before: readonly KilledKey[] = [];
  #isOldCode = false;

  constructor(options: FlowOptions | Context, { readPicture }: LostOptions) {
    super(options, {
      step: 'ask',
      isBusy: false,
      errors: {},
      verdicts: [],
      isOurs: false,
      hasSpare: false,
      isSpareHeld: false,
    });
    this.#readPicture = readPicture;
    this.context.learn(LOST_WORDS);
  }

  /** Reads a code or kit files, and asks the app which keys they are for. Nothing is switched off yet. */
  async look({
    code = '',
    files = [],
  }: {
    readonly code?: string;
    readonly files?: readonly File[];
  }): Promise<void> {
    const { context } = this;
    const typed = code.trim();
    if (typed === '' && files.length === 0) return this.fail({ code: context.say('lost.missing') });
    const field = typed === '' ? 'file' : 'code';
    try {
      this.#kits =
        typed === '' ? await Promise.all(files.map((file) => this.#readFile(file))) : [this.#readCode(typed)];
    } catch (error) {
      if (error instanceof FieldError) return this.fail({ [field]: error.message });
      const { title, text } = context.explain(error);
      return this.fail({ [field]: `${title} ${text ?? ''}` });
    }
    this.#isOldCode = typed.replace(/[^0-9a-z]/gi, '').length === 29;
    // A key can be switched off also while the app does not answer.
    const before = await this.attempt(() => this.#ask(false));
    this.#before = before ?? [];
    this.tell(undefined, {
      step: 'check',
      verdicts: this.#kits.map((_kit, i) =>
        before ? this.#announce(before[i]) : this.#verdict(undefined, 'info', 'lost.unasked'),
      ),
    });
  }

  /** Back to the code. */
  back(): void {
    this.tell(undefined, { step: 'ask', verdicts: [], errors: {} });
  }

  /** Switches the keys off, for good. */
  async confirm(): Promise<void> {
    const { context } = this;
    const isDone = await this.attempt(async () => {
      for (const kit of this.#kits) await disable(kit, context.transport);
      return true;
    });
    if (!isDone) return;
    // The app would see it by itself within seconds; there is no reason to wait.
    const after = await this.#ask(true)
      // The first request ends a session of the disabled key; the second one has no session.
      .catch((error: unknown) => (isRoamingKeyError(error, 'disabled') ? this.#ask(true) : undefined))
      .catch(() => undefined);
    const verdicts = this.#kits.map((_kit, i) => this.#judge(this.#before[i], after?.[i]));
    this.tell(undefined, {
      step: 'done',
      verdicts: this.#isOldCode ? [...verdicts, this.#verdict(undefined, 'info', 'lost.old-code')] : verdicts,
      isOurs: verdicts.some(({ tone }) => tone !== 'warn'),
      hasSpare: this.#before.some(({ hasOther }) => hasOther === true),
      isSpareHeld: this.#before.some(({ hasHeld }) => hasHeld === true),
    });
  }

  /** What the app says of each code; nothing where it cannot look keys up. */
  async #ask(isDone: boolean): Promise<readonly KilledKey[]> {
    if (!this.context.has('killed')) return [];
    const codes = this.#kits.map(({ t }) => t);
    return (await this.context.ask<KilledKeys>('killed', { codes, isDone })).keys ?? [];
  }

  #announce(key: KilledKey | undefined): Verdict {
    if (key?.isDisabled) return this.#verdict(key, 'info', 'lost.already', 'lost.already.text');
    if (key?.isKnown === false) return this.#verdict(key, 'warn', 'lost.unknown');
    return this.#verdict(key, 'info', key?.account === undefined ? 'lost.anonymous' : 'lost.ours');
  }

  /** What has become of a key, by what the app has said before and after; nothing where it could not say. */
  #judge(before: KilledKey | undefined, after: KilledKey | undefined): Verdict {
    if (!before && !after) return this.#verdict(before, 'warn', 'lost.untold', 'lost.untold.text');
    if (before?.isDisabled) return this.#verdict(before, 'done', 'lost.already', 'lost.already.text');
    if (!before?.isKnown && !after?.isKnown)
      return this.#verdict(before, 'warn', 'lost.noted', 'lost.noted.text');
    if (before?.account === undefined) return this.#verdict(before, 'done', 'lost.off.anonymous');
    return after?.isDisabled
      ? this.#verdict(before, 'done', 'lost.off', 'lost.off.text')
      : this.#verdict(before, 'wait', 'lost.off', 'lost.off.later');
  }

  #verdict(key: KilledKey | undefined, tone: Verdict['tone'], title: Word, text?: Word): Verdict {
    const { context } = this;
    const { account = '', purposes = ['login'] } = key ?? {};
    const list = new Intl.ListFormat(context.locale);
    const values = {
      account,
      purpose: list.format(purposes.map((name) => context.say(`purpose.${name}`))),
      n: purposes.length,
      assistant: new URL(context.options.assistant).host,
    };
    return { tone, title: context.say(title, values), text: text ? context.say(text, values) : '' };
  }

  #readCode(typed: string): DisablingKit {
    const link = /#([\w-]+)$/.exec(typed);
    if (/^[0-9a-z]{8}$/i.test(typed.replace(/[\s-]/g, ''))) throw this.#wrong('lost.pickup-code');
    return kitFromCode(link?.[1] ?? typed, this.context.options.assistant);
  }

  async #readFile(file: File): Promise<DisablingKit> {
    const { name } = file;
    if (file.size > MAX_FILE) throw this.#wrong('lost.too-large', name);
    if (file.type.startsWith('image/')) {
      const text = await this.#readPicture?.(file);
      if (text === undefined) throw this.#wrong('lost.no-qr');
      if (/\/pickup#/.test(text)) throw this.#wrong('lost.pickup-qr');
      if (!/\/lost#/.test(text)) throw this.#wrong('lost.other-qr');
      return this.#readCode(text);
    }
    const value = parse(await file.text());
    if (typeof value === 'object' && value !== null && 'record' in value)
      throw this.#wrong('lost.key-file', name);
    const kit = parseKit(value);
    if (normal(kit.assistant.url) !== normal(this.context.options.assistant))
      throw new RoamingKeyError('wrong_assistant', 'this kit belongs to another assistant');
    return kit;
  }

  #wrong(word: Word, name = ''): FieldError {
    return new FieldError(this.context.say(word, { name }));
  }
}

/** What is wrong with a field, in the user's words. */
class FieldError extends Error {}

function normal(url: string): string {
  return new URL(url).href.replace(/\/+$/, '');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export type { LostFlow };

/** Switching a key off with its kit, without device, password or login. */
export function lostFlow(options: FlowOptions | Context, more: LostOptions = {}): LostFlow {
  return new LostFlow(options, more);
}
