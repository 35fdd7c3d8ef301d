import { h } from './dom.ts';
import { Context, type FlowOptions } from './flows/context.ts';
import type { Notice, PageName } from './flows/explain.ts';
import type { Flow, FlowState } from './flows/flow.ts';
import type { KitSheet } from './flows/kit-sheet.ts';
import { routesUnder } from './flows/routes.ts';
import type { Words } from './flows/words.ts';
import { showNotice, sign } from './notice.ts';

/** What a page says once for all its elements: `<meta name="roaming-key" content='{"assistant": …}'>`. */
export interface PageConfig {
  readonly assistant?: string;
  /** Where the app's routes are mounted. */
  readonly app?: string;
  /** Where pages are: a base path, or paths by name. */
  readonly pages?: string | Partial<Record<PageName, string>>;
  readonly site?: string;
  /** Whether the app keeps keys for pickup. Default true. */
  readonly hasRecords?: boolean;
  readonly kdf?: FlowOptions['kdf'];
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is inside an element in one step. */
export type View = readonly (Node | string | undefined | false)[];

export interface FieldOptions {
  readonly name: string;
  readonly label: string;
  readonly type?: string;
  readonly value?: string | undefined;
  readonly hint?: string;
  readonly [attribute: string]: string | boolean | undefined;
}

const FLASH = 'roaming-key:flash';
interface Flash extends Notice {
  readonly flashedAt: number;
  readonly path?: string;
}

/** For how long a message is news, in milliseconds. */
const FLASH_AGE = 15_000;
const CHANNEL = 'roaming-key session';
let count = 0;

/** Options of all elements that are set by script, such as `records` and `words`. */
let defaults: Partial<FlowOptions> = {};

/** Gives all elements options that attributes cannot carry. Call it before the elements are on the page. */
export function configure(options: Partial<FlowOptions>): void {
  defaults = { ...defaults, ...options };
}

/** Tells the other tabs that a session has begun or ended. */
export function tellTabs(what: 'in' | 'out'): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(what);
  channel.close();
}

/** An element around a flow, in the light DOM: password managers do not look into shadow trees. */
export abstract class FlowElement<S extends FlowState, F extends Flow<S>> extends HTMLElement {
  readonly #id = `rk-${++count}`;
  readonly #notice = h('div', { class: 'rk-notices' });
  readonly #part = h('div', { class: 'rk-part' });
  readonly #busy = h('div', { class: 'rk-progress', hidden: true });
  #shown: string | undefined;
  #channel: BroadcastChannel | undefined;
  #lastNotice: Notice | undefined;
  #doneAt: string | undefined;
  #flow: F | undefined;
  #context: Context | undefined;
  #kitView: Promise<typeof import('./kit-view.ts')> | undefined;
  #pages: PageConfig['pages'] = '';
  #onHash: (() => void) | undefined;

  /** Options of this element alone. */
  options: Partial<FlowOptions> = {};

  protected get context(): Context {
    return this.#context as Context;
  }

  protected get flow(): F {
    return this.#flow as F;
  }

  /** Makes the flow. */
  protected abstract make(context: Context): F;
  /** Starts it. */
  protected abstract start(): Promise<void> | void;
  /** What is shown in the step that the flow is in. */
  protected abstract view(): View;
  /** What names the view: it is drawn anew when this changes. */
  protected viewOf(state: S): string {
    return state.step;
  }
  /** What `rk:done` tells, once the flow has come to an end. */
  protected detail(_state: S): object | undefined {
    return undefined;
  }
  /** What happens after `rk:done`, unless a listener prevents it. */
  protected finish(_detail: object): void {}
  /** Whether the page is worth nothing without a session. */
  protected get needsSession(): boolean {
    return false;
  }
  /** Whether leaving the page loses something. */
  protected get isFragile(): boolean {
    return false;
  }

  connectedCallback(): void {
    if (this.#flow) return;
    void this.#connect();
  }

  disconnectedCallback(): void {
    // An element that is moved is connected again at once.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#flow?.end();
      this.#channel?.close();
      this.#flow = undefined;
      removeEventListener('beforeunload', this.#beforeUnload);
      if (this.#onHash) removeEventListener('hashchange', this.#onHash);
      document.querySelector('body > .rk-sheet')?.remove();
    });
  }

  async #connect(): Promise<void> {
    try {
      await this.#setUp();
    } catch (error) {
      const context = this.#context ?? new Context({ assistant: '', app: { login: '/' } });
      this.classList.add('rk');
      this.replaceChildren(h('h1', {}, document.title), this.#notice);
      showNotice(this.#notice, context.explain(error), { hrefOf: () => location.href });
      throw error;
    }
  }

  async #setUp(): Promise<void> {
    const config = readConfig();
    const read = (name: keyof PageConfig) => this.getAttribute(name) ?? undefined;
    const app = read('app') ?? config.app ?? '/account/api';
    this.#pages = read('pages') ?? config.pages ?? '';
    const locale = this.closest('[lang]')?.getAttribute('lang') || 'en';
    const words = await wordsOf(locale);
    if (!this.isConnected) return;
    const { site, kdf, headers } = config;
    const { records, ...routes } = routesUnder(app);
    this.#context = new Context({
      assistant: read('assistant') ?? config.assistant ?? '',
      app: { ...routes, ...(config.hasRecords !== false && { records }) },
      locale,
      ...(site && { site }),
      ...(kdf && { kdf }),
      ...(headers && { headers }),
      ...defaults,
      ...this.options,
      words: { ...words, ...defaults.words, ...this.options.words },
    });
    this.#flow = this.make(this.#context);
    this.classList.add('rk');
    this.replaceChildren(this.#notice, this.#part);
    const flash = takeFlash();
    this.#flow.subscribe((state) => this.#draw(state));
    if (flash && !this.#flow.state.notice) this.#showNotice(flash);
    await this.start();
    if (this.needsSession) this.#watchSession();
  }

  #draw(state: S): void {
    const key = this.viewOf(state);
    if (key !== this.#shown) {
      const isFirst = !this.#part.hasChildNodes();
      this.#shown = key;
      this.#part.replaceChildren(...this.view().filter((node) => node !== undefined && node !== false));
      const heading = this.#part.querySelector<HTMLElement>('h1, h2');
      if (!isFirst && heading) {
        heading.tabIndex = -1;
        heading.focus({ preventScroll: true });
        this.scrollIntoView({ block: 'start' });
      }
    }
    if (state.notice !== this.#lastNotice) {
      this.#lastNotice = state.notice;
      this.#showNotice(state.notice);
    }
    this.#drawProgress(state);
    this.#drawErrors(state);
    removeEventListener('beforeunload', this.#beforeUnload);
    if (this.isFragile) addEventListener('beforeunload', this.#beforeUnload);
    const detail = this.#doneAt === key ? undefined : this.detail(state);
    if (!detail) return;
    this.#doneAt = key;
    const event = new CustomEvent('rk:done', { detail, bubbles: true, cancelable: true });
    if (this.dispatchEvent(event)) this.finish(detail);
  }

  /** Says when another tab has logged out. */
  #watchSession(): void {
    this.#channel = new BroadcastChannel(CHANNEL);
    this.#channel.addEventListener('message', ({ data }: MessageEvent<string>) => {
      if (data !== 'out' || this.flow.state.step === 'signed-out') return;
      const action = { label: this.context.say('go.login'), page: 'login' } as const;
      this.#showNotice({
        ...this.context.notice('info', 'logout.elsewhere', 'logout.elsewhere.text'),
        action,
      });
    });
  }

  #showNotice(notice: Notice | undefined): void {
    const say = this.context.say.bind(this.context);
    showNotice(this.#notice, notice, { hrefOf: (page, account) => this.href(page, account), say });
  }

  #drawProgress({ progress, isBusy }: FlowState): void {
    for (const form of this.#part.querySelectorAll('form')) {
      form.toggleAttribute('aria-busy', isBusy);
      for (const button of form.querySelectorAll<HTMLButtonElement>('button[type=submit]'))
        button.setAttribute('aria-disabled', String(isBusy));
    }
    const form = this.#part.querySelector('form[data-active]') ?? this.#part.querySelector('form');
    const button = form?.querySelector('button[type=submit]');
    const row = button?.closest('.rk-row') ?? button;
    if (this.#busy.nextElementSibling !== row) row?.before(this.#busy);
    this.#busy.hidden = !progress;
    if (!progress) {
      this.#busy.replaceChildren();
      return;
    }
    const [text, bar] = this.#busy.childElementCount
      ? (this.#busy.children as unknown as [HTMLElement, HTMLProgressElement])
      : [h('span', { role: 'status' }), h('progress', { 'aria-hidden': 'true' })];
    if (!this.#busy.childElementCount) this.#busy.append(text, bar);
    if (text.textContent !== progress.text) text.textContent = progress.text;
    if (progress.done === undefined) bar.removeAttribute('value');
    else bar.value = progress.done;
  }

  #drawErrors({ errors }: FlowState): void {
    let first: HTMLInputElement | undefined;
    for (const message of this.#part.querySelectorAll<HTMLElement>('.rk-error')) {
      const name = message.dataset['of'] ?? '';
      const input = this.#part.querySelector<HTMLInputElement>(`[name="${name}"]`);
      const text = errors[name];
      message.textContent = text ?? '';
      message.hidden = text === undefined;
      input?.toggleAttribute('aria-invalid', false);
      if (text === undefined) continue;
      input?.setAttribute('aria-invalid', 'true');
      first ??= input ?? undefined;
      // What was typed stays, unless it was wrong.
      if (name === 'password' && input && text === this.context.say('wrong_password.title')) input.value = '';
    }
    if (first && document.activeElement !== first) first.focus();
  }

  readonly #beforeUnload = (event: Event) => event.preventDefault();

  /** A field with its label, hint and place for what is wrong. */
  protected field({ name, label, hint, ...attributes }: FieldOptions): HTMLElement {
    const id = `${this.#id}-${name}`;
    const isPassword = attributes.type === 'password';
    const isArea = attributes.type === 'area';
    const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(' ');
    const { type, ...rest } = attributes;
    const input = h(isArea ? 'textarea' : 'input', {
      id,
      name,
      'aria-describedby': described,
      ...(!isArea && { type: type ?? 'text' }),
      ...rest,
    });
    if (isArea) input.value = attributes.value ?? '';
    input.addEventListener('input', () => {
      input.removeAttribute('aria-invalid');
      const error = document.getElementById(`${id}-error`);
      if (error) error.hidden = true;
    });
    return h(
      'div',
      { class: 'rk-field' },
      h('label', { for: id }, label),
      isPassword ? h('div', { class: 'rk-with' }, input, this.#reveal(input as HTMLInputElement)) : input,
      isPassword && attributes['autocomplete'] === 'new-password' && h('div', { class: 'rk-meter-place' }),
      hint && h('p', { class: 'rk-hint', id: `${id}-hint` }, hint),
      h('p', { class: 'rk-error', id: `${id}-error`, 'data-of': name, hidden: true }),
    );
  }

  #reveal(input: HTMLInputElement): HTMLButtonElement {
    const button: HTMLButtonElement = h(
      'button',
      {
        type: 'button',
        'aria-pressed': 'false',
        'aria-label': this.context.say('password.show.label'),
        click: () => {
          const isShown = input.type === 'password';
          input.type = isShown ? 'text' : 'password';
          button.textContent = this.context.say(isShown ? 'password.hide' : 'password.show');
          button.setAttribute('aria-pressed', String(isShown));
        },
      },
      this.context.say('password.show'),
    );
    return button;
  }

  /** A field for a new password. What shows how good it is comes when the field is used. */
  protected newPassword(name: string, label: string, hints: () => string[]): HTMLElement {
    const field = this.field({ name, label, type: 'password', autocomplete: 'new-password' });
    const input = field.querySelector('input') as HTMLInputElement;
    const host = field.querySelector('.rk-meter-place') as HTMLElement;
    const load = () =>
      import('./meter.ts').then(
        ({ setUpMeter }) => setUpMeter(this.context, input, host, hints),
        () => {},
      );
    input.addEventListener('focus', load, { once: true });
    return field;
  }

  /** Whose password is typed, for password managers alone. */
  protected username(value: string): HTMLInputElement {
    return h('input', {
      class: 'rk-hidden',
      autocomplete: 'username',
      value,
      tabindex: -1,
      readonly: true,
      'aria-hidden': 'true',
    });
  }

  /** A box to tick, with its place for what is wrong. */
  protected check(name: string, label: string, isOn: boolean): HTMLElement {
    const id = `${this.#id}-${name}`;
    return h(
      'div',
      { class: 'rk-field' },
      h(
        'label',
        { class: 'rk-check' },
        h('input', { type: 'checkbox', name, id, checked: isOn, 'aria-describedby': `${id}-error` }),
        h('span', {}, label),
      ),
      h('p', { class: 'rk-error', id: `${id}-error`, 'data-of': name, hidden: true }),
    );
  }

  /** A form whose values are given to `submit`; once at a time. */
  protected form(
    submit: (values: Values, form: HTMLFormElement) => unknown,
    ...children: View
  ): HTMLFormElement {
    const form: HTMLFormElement = h(
      'form',
      {
        novalidate: true,
        submit: (event: Event) => {
          event.preventDefault();
          if (this.flow.state.isBusy) return;
          for (const other of this.querySelectorAll('form')) delete other.dataset['active'];
          form.dataset['active'] = '';
          void submit(new Values(form), form);
        },
      },
      ...children,
    );
    return form;
  }

  protected submitButton(label: string, kind = 'rk-primary'): HTMLButtonElement {
    return h('button', { type: 'submit', class: kind }, label);
  }

  protected button(
    label: string,
    act: () => unknown,
    attributes: Record<string, string> = {},
  ): HTMLButtonElement {
    return h('button', { type: 'button', click: () => void act(), ...attributes }, label);
  }

  protected link(page: PageName, label: string): HTMLElement {
    return h('p', { class: 'rk-aside' }, h('a', { href: this.href(page) }, label));
  }

  /** One line of a list of facts, with its sign. */
  protected fact(tone: Notice['tone'], title: string, text = ''): HTMLElement {
    return h('li', {}, sign(tone), h('span', {}, h('strong', {}, title), text && ` ${text}`));
  }

  /** A kit and the box to tick. Its code is loaded with the element, before there is a kit to be lost. */
  protected kitPart(sheet: KitSheet, confirm: (isKept: boolean) => unknown): Node[] {
    const place = h(
      'div',
      { class: 'rk-kit-place' },
      h('p', { class: 'rk-code', 'data-code': sheet.code }, sheet.code),
    );
    void this.#kitView?.then(({ kitView }) =>
      place.replaceChildren(...kitView(this.context, sheet, new URL(this.href('lost'), location.href).href)),
    );
    return [
      place,
      this.form(
        (values) => confirm(values.isOn('kept')),
        this.check('kept', this.context.say('kit.kept'), false),
        this.submitButton(this.context.say('kit.submit')),
      ),
    ];
  }

  /** A pickup code. Its picture is loaded when it is shown; the code is there without. */
  protected codePart(account: string, code: string): HTMLElement {
    const shown = h(
      'p',
      { class: 'rk-code', 'data-pickup': code },
      h('span', {}, code.slice(0, 4)),
      ' ',
      h('span', {}, code.slice(4)),
    );
    const part = h('div', { class: 'rk-kit', role: 'status' }, shown);
    const link = `${new URL(this.href('pickup'), location.href).href}#pickup=${encodeURIComponent(account)}&code=${code}`;
    import('./code-view.ts').then(
      ({ codeView }) => {
        const [label, ...rest] = codeView(this.context, link).filter((node) => node !== false);
        part.replaceChildren(label as Node, shown, ...rest);
      },
      () => {},
    );
    return part;
  }

  /** Loads what shows kits. */
  protected loadKitView(): void {
    this.#kitView = import('./kit-view.ts');
    this.#kitView.catch(() => {});
  }

  /**
   * Takes a code that stands behind `#` in the address, now and when another such link is opened in this tab; no history may
   * keep it. Every other `#` is the app's own.
   */
  protected watchHash(form: RegExp, take: (text: string) => void): void {
    const read = (mayTake: boolean) => {
      const text = location.hash.slice(1);
      if (!form.test(text)) return;
      history.replaceState(null, '', location.pathname + location.search);
      if (mayTake) take(text);
    };
    // The page that opened this tab can change the hash at any time: it changes nothing under the user's hands.
    this.#onHash = () => read(!this.#isInUse());
    addEventListener('hashchange', this.#onHash);
    read(true);
  }

  /** Whether something is typed, done, or warned of. */
  #isInUse(): boolean {
    const { isBusy, notice } = this.flow.state;
    const fields = [...this.querySelectorAll<HTMLInputElement>('input,textarea')];
    return (
      isBusy ||
      /stop|warn/.test(notice?.tone ?? '') ||
      fields.some(({ type, value }) => type !== 'checkbox' && value)
    );
  }

  /** Where a page is. */
  protected href(page: PageName, account?: string): string {
    const pages = this.#pages ?? '';
    const path =
      typeof pages === 'string' ? (page === 'home' ? `${pages}/` : `${pages}/${page}`) : (pages[page] ?? '/');
    return account === undefined ? path : `${path}?account=${encodeURIComponent(account)}`;
  }

  /** Leaves for where the user wanted to go, and shows a message there. */
  protected leave(notice?: Notice): void {
    const to = nextPage() ?? this.href('home');
    if (notice) flash(notice, to);
    location.assign(to);
  }
}

/** What stands in a form. */
export class Values {
  readonly #form: HTMLFormElement;

  constructor(form: HTMLFormElement) {
    this.#form = form;
  }

  text(name: string): string {
    return (this.#form.elements.namedItem(name) as HTMLInputElement | null)?.value ?? '';
  }

  isOn(name: string): boolean {
    return (this.#form.elements.namedItem(name) as HTMLInputElement | null)?.checked ?? false;
  }

  files(name: string): File[] {
    return [...((this.#form.elements.namedItem(name) as HTMLInputElement | null)?.files ?? [])];
  }
}

/**
 * Has the next page show a message.
 *
 * @param to the page it is for: the package's other pages drop it
 */
export function flash(notice: Notice, to?: string): void {
  try {
    const path = to?.split(/[?#]/)[0];
    sessionStorage.setItem(FLASH, JSON.stringify({ ...notice, flashedAt: Date.now(), path }));
  } catch {
    // The user does without.
  }
}

function takeFlash(isAppPage = false): Notice | undefined {
  try {
    const text = sessionStorage.getItem(FLASH);
    sessionStorage.removeItem(FLASH);
    const notice = text === null ? undefined : (JSON.parse(text) as Flash);
    if (!notice || Date.now() - notice.flashedAt >= FLASH_AGE) return undefined;
    // A welcome is for the page that the login led to, or for that which it sent on to.
    return isAppPage || notice.path === undefined || notice.path === location.pathname ? notice : undefined;
  } catch {
    return undefined;
  }
}

/** The page that was wanted before the login: a path of this origin. */
function nextPage(): string | undefined {
  const next = new URLSearchParams(location.search).get('next') ?? '';
  return /^\/(?![/\\])[\w\-./?=&%#]*$/.test(next) ? next : undefined;
}

/** `<meta name="roaming-key">`; an empty configuration without it. */
export function readConfig(): PageConfig {
  const text = document.querySelector('meta[name="roaming-key"]')?.getAttribute('content');
  return text ? (JSON.parse(text) as PageConfig) : {};
}

async function wordsOf(locale: string): Promise<Partial<Words>> {
  return /^de\b/i.test(locale) ? (await import('./flows/german.ts')).GERMAN : {};
}

/** Shows what the page before has left, and says when another tab has logged out. */
export class NoticeElement extends HTMLElement {
  connectedCallback(): void {
    void this.#connect();
  }

  async #connect(): Promise<void> {
    const config = readConfig();
    const locale = this.closest('[lang]')?.getAttribute('lang') || 'en';
    const words = await wordsOf(locale);
    const context = new Context({
      assistant: config.assistant ?? '',
      app: routesUnder(config.app ?? '/account/api'),
      locale,
      words,
      ...(config.site && { site: config.site }),
    });
    const pages = config.pages ?? '';
    const hrefOf = (page: PageName) =>
      typeof pages === 'string' ? (page === 'home' ? `${pages}/` : `${pages}/${page}`) : (pages[page] ?? '/');
    this.classList.add('rk');
    const show = (notice: Notice) => showNotice(this, notice, { hrefOf, say: context.say.bind(context) });
    const flashed = takeFlash(true);
    if (flashed) show(flashed);
    if (!this.hasAttribute('watch')) return;
    new BroadcastChannel(CHANNEL).addEventListener('message', ({ data }: MessageEvent<string>) => {
      if (data !== 'out') return;
      const action = { label: context.say('go.login'), page: 'login' } as const;
      show({ ...context.notice('info', 'logout.elsewhere', 'logout.elsewhere.text'), action });
    });
  }
}
