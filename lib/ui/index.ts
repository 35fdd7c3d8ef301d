/**
 * Custom elements for login, sign-up, kit, lost device, pickup, devices and password. Importing this file defines those that
 * are on the page; the code of each is loaded when its element is there.
 */
import { NoticeElement } from './element.ts';

export { h, svg } from './dom.ts';
export { configure, flash, type PageConfig } from './element.ts';
export { type NoticeOptions, showNotice, sign } from './notice.ts';

const ELEMENTS: Readonly<Record<string, () => Promise<CustomElementConstructor>>> = {
  'roaming-key-login': async () => (await import('./elements/login.ts')).LoginElement,
  'roaming-key-enroll': async () => (await import('./elements/enroll.ts')).EnrollElement,
  'roaming-key-lost': async () => (await import('./elements/lost.ts')).LostElement,
  'roaming-key-pickup': async () => (await import('./elements/pickup.ts')).PickupElement,
  'roaming-key-devices': async () => (await import('./elements/devices.ts')).DevicesElement,
  'roaming-key-password': async () => (await import('./elements/password.ts')).PasswordElement,
  'roaming-key-kit': async () => (await import('./elements/kit.ts')).KitElement,
  'roaming-key-notice': async () => NoticeElement,
};

const asked = new Set<string>();

/** Loads and defines the elements that are on the page now. */
function define(): void {
  for (const [name, load] of Object.entries(ELEMENTS)) {
    if (asked.has(name) || document.querySelector(name) === null) continue;
    asked.add(name);
    load().then(
      (element) => customElements.get(name) ?? customElements.define(name, element),
      (error: unknown) => {
        asked.delete(name);
        // The page's own words for this stand in the element until it is defined.
        document.querySelector(name)?.setAttribute('data-missing', '');
        throw error;
      },
    );
  }
}

function begin(): void {
  define();
  new MutationObserver(define).observe(document.documentElement, { childList: true, subtree: true });
}

// A page configures in a script of its own, which may come after this one: all have run when the document is loaded. One that loads
// this file later misses the first event.
if (document.readyState === 'complete') queueMicrotask(begin);
else for (const event of ['DOMContentLoaded', 'load']) addEventListener(event, begin);
