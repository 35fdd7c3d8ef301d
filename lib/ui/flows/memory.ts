/** Small facts that a browser remembers beside the keys; all of them may be lost without harm. */
import type { DisablingKit } from '../../device/index.ts';

/** A place for texts, such as `localStorage`. */
export type TextStore = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const PREFIX = 'roaming-key:';

/** Remembers what happened on this device, as far as the browser lets it. */
export class Memory {
  readonly #store: () => TextStore | undefined;
  readonly #own = new Map<string, string>();

  /** @param store default: `localStorage`, where there is one */
  constructor(store?: TextStore) {
    this.#store = () => {
      try {
        return store ?? globalThis.localStorage;
      } catch {
        // Reading the property throws where site data is blocked.
        return undefined;
      }
    };
  }

  /** Whether what is remembered outlives the page. */
  get isLasting(): boolean {
    try {
      const store = this.#store();
      store?.setItem(`${PREFIX}probe`, 'x');
      store?.removeItem(`${PREFIX}probe`);
      return store !== undefined;
    } catch {
      return false;
    }
  }

  /** Wrong passwords that were typed here: see `tries.ts`. */
  get tries(): string | undefined {
    return this.#read('tries');
  }

  set tries(text: string | undefined) {
    this.#write('tries', text);
  }

  /** The number on the sheet of the kit that belongs to a key: the first characters of its code. */
  kitNumberOf(jkt: string): string | undefined {
    return this.#read(`kit-number:${jkt}`);
  }

  setKitNumber(jkt: string, number: string): void {
    this.#write(`kit-number:${jkt}`, number);
  }

  /** A kit that the user has not kept yet. */
  pendingKit(account: string): DisablingKit | undefined {
    try {
      return JSON.parse(this.#read(`kit:${account}`) ?? 'null') ?? undefined;
    } catch {
      return undefined;
    }
  }

  setPendingKit(account: string, kit: DisablingKit | undefined): void {
    this.#write(`kit:${account}`, kit && JSON.stringify(kit));
  }

  #read(name: string): string | undefined {
    try {
      return this.#store()?.getItem(PREFIX + name) ?? this.#own.get(name);
    } catch {
      return this.#own.get(name);
    }
  }

  #write(name: string, value: string | undefined): void {
    if (value === undefined) this.#own.delete(name);
    else this.#own.set(name, value);
    try {
      if (value === undefined) this.#store()?.removeItem(PREFIX + name);
      else this.#store()?.setItem(PREFIX + name, value);
    } catch {
      // A browser that keeps nothing has the page's own copy.
    }
  }
}
