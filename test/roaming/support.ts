import express, { type Express } from 'express';
import { onTestFinished } from 'vitest';
import { seal } from '../../lib/crypto/jwe/jwe.ts';
import { Device, type RoamingDeviceOptions } from '../../lib/device/device.ts';
import { type EnrollOptions, enroll } from '../../lib/device/enroll.ts';
import type { Enrolment } from '../../lib/device/make-record.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import type { RecordEvent } from '../../lib/roaming/events.ts';
import type { RecordService } from '../../lib/roaming/record-service.ts';
import { type RoamingRecordsOptions, roamingRecords } from '../../lib/roaming/router.ts';
import { MemoryRecordStore } from '../../lib/roaming/stores/memory.ts';
import type { RecordStore } from '../../lib/roaming/stores/record-store.ts';
import {
  type AssistantWorld,
  CHEAP_KDF,
  listen,
  PASSWORD,
  quickArgon2id,
  type RelyingPartyWorld,
  startAssistant,
  startRelyingParty,
} from '../support/world.ts';

export const SECRET = 'a record service has a secret of its own, too';
export const OPEN = 'anyone who knows an account name may hold its record';

/** An app with a record service on an origin of its own; whoever sends `x-account: ada` is authenticated as ada. */
export interface RecordsWorld {
  readonly url: string;
  readonly origin: string;
  readonly records: RecordService;
  readonly store: RecordStore;
  readonly events: RecordEvent[];
  readonly errors: unknown[];
  readonly warnings: string[];
  readonly clock: { offset: number; now(): number };
  readonly as: (account: string) => { readonly records: string; readonly headers: Record<string, string> };
}

export async function startRecords(
  assistant: string,
  options: Partial<RoamingRecordsOptions> = {},
): Promise<RecordsWorld> {
  const clock = { offset: 0, now: () => Math.floor(Date.now() / 1000) + clock.offset };
  const store = options.store ?? new MemoryRecordStore({ now: clock.now });
  const events: RecordEvent[] = [];
  const errors: unknown[] = [];
  const warnings: string[] = [];
  const app: Express = express();
  const origin = await listen(app);
  const router = roamingRecords({
    secret: SECRET,
    audience: origin,
    assistant,
    relyingParty: 'accountOf judges sessions itself',
    accountOf: (req) => req.get('x-account'),
    profile: { scheme: 'retrieve', kdf: CHEAP_KDF },
    fetchesPerMinute: 100_000,
    requestsPerMinute: 65_535,
    wrongPerAddress: 65_535,
    wrongPerAccount: 65_535,
    now: clock.now,
    onEvent: (event) => void events.push(event),
    onError: (error) => void errors.push(error),
    onWarning: (warning) => void warnings.push(warning),
    ...options,
    store,
  });
  onTestFinished(() => router.records.close());
  app.use('/records', router);
  const url = `${origin}/records`;
  return {
    url,
    origin,
    store,
    events,
    errors,
    warnings,
    clock,
    records: router.records,
    as: (account) => ({ records: url, headers: { 'x-account': account } }),
  };
}

/** An assistant, an app, a record service, each on its own origin. */
export interface RoamingWorld {
  readonly assistant: AssistantWorld;
  readonly rp: RelyingPartyWorld;
  readonly service: RecordsWorld;
  /** Enrols a user whose record the service holds. */
  readonly enrol: (account: string) => Promise<Enrolment & { readonly code: string }>;
  /** A new device of that user. */
  readonly roam: (account: string, code?: string, more?: Partial<RoamingDeviceOptions>) => Promise<Device>;
}

export async function startWorld(options: Partial<RoamingRecordsOptions> = {}): Promise<RoamingWorld> {
  const assistant = await startAssistant();
  const rp = await startRelyingParty(assistant.store);
  const service = await startRecords(assistant.url, { disabled: assistant.store, ...options });
  return {
    assistant,
    rp,
    service,
    enrol: (account) =>
      enroll({
        ...assistant.enrolment,
        register: [{ url: `${rp.origin}/register`, account, headers: { 'x-invited': account } }],
        roam: service.as(account),
      }) as Promise<Enrolment & { readonly code: string }>,
    roam: (account, code, more = {}) =>
      Device.roam({
        assistant: assistant.url,
        argon2id: quickArgon2id,
        fetch: assistant.fetch,
        ...service.as(account),
        account,
        ...(code !== undefined && { code }),
        ...more,
      }),
  };
}

/** Fetches as a stranger does, over HTTP. */
export async function fetchRecord(
  { url }: Pick<RecordsWorld, 'url'>,
  body: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(`${url}/fetch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

export async function recordOf(service: Pick<RecordsWorld, 'url'>, account: string, code = 'AAAAAAAA') {
  const { text } = await fetchRecord(service, { account, code });
  return (JSON.parse(text) as { record: DeviceRecord }).record;
}

/** A record as an enrolment makes it. */
export async function quickRecord(
  assistant: AssistantWorld,
  key?: 'P-256' | 'ed25519',
): Promise<DeviceRecord> {
  const made = await enroll({
    ...assistant.enrolment,
    ...(key === 'ed25519' ? { scheme: key } : key && { key }),
  } as EnrollOptions);
  return made.record;
}

/** The same record as another client spells it: members of header and record in another order. */
export async function respelled(assistant: AssistantWorld, record: DeviceRecord): Promise<DeviceRecord> {
  const ticket = await seal({ v: 1 }, 'rk-ticket+jwe', assistant.keys.active.jwk);
  const [head, ...rest] = record.ticket.split('.');
  const { epk, ...header } = JSON.parse(Buffer.from(head as string, 'base64url').toString());
  const { kty, crv, x } = epk as Record<string, string>;
  const other = JSON.stringify({ epk: { x, crv, kty }, ...header });
  if (other.length !== Buffer.from(ticket.split('.')[0] as string, 'base64url').length) throw new Error();
  return { ...record, ticket: [Buffer.from(other).toString('base64url'), ...rest].join('.') };
}

export { PASSWORD };
