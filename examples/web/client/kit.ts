/** The disabling kit: shown once, to be kept off this device. */
import { type DisablingKit, disablingCode } from 'passport-roaming-key/device';
import { byId, download, h, setFieldError } from './dom.ts';
import { drawQr } from './qr.ts';

export interface KitOptions {
  readonly kit: DisablingKit;
  readonly account: string;
  /** What the key is for, as in “your signing key”. */
  readonly what: string;
}

/**
 * Shows a kit in `host` and waits until the user says that it is kept.
 *
 * @returns when the user has said so
 */
export function showKit(host: HTMLElement, { kit, account, what }: KitOptions): Promise<void> {
  const code = disablingCode(kit);
  const file = `inkwell-disabling-kit-${account}-${code.slice(0, 5)}.json`;
  const copied = h('span', { role: 'status', class: 'hint' });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code);
      copied.textContent = 'Copied.';
    } catch {
      copied.textContent = 'The browser did not let this page copy: select the code instead.';
    }
  };
  const sheet = printSheet(code, account, what);
  const print = async () => {
    document.querySelector('.print-sheet')?.remove();
    document.body.append(await sheet);
    window.print();
  };
  return new Promise((resolve) => {
    host.replaceChildren(
      h(
        'div',
        { class: 'kit' },
        h('p', { class: 'kit-label' }, 'Disabling code of ', what),
        h('p', { class: 'kit-code', id: 'kit-code' }, ...groups(code)),
        h(
          'div',
          { class: 'row' },
          h(
            'button',
            {
              type: 'button',
              class: 'small',
              id: 'kit-download',
              click: () => download(file, `${JSON.stringify(kit, null, 2)}\n`),
            },
            'Download as a file',
          ),
          h(
            'button',
            { type: 'button', class: 'small', id: 'kit-print', click: () => void print() },
            'Print',
          ),
          h(
            'button',
            { type: 'button', class: 'small', id: 'kit-copy', click: () => void copy() },
            'Copy the code',
          ),
        ),
        copied,
      ),
      h(
        'p',
        { class: 'hint' },
        'Keep it on paper, on a USB stick, or with somebody you trust: anywhere but on this device. It reveals nothing and unlocks nothing; all it can do is switch this key off.',
      ),
      h(
        'form',
        {
          novalidate: true,
          submit: (event: Event) => {
            event.preventDefault();
            if (!byId<HTMLInputElement>('kit-kept').checked) {
              setFieldError(
                'kit-kept',
                'Without the kit nobody can stop a thief: keep it first, then tick this box.',
              );
              return;
            }
            host.replaceChildren();
            resolve();
          },
        },
        h(
          'label',
          { class: 'check' },
          h('input', {
            type: 'checkbox',
            id: 'kit-kept',
            'aria-describedby': 'kit-kept-error',
            change: () => setFieldError('kit-kept'),
          }),
          h('span', {}, 'I have kept the kit somewhere other than on this device.'),
        ),
        h('p', { class: 'field-error', id: 'kit-kept-error', hidden: true }),
        h('button', { class: 'primary', id: 'kit-continue' }, 'Continue'),
      ),
    );
  });
}

/** In groups that do not break within a line. */
function groups(code: string): Node[] {
  return code
    .split('-')
    .flatMap((group, i) => [document.createTextNode(i > 0 ? '-' : ''), h('wbr'), h('span', {}, group)]);
}

/** One sheet of paper that explains itself years later. */
async function printSheet(code: string, account: string, what: string): Promise<HTMLElement> {
  const link = `${location.origin}/lost#${code}`;
  return h(
    'section',
    { class: 'print-sheet', 'aria-hidden': 'true' },
    h('h1', {}, 'Disabling kit'),
    h(
      'p',
      {},
      `For ${what} of “${account}” at Inkwell, ${location.origin}. Made on ${new Date().toLocaleDateString('en', { dateStyle: 'long' })}.`,
    ),
    h('p', { class: 'kit-code' }, code),
    await drawQr(link),
    h(
      'p',
      {},
      `If a device with this key is lost or stolen: open ${location.origin}/lost on any other device and type the code, or scan the picture. The key is dead from that moment.`,
    ),
    h(
      'p',
      {},
      'Neither the device nor the password is needed. Whoever finds this sheet can switch the key off, and do nothing else with it.',
    ),
  );
}
