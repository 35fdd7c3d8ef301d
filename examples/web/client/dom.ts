/** The few things about documents that every page here needs. */

export { h, svg } from 'passport-roaming-key/ui';

/** The element of that id, which the page's HTML has. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as T;
}

/** An input's text as it was typed, without blanks around it. */
export function textIn(id: string): string {
  return byId<HTMLInputElement>(id).value.trim();
}

/** Marks a field as wrong and says why, or takes that back. */
export function setFieldError(id: string, text?: string): void {
  const input = byId<HTMLInputElement>(id);
  const message = byId(`${id}-error`);
  message.textContent = text ?? '';
  message.hidden = text === undefined;
  if (text === undefined) input.removeAttribute('aria-invalid');
  else {
    input.setAttribute('aria-invalid', 'true');
    input.focus();
  }
}

let open = () => {};
const ready = new Promise<void>((resolve) => {
  open = resolve;
});

/** Says that a page knows all that it needs; what the user asked for before is done now. */
export function pageIsReady(): void {
  open();
}

/** Runs a button's action, not before the page is ready. */
export function onClick(id: string, act: () => Promise<void>): void {
  byId(id).addEventListener('click', () => void ready.then(act));
}

/** Runs a form's action, once at a time and not before the page is ready; its buttons are out of use meanwhile. */
export function onSubmit(form: HTMLFormElement, act: () => Promise<void>): void {
  let isBusy = false;
  form.addEventListener('input', ({ target }) => {
    if (target instanceof HTMLElement && target.id && document.getElementById(`${target.id}-error`))
      setFieldError(target.id);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    form.setAttribute('aria-busy', 'true');
    void ready.then(act).finally(() => {
      isBusy = false;
      form.removeAttribute('aria-busy');
    });
  });
}

/** Has a button show and hide a password. */
export function setUpReveal(root: ParentNode = document): void {
  for (const button of root.querySelectorAll<HTMLButtonElement>('button[data-reveal]')) {
    button.addEventListener('click', () => {
      const input = byId<HTMLInputElement>(button.dataset['reveal'] as string);
      const isShown = input.type === 'password';
      input.type = isShown ? 'text' : 'password';
      button.textContent = isShown ? 'Hide' : 'Show';
      button.setAttribute('aria-pressed', String(isShown));
    });
  }
}

/** A number of bytes for people. */
export function formatBytes(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}

/** A time for people, from seconds since the epoch. */
export function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString('en', { ...(isToday ? {} : { dateStyle: 'medium' }), timeStyle: 'short' });
}

/** The same as part of a sentence: `at 9:41 AM`, `on Nov 22, 2026, 9:41 AM`. */
export function formatMoment(seconds: number): string {
  const time = formatTime(seconds);
  return time.includes(',') ? `on ${time}` : `at ${time}`;
}

/** `1 key`, `2 keys`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
