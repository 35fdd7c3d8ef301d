/**
 * A device in Node: enrols, registers, logs in, mistypes, is told so, loses the device, disables the key.
 *
 *     npx tsx examples/login.ts [http://localhost:3000]
 *
 * Without an argument it starts examples/quickstart.ts for itself.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Device, disable, disablingCode, enroll, isRoamingKeyError } from 'passport-roaming-key/device';
import { fileRecords } from 'passport-roaming-key/device/node';
import { startApp } from './support/start.ts';

const app = process.argv[2] ? undefined : await startApp('quickstart.ts');
const origin = process.argv[2] ?? (app?.origin as string);
const assistant = `${origin}/assistant`;
const account = `ada-${Date.now()}`;
const password = 'correct horse battery staple';
const folder = mkdtempSync(path.join(tmpdir(), 'device-'));

// Once: make a key, keep the record on this device and the kit somewhere else.
const records = fileRecords(folder);
const { record, kit } = await enroll({ assistant, scheme: 'retrieve', password });
await records.save(account, record);
console.log(`enrolled; the disabling code to print and keep: ${disablingCode(kit)}`);

const device = await Device.open(records, account, { assistant });
await device.register({ url: `${origin}/register`, account, password });
console.log('registered the public key with the app');

// Every time: account and password.
const { body, headers } = await device.login({ url: `${origin}/login`, account, password });
const cookie = headers
  .getSetCookie()
  .map((line) => line.split(';')[0])
  .join('; ');
console.log('logged in:', body);

// A typo costs one of five free tries, and the owner is told of it later.
await device.unlock('correct hrose battery staple').catch((error: unknown) => {
  if (!isRoamingKeyError(error, 'wrong_password')) throw error;
  console.log(`wrong password; ${error.attemptsLeft} tries left before waits begin`);
});
const { failedSince } = await device.unlock(password, { forSeconds: 60 });
console.log(`unlocked for a minute; wrong passwords since the last success: ${failedSince.count}`);

// The laptop is stolen: the kit disables the key, without device or password, and ends its sessions.
await disable(kit);
console.log('disabled');
await device.login({ url: `${origin}/login`, account }).catch((error: unknown) => {
  if (!isRoamingKeyError(error, 'disabled')) throw error;
  console.log('the app refuses the key, though the thief had it unlocked');
});
const { status } = await fetch(`${origin}/me`, { headers: { cookie } });
if (status !== 403) throw new Error(`the session should have ended, but /me answered ${status}`);
console.log('and its session has ended');

rmSync(folder, { recursive: true });
await app?.stop();
