/** Custom elements for login, sign-up, kit, lost device, pickup, devices and password. Importing this file defines them. */
import { NoticeElement } from './element.ts';
import { DevicesElement } from './elements/devices.ts';
import { EnrollElement } from './elements/enroll.ts';
import { KitElement } from './elements/kit.ts';
import { LoginElement } from './elements/login.ts';
import { LostElement } from './elements/lost.ts';
import { PasswordElement } from './elements/password.ts';
import { PickupElement } from './elements/pickup.ts';

export { configure, flash, type PageConfig } from './element.ts';

const ELEMENTS: Readonly<Record<string, CustomElementConstructor>> = {
  'roaming-key-login': LoginElement,
  'roaming-key-enroll': EnrollElement,
  'roaming-key-lost': LostElement,
  'roaming-key-pickup': PickupElement,
  'roaming-key-devices': DevicesElement,
  'roaming-key-password': PasswordElement,
  'roaming-key-kit': KitElement,
  'roaming-key-notice': NoticeElement,
};

// A page configures in the script that imports this one; its elements come to life after that.
queueMicrotask(() => {
  for (const [name, element] of Object.entries(ELEMENTS))
    if (!customElements.get(name)) customElements.define(name, element);
});

export {
  DevicesElement,
  EnrollElement,
  KitElement,
  LoginElement,
  LostElement,
  NoticeElement,
  PasswordElement,
  PickupElement,
};
