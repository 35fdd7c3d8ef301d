/** Services with records and decoys, and what a stranger may compare of them. */
import { expect } from 'vitest';
import type { KeySet } from '../../lib/assistant/keys.ts';
import { parseSealed, seal } from '../../lib/crypto/jwe/jwe.ts';
import { openSealed } from '../../lib/crypto/jwe/jwe-node.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { readTicket, ticketPayload } from '../../lib/protocol/ticket.ts';
import { ServiceSecret } from '../../lib/roaming/service-secret.ts';
import { eventually } from '../support/eventually.ts';
import type { AssistantWorld } from '../support/world.ts';
import { type fetchRecord, OPEN, quickRecord, type RecordsWorld, SECRET, startWorld } from './support.ts';

export const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** Stores a record for each name, whose tickets are genuine. */
export async function settle(
  assistant: AssistantWorld,
  service: RecordsWorld,
  accounts: readonly string[],
  key?: 'P-256' | 'ed25519',
  make = quickRecord,
) {
  for (const account of accounts) await service.records.put(account, { record: await make(assistant, key) });
}

/** Headers without the time. */
export function fingerprint({ status, headers, text }: Awaited<ReturnType<typeof fetchRecord>>): string {
  const fixed = [...headers].filter(([name]) => name !== 'date');
  return JSON.stringify([status, fixed, text.length]);
}

/** A service without pickup codes, whose assistant changes its key on demand. */
export async function startRotated() {
  const { assistant, service } = await startWorld({ withoutPickupCode: OPEN });
  const first = assistant.keys.active.jwk.kid;
  const read = async (accounts: readonly string[]) => {
    const records = new Map<string, DeviceRecord>();
    for (const account of accounts)
      records.set(account, JSON.parse(await service.records.fetch({ account })).record);
    return records;
  };
  const rotate = async () => {
    await assistant.keys.rotate();
    service.clock.offset += 301;
    const { kid } = assistant.keys.active.jwk;
    await eventually(async () => {
      await service.records.fetch({ account: 'x' });
      expect(await service.store.find(new ServiceSecret(SECRET).owner(`\0kid ${kid}`))).toBeDefined();
    });
    return kid;
  };
  return { assistant, service, first, read, rotate };
}

/** What the assistant answers a success with: the same payload, sealed to its new key. */
export async function renew({ keys }: AssistantWorld, record: DeviceRecord): Promise<DeviceRecord> {
  const ticket = await openTicket(keys, record);
  const { jwk } = keys.active;
  return {
    ...record,
    ticket: await seal(ticketPayload(ticket, ticket), 'rk-ticket+jwe', jwk),
    assistant: { ...record.assistant, jwk },
  };
}

export async function openTicket(keys: KeySet, record: DeviceRecord) {
  const sealed = parseSealed(record.ticket, 'rk-ticket+jwe');
  const key = keys.find(sealed?.kid ?? '')?.key;
  const payload = sealed && key && (await openSealed(sealed, key.unwrap));
  const ticket = payload && readTicket(payload);
  if (!ticket) throw new Error('no ticket');
  return ticket;
}
