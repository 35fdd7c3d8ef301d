/** Login, sign-up, kit, lost device, pickup, devices and password as state machines, for any user interface. */

export {
  type AppRoutes,
  Context,
  type FlowOptions,
  type KeyPurpose,
  type Session,
  type SessionKey,
} from './context.ts';
export {
  type DeviceKey,
  type DevicesFlow,
  type DevicesOptions,
  type DevicesState,
  devicesFlow,
} from './devices.ts';
export { ENGLISH } from './english.ts';
export { type EnrollFlow, type EnrollOptions, type EnrollState, enrollFlow } from './enroll.ts';
export type { EarlierUse, Entered } from './enter.ts';
export { type ExplainOptions, explain, type Notice, type PageName, type Tone } from './explain.ts';
export type { Flow, FlowState } from './flow.ts';
export { GERMAN } from './german.ts';
export { isSameKey, thumbprintOf } from './keep-record.ts';
export { type CarriedKey, readKeyFile, writeKeyFile } from './key-file.ts';
export { type KitFlow, type KitState, kitFlow } from './kit.ts';
export type { KitSheet } from './kit-sheet.ts';
export { type LoginFlow, type LoginState, loginFlow } from './login.ts';
export {
  type KilledKey,
  type KilledKeys,
  type LostFlow,
  type LostOptions,
  type LostState,
  lostFlow,
  type Verdict,
} from './lost.ts';
export { Memory, type TextStore } from './memory.ts';
export { isDeceptive, lookOf, spellAccount } from './names.ts';
export { type PasswordFlow, type PasswordState, passwordFlow } from './password.ts';
export { type FoundKey, type PickupFlow, type PickupState, pickupFlow } from './pickup.ts';
export { type Weakness, weaknessOf } from './strength.ts';
export { fill, type Values, type Words } from './words.ts';
