/** Whether records and decoys differ in anything that statistics show. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import type { KeySet } from '../../lib/assistant/keys.ts';
import { parseSealed } from '../../lib/crypto/jwe/jwe.ts';
import { Device } from '../../lib/device/device.ts';
import { enroll } from '../../lib/device/enroll.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { stateId } from '../../lib/protocol/ticket.ts';
import { type AssistantWorld, CHEAP_KDF, PASSWORD, quickArgon2id } from '../support/world.ts';
import { fingerprint, names, openTicket, renew, settle, startRotated } from './decoy-worlds.ts';
import { fetchRecord, OPEN, quickRecord, recordOf, startRecords, startWorld } from './support.ts';

const MANY = 150;
/** Fewer of those that cost several requests each, within the budget of an address. */
const CHANGED = 60;

/** A record after a change of password, whose ticket the assistant has made. */
async function reissuedRecord({ enrolment, url, fetch }: AssistantWorld): Promise<DeviceRecord> {
  const { record } = await enroll({ ...enrolment, scheme: 'ed25519' });
  const device = new Device(record, { assistant: url, fetch, argon2id: quickArgon2id });
  await device.changePassword({ password: PASSWORD, newPassword: 'a newer password' });
  return device.record;
}

/** Every bit of every member that may differ from record to record. */
function bitsOf(record: DeviceRecord): string {
  const ticket = parseSealed(record.ticket, 'rk-ticket+jwe');
  const epk = ticket?.epk as { x: string; y?: string };
  const { x, y } = record.jwk as { x: string; y?: string };
  const bytes = Buffer.concat([
    ...[record.salt, record.a, record.u, x, y ?? '', epk.x, epk.y ?? ''].map((text) =>
      Buffer.from(text, 'base64url'),
    ),
    ...[ticket?.iv, ticket?.ciphertext, ticket?.tag].map((part) => Buffer.from(part as Uint8Array)),
  ]);
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

/** The largest distance between two samples in how often a bit is set, in standard deviations. */
function largestBias(left: readonly string[], right: readonly string[]): number {
  let largest = 0;
  const length = left[0]?.length as number;
  for (let bit = 0; bit < length; bit++) {
    const [a, b] = [left, right].map((sample) => sample.filter((bits) => bits[bit] === '1').length) as [
      number,
      number,
    ];
    const p = (a + b) / (left.length + right.length);
    const deviation = Math.sqrt(p * (1 - p) * (1 / left.length + 1 / right.length));
    if (deviation > 0) largest = Math.max(largest, Math.abs(a / left.length - b / right.length) / deviation);
  }
  return largest;
}

/** With some 5000 bits, chance alone exceeds this once in ten thousand runs. */
const BIAS = 6;

describe('who may fetch any record', () => {
  it.each([
    ['ed25519', 'Ed25519', 'new', MANY],
    ['ed25519', 'Ed25519', 'after a change of password', CHANGED],
    ['retrieve', 'P-256', 'new', MANY],
  ] as const)(
    'sees no difference of content, size or headers: %s, %s, %s',
    async (scheme, key, state, count) => {
      const { assistant, service } = await startWorld({
        withoutPickupCode: OPEN,
        profile: { scheme, key, kdf: CHEAP_KDF },
      });
      const make = state === 'new' ? quickRecord : reissuedRecord;
      await settle(assistant, service, names('user', count), key === 'P-256' ? key : 'ed25519', make);
      const prints = new Set<string>();
      const gather = async (accounts: readonly string[]) => {
        const records: DeviceRecord[] = [];
        for (const account of accounts) {
          const answer = await fetchRecord(service, { account });
          prints.add(fingerprint(answer));
          records.push((JSON.parse(answer.text) as { record: DeviceRecord }).record);
        }
        return records;
      };
      const real = await gather(names('user', count));
      const decoys = await gather(names('nobody', MANY));
      expect([...prints]).toHaveLength(1);

      // All that is spelled and not random: one spelling for all.
      const blank = (record: DeviceRecord) => {
        const header = Buffer.from(record.ticket.split('.')[0] as string, 'base64url').toString();
        const text = JSON.stringify({ ...record, ticket: record.ticket.replace(/[^.]/g, '_') });
        return (header + text).replace(/"(salt|a|u|x|y)":"[^"]*"/g, '"$1":""');
      };
      expect(new Set([...real, ...decoys].map(blank)).size).toBe(1);

      // All that is random: no bit tells.
      const [left, right] = [real.map(bitsOf), decoys.map(bitsOf)];
      expect(largestBias(left, right)).toBeLessThan(BIAS);
      // The test sees what there is to see: one byte that is not drawn as the others are.
      const marked = right.map((bits) => `${bits.slice(0, 64)}00${bits.slice(66)}`);
      expect(largestBias(left, marked)).toBeGreaterThan(BIAS);
      expect(new Set([...left, ...right]).size).toBe(count + MANY);
    },
  );

  it('sees public keys and ephemeral keys in their groups, as those are that somebody knows the private half of', async () => {
    const { service } = await startWorld();
    for (const account of names('nobody', 40)) {
      const record = await recordOf(service, account);
      const { x } = record.jwk as { x: string };
      expect(ed25519.Point.fromBytes(Buffer.from(x, 'base64url')).isTorsionFree()).toBe(true);
      const epk = parseSealed(record.ticket, 'rk-ticket+jwe')?.epk as { x: string };
      expect(isInMainSubgroup(Buffer.from(epk.x, 'base64url'))).toBe(true);
    }
    // Of sixteen random points fifteen would not be.
    const random = Array.from({ length: 40 }, () => crypto.getRandomValues(new Uint8Array(32)));
    expect(
      random.map((bytes) => isInMainSubgroup(Uint8Array.from(bytes, (b, i) => (i === 31 ? b & 127 : b)))),
    ).toContain(false);
  });
});

describe('after the assistant has changed its key', () => {
  const nobody = names('nobody', 200);
  const WEEK = 7 * 86_400;
  const shareOf = (records: ReadonlyMap<string, DeviceRecord>, kid: string) =>
    [...records.values()].filter((record) => record.assistant.jwk.kid === kid).length / records.size;

  it('half of the decoys move to it in a week, each once, and nothing else of them changes', async () => {
    const { assistant, service, first, read, rotate } = await startRotated();
    const before = await read(nobody);
    const second = await rotate();
    let last = await read(nobody);
    expect(shareOf(last, first)).toBeGreaterThan(0.98);
    let third: string | undefined;
    for (const [weeks, left] of [
      [1, 1 / 2],
      [2, 1 / 4],
      [4, 1 / 16],
    ] as const) {
      service.clock.offset += (weeks * WEEK) / (weeks === 1 ? 1 : 2);
      // Before the read: a record may still move to the second key until the service has seen the third.
      if (weeks === 2) third = await rotate();
      const now = await read(nobody);
      // Each name by the toss of a coin: five standard deviations.
      expect(Math.abs(shareOf(now, first) - left)).toBeLessThan(
        5 * Math.sqrt((left * (1 - left)) / nobody.length),
      );
      for (const [account, record] of now) {
        const earlier = last.get(account) as DeviceRecord;
        const moved = record.assistant.jwk.kid !== earlier.assistant.jwk.kid;
        if (moved) {
          expect([first, second]).toContain(earlier.assistant.jwk.kid);
          expect({ ...record, ticket: '', assistant: '' }).toEqual({ ...earlier, ticket: '', assistant: '' });
          expect(record.ticket).not.toBe(earlier.ticket);
          expect(await idOf(assistant.keys, record)).toBe(await idOf(assistant.keys, earlier));
        } else expect(record).toEqual(earlier);
        // No record moves to a key that has been replaced.
        if (weeks === 4 && moved) expect(record.assistant.jwk.kid).toBe(third);
      }
      last = now;
    }
    expect(before.size).toBe(last.size);
  });

  it('who owns most of the records and renews them moves no decoy', async () => {
    const { assistant, service, first, read, rotate } = await startRotated();
    const [own, others] = [names('own', 200), names('other', 40)];
    await settle(assistant, service, [...own, ...others]);
    await rotate();
    for (const [account, record] of await read(own))
      await service.records.put(account, { record: await renew(assistant, record), onlyRenewal: true });
    expect(shareOf(await read(own), first)).toBe(0);
    expect(shareOf(await read(others), first)).toBe(1);
    expect(shareOf(await read(nobody), first)).toBeGreaterThan(0.98);
  });

  it('every process moves a decoy at the same time, whenever it was started', async () => {
    const { assistant, service, first, read, rotate } = await startRotated();
    await rotate();
    service.clock.offset += WEEK;
    const restarted = await startRecords(assistant.url, {
      withoutPickupCode: OPEN,
      store: service.store,
      now: () => service.clock.now(),
    });
    const before = await read(nobody);
    expect(shareOf(before, first)).toBeLessThan(0.8);
    for (const [account, record] of before)
      expect(JSON.parse(await restarted.records.fetch({ account })).record).toEqual(record);
  });
});

async function idOf(keys: KeySet, record: DeviceRecord): Promise<string> {
  return stateId(await openTicket(keys, record));
}

/** Whether a coordinate on Curve25519 is on the curve, not its twist, and in the subgroup that its base point makes. */
function isInMainSubgroup(bytes: Uint8Array): boolean {
  const { Fp } = ed25519.Point;
  const u = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) % Fp.ORDER;
  const y = Fp.div(Fp.sub(u, 1n), Fp.add(u, 1n));
  try {
    const point = ed25519.Point.fromBytes(Fp.toBytes(y));
    // The decoy's private half is a multiple of 8, as all of X25519 are, so its public half has no part of small order.
    return point.isTorsionFree();
  } catch {
    return false;
  }
}
