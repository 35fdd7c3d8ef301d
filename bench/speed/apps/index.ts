import type { RequestListener } from 'node:http';
import { argon2idApp } from './argon2id.ts';
import { assistantApp } from './assistant.ts';
import { echoApp } from './echo.ts';
import { floorApp } from './floor.ts';
import { loginApp } from './login.ts';
import { opaqueApp } from './opaque.ts';
import { srpApp } from './srp.ts';
import { storeApp } from './store.ts';
import { webauthnApp } from './webauthn.ts';

/** What is measured: the package's own apps, a floor, and peers with what they keep in memory. */
export const apps = {
  echo: echoApp,
  floor: floorApp,
  assistant: assistantApp,
  login: loginApp,
  opaque: opaqueApp,
  webauthn: webauthnApp,
  argon2id: argon2idApp,
  srp: srpApp,
  store: storeApp,
} satisfies Record<string, (options: never) => RequestListener | Promise<RequestListener>>;

export type AppName = keyof typeof apps;
