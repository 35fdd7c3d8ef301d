/**
 * A whole life of keys in all schemes, watched by everything that an operator may watch with: events, a log, metrics,
 * spans, the console. With it all that must not be seen there, as only a test knows it that holds every key.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { CompactEncrypt, importJWK } from 'jose';
import { Registry } from 'prom-client';
import { onTestFinished, vi } from 'vitest';
import { toBase64url } from '../../lib/base/bytes.ts';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import { openDirect } from '../../lib/crypto/jwe/jwe.ts';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import { enroll } from '../../lib/device/enroll.ts';
import type { Enrolment } from '../../lib/device/make-record.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import { combineInstruments } from '../../lib/observe/instrument.ts';
import { combineListeners } from '../../lib/observe/listeners.ts';
import type { DisablingKit } from '../../lib/protocol/disabling.ts';
import { verifier } from '../../lib/protocol/password.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import { type AuditEvent, auditLog, errorLog } from '../../lib/telemetry/audit-log.ts';
import { prometheusMetrics } from '../../lib/telemetry/metrics.ts';
import { openTelemetry } from '../../lib/telemetry/tracing.ts';
import { makeDisabling, makeRequest, makeTicket, openAsAssistant, post, random } from '../attacks/support.ts';
import { startRecords } from '../roaming/support.ts';
import {
  argon2id,
  bytes,
  deviceOf,
  enrolElgamal,
  enrolRsa,
  makeShareTicket,
  rsaKey,
  shareBytes,
  stretch,
} from '../sharing/support.ts';
import { captureOutput, type Secret, text } from '../support/secrets.ts';
import { PASSWORD, startAssistant, startRelyingParty } from '../support/world.ts';

const ADA = 'ada.lovelace@accounts.example';
const BOB = 'charles.babbage@accounts.example';
const WRONG = 'a typo of my other password';
const NEW_PASSWORD = 'another battery for the horse';

/** A line of the log, as its logger was given it. */
export interface LogLine {
  readonly level: string;
  readonly record: Record<string, unknown>;
  readonly message: string;
}

export interface Life {
  /** The events themselves, which do name accounts. */
  readonly events: readonly AuditEvent[];
  readonly log: readonly LogLine[];
  /** What scrapes have read, the last one last. */
  readonly scrapes: readonly string[];
  /** The same as numbers, at the end. */
  readonly metrics: Awaited<ReturnType<Registry['getMetricsAsJSON']>>;
  readonly spans: readonly ReadableSpan[];
  readonly written: readonly string[];
  readonly secrets: readonly Secret[];
}

/** Lives it. */
export async function live(): Promise<Life> {
  const written = captureOutput();
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-observe-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const store = new SqliteStore(path.join(folder, 'store.db'));
  onTestFinished(() => store.close());

  const log: LogLine[] = [];
  const line = (level: string) => (record: object, message: string) =>
    void log.push({ level, record: { ...record }, message });
  const logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const events: AuditEvent[] = [];
  const registry = new Registry();
  const metrics = prometheusMetrics({ registry });
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  onTestFinished(() => context.disable());
  let minute = 1;
  const watched = {
    onEvent: combineListeners<AuditEvent>(
      (event) => events.push(event),
      auditLog(logger, { now: () => minute * 60 }),
      metrics.onEvent,
    ),
    instrument: combineInstruments(openTelemetry({ provider }), metrics.instrument),
    onError: errorLog(logger),
  };
  const scrapes: string[] = [];
  const scrape = async () => scrapes.push(await registry.metrics());

  let isAllowed = true;
  const world = await startAssistant({
    ...watched,
    store,
    workers: { size: 1 },
    newIdsPerHour: 15,
    disablesPerMinute: 1,
    allow: () => isAllowed,
  });
  const rp = await startRelyingParty(store, watched);
  const feed = disabledFeed({ url: world.url, every: 3600, onEvent: watched.onEvent });
  const service = await startRecords(world.url, { ...watched, disabled: feed, wrongPerAddress: 3 });
  metrics.watchFeed(feed);
  metrics.watchAssistant(world.assistant);
  await scrape();

  const secrets: Secret[] = [];
  const secret = (name: string, value: string | Uint8Array | undefined) => {
    if (value !== undefined) secrets.push([name, typeof value === 'string' ? Buffer.from(value) : value]);
  };
  /** Follows everything that passes between a device and anybody. */
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const response = await world.fetch(input, init);
    for (const cookie of response.headers.getSetCookie())
      secret('cookie', decodeURIComponent(cookie.split(';')[0]?.split('=')[1] ?? ''));
    return response;
  };
  const failing = async (code: string, promise: Promise<unknown>) => {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!isRoamingKeyError(error) || error.code !== code)
      throw new Error(`expected ${code}, got ${String(error)}`);
  };
  const party = (route: 'login' | 'register', account = ADA) => ({
    url: `${rp.origin}/${route}`,
    account,
    password: PASSWORD,
    headers: { 'x-invited': account },
  });
  const deviceFor = (record: DeviceRecord) => new Device(record, { assistant: world.url, fetch, argon2id });
  const kept = async (enrolment: Enrolment, password = PASSWORD) => {
    const { record, kit } = enrolment;
    const k = await stretch(record, password);
    secret('K', k);
    secret('beta', verifier(k));
    for (const [name, member] of Object.entries({ salt: record.salt, a: record.a, t: kit.t }))
      secret(name, bytes(member));
    return enrolment;
  };

  // Enrolment, in all schemes.
  const retrieved = await kept(
    await enroll({
      ...world.enrolment,
      fetch,
      argon2id,
      register: [party('register')],
      roam: service.as(ADA),
    }),
  );
  const { record, kit, code } = retrieved as Enrolment & { readonly code: string };
  secret('pickup code', code);
  secret('pickup code, bare', code.replaceAll('-', ''));
  const key = rsaKey('rsa2048');
  const rsa = await kept(await enrolRsa(world, key));
  const curve = await kept(await enrolElgamal(world));
  const field = await kept(await enrolElgamal(world, 'ffdhe2048'));

  // Use of every kind.
  const device = deviceFor(record);
  const [signer, reader, fieldReader] = [rsa, curve, field].map((one) => deviceOf(world, one.record)) as [
    Device,
    Device,
    Device,
  ];
  const pkcs8 = await device.exportPrivateKey(PASSWORD, 'pkcs8-der');
  secret('the seed of the key', pkcs8.subarray(16));
  const data = new TextEncoder().encode('a document that is signed and sealed');
  await signer.sign(data, { alg: 'PS256', password: PASSWORD });
  const jwe = await new CompactEncrypt(data)
    .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
    .encrypt(await importJWK({ ...reader.jwk }, 'ECDH-ES+A256KW'));
  await reader.decrypt(jwe, { password: PASSWORD });
  await fieldReader.decrypt(await encryptTo(fieldReader.jwk, data), { password: PASSWORD });
  const session = await device.login(party('login'));
  const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const me = () => globalThis.fetch(`${rp.origin}/me`, { headers: { cookie } });
  if ((await me()).status !== 200) throw new Error('no session');
  const roaming = await Device.roam({
    assistant: world.url,
    fetch,
    argon2id,
    ...service.as(ADA),
    account: ADA,
    code,
  });
  await roaming.unlock(PASSWORD);
  await world.keys.rotate();
  await reader.decrypt(jwe, { password: PASSWORD });

  // What goes wrong, on either side.
  await failing('wrong_password', signer.sign(data, { password: WRONG }));
  for (let i = 0; i < 5; i++)
    await failing(
      'wrong_password',
      fieldReader.decrypt(await encryptTo(fieldReader.jwk, data), { password: WRONG }),
    );
  await failing(
    'locked',
    fieldReader.decrypt(await encryptTo(fieldReader.jwk, data), { password: PASSWORD }),
  );
  await failing('refused', device.login(party('login', BOB)));
  await failing('refused', device.register({ ...party('register', BOB), headers: {} }));
  for (let i = 0; i < 4; i++)
    await globalThis.fetch(`${service.url}/fetch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ account: ADA, code: 'AAAAAAAA' }),
    });
  const stranger = await makeTicket(world.keys.active.jwk);
  const request = await makeRequest(stranger);
  await post(world, '/assist', request.body);
  await post(world, '/assist', request.body);
  await post(world, '/assist', (await makeRequest(stranger, { macKey: stranger.b })).body);
  await post(world, '/assist', `{"ticket":"${PASSWORD}"`);
  await post(world, '/assist', { ticket: PASSWORD, request: PASSWORD, mac: PASSWORD });
  isAllowed = false;
  await failing('refused', device.unlock(PASSWORD));
  isAllowed = true;
  for (const [name, value] of Object.entries(request.body)) secret(name, value);

  // A store that breaks, and says of it all that it should not.
  const broken = Object.assign(
    new Error(`insert into accounts values ('${ADA}', '${PASSWORD}', '${toBase64url(pkcs8)}')`),
    { name: `Error of ${ADA}`, code: `E_${PASSWORD}`, detail: kit.t, parameters: [PASSWORD, pkcs8] },
  );
  const breaking = async (
    operation: 'reserve' | 'settle' | 'claimOnce' | 'isDisabled' | 'disable',
    act: () => Promise<unknown>,
  ) => {
    const spy = vi.spyOn(store, operation).mockRejectedValue(broken);
    await act();
    spy.mockRestore();
  };
  await breaking('reserve', () => failing('unavailable', device.unlock(PASSWORD)));
  await breaking('settle', () => failing('unavailable', signer.sign(data, { password: PASSWORD })));
  await breaking('claimOnce', () => failing('unavailable', device.login(party('login'))));
  await breaking('claimOnce', () => failing('unavailable', device.register(party('register'))));
  await breaking('isDisabled', me);
  await breaking('disable', () => failing('unavailable', disable(kit, { fetch })));
  const put = vi.spyOn(service.store, 'put').mockRejectedValueOnce(broken);
  await failing('unavailable', new RecordServiceClient(service.as(ADA), { fetch }).store(record));
  put.mockRestore();
  await scrape();

  // Another password; the old ticket retires.
  const kits: DisablingKit[] = [kit];
  await device.changePassword({
    password: PASSWORD,
    newPassword: NEW_PASSWORD,
    saveKit: async (fresh) => void kits.push(fresh),
    relyingParties: [party('register')],
  });
  await kept({ ...retrieved, record: device.record, kit: kits[1] as DisablingKit }, NEW_PASSWORD);
  await failing('retired', roaming.unlock(PASSWORD));
  const { code: second } = await bobJoins();
  secret('another pickup code', second);

  // The end: keys are disabled, sessions end, records go.
  await device.unlock(NEW_PASSWORD);
  const { password: _, ...held } = party('register');
  for (const one of [...kits, rsa.kit, curve.kit, curve.kit]) await disable(one, { fetch });
  await failing('disabled', reader.decrypt(jwe, { password: PASSWORD }));
  await failing('disabled', device.login({ ...held, url: `${rp.origin}/login` }));
  await failing('disabled', device.register({ ...held, url: `${rp.origin}/register` }));
  await me();
  const offline = disabledFeed({
    url: world.url,
    onEvent: watched.onEvent,
    fetch: () => Promise.reject(broken),
  });
  await failing('unavailable', offline.refresh());
  await feed.refresh();
  await service.records.sweep();
  // Another password for a shared key, by hand.
  const scalar = Buffer.from([...Buffer.alloc(31), 1]).toString('base64url');
  const shared = await makeShareTicket(world.keys.active.jwk, {
    scheme: 'elgamal',
    group: 'P-256',
    x2: scalar,
  });
  const draw = () => Buffer.from(random(32)).toString('base64url');
  const reissue = { op: 'reissue', payload: { a: draw(), b: draw(), delta: scalar } };
  await post(world, '/assist', (await makeRequest(shared, reissue)).body);
  // Strangers, beyond what one address may have the store keep.
  const { jwk } = world.keys.active;
  while (!events.some(({ type }) => type === 'delayed')) {
    const ticket = await makeTicket(jwk);
    await post(world, '/assist', (await makeRequest(ticket, { beta: ticket.a })).body);
  }
  await post(world, '/assist', (await makeRequest(await makeTicket(jwk), { op: 'retire' })).body);
  for (let i = 0; i < 2; i++) await post(world, '/disable', (await makeDisabling(jwk)).body);
  // And one who floods the log, which the next minute tells.
  for (let i = 0; i < 70; i++) await globalThis.fetch(`${world.url}/assist`);
  minute += 1;
  await globalThis.fetch(`${rp.origin}/login`, { method: 'POST', body: PASSWORD });
  await globalThis.fetch(`${service.url}/fetch`, { method: 'POST', body: PASSWORD });
  await scrape();

  async function bobJoins() {
    const joined = (await kept(
      await enroll({
        ...world.enrolment,
        fetch,
        argon2id,
        register: [party('register', BOB)],
        roam: service.as(BOB),
      }),
    )) as Enrolment & { readonly code: string };
    const bob = deviceFor(joined.record);
    const opened = await bob.login(party('login', BOB));
    rp.accounts.set(BOB, []);
    const headers = { cookie: opened.headers.getSetCookie()[0]?.split(';')[0] ?? '' };
    await globalThis.fetch(`${rp.origin}/me`, { headers });
    const { records, headers: as } = service.as(BOB);
    await new RecordServiceClient(service.as(BOB)).storeOther('sign', joined.record);
    await globalThis.fetch(`${records}/others`, { headers: as });
    await globalThis.fetch(records, { method: 'DELETE', headers: as });
    return joined;
  }

  // What passed, and what is in it for whoever has the assistant's keys.
  for (const name of [PASSWORD, WRONG, NEW_PASSWORD]) secret('password', name);
  for (const name of [ADA, BOB]) secret('account', name);
  for (const { url, request: sent, response } of world.traffic) {
    const asked = (sent === '' ? {} : JSON.parse(sent)) as Record<string, unknown>;
    if (url.endsWith('/challenge'))
      secret('challenge', bytes((JSON.parse(response) as { challenge: string }).challenge));
    if (typeof asked['proof'] === 'string') secret('proof', asked['proof']);
    if (!url.endsWith('/assist')) continue;
    for (const name of ['ticket', 'request', 'mac']) secret(name, asked[name] as string);
    secret('mac', bytes(asked['mac']));
    const question = await openAsAssistant(world.keys, asked['request'] as string, 'rk-request+jwe');
    const rho = bytes(question['rho']);
    secret('rho', rho);
    const answer = (JSON.parse(response) as { response?: string }).response;
    const payload = answer && (await openDirect(answer, 'rk-response+jwe', rho));
    const { nu, c } = (payload ? JSON.parse(Buffer.from(payload).toString()) : {}) as Record<string, string>;
    // A point's first byte says nothing.
    if (nu) secret('nu', bytes(nu).subarray(1));
    if (c) secret('c', bytes(c));
  }
  for (const [name, number] of Object.entries({ d: key.d, p: key.p, q: key.q })) secrets.push([name, number]);
  const lengths = { ed25519: 32, rsa: key.length, elgamal: 32, retrieve: 48 };
  for (const one of [record, rsa.record, curve.record, field.record]) {
    const ticket = await openAsAssistant(world.keys, one.ticket, 'rk-ticket+jwe');
    for (const name of ['a', 'b', 'c', 'd2', 'x2'])
      if (ticket[name] !== undefined) secret(`${name} of ${one.scheme}`, bytes(ticket[name]));
    const length = one === field.record ? 256 : lengths[one.scheme];
    secret(`f of ${one.scheme}`, await shareBytes(one, length));
  }
  await provider.forceFlush();
  return {
    events,
    log,
    scrapes,
    metrics: await registry.getMetricsAsJSON(),
    spans: exporter.getFinishedSpans(),
    written,
    secrets,
  };
}

/** Everything that an operator's systems would keep, by where it is kept. */
export function placesOf(life: Life): Record<string, Buffer> {
  const spans = life.spans.map(({ name, attributes, events, status, links, kind, resource }) => ({
    name,
    attributes,
    events,
    status,
    links,
    kind,
    resource: resource.attributes,
  }));
  return {
    log: text(...life.log),
    metrics: Buffer.from(life.scrapes.join('\n')),
    spans: text(spans),
    console: Buffer.from(life.written.join('\n')),
  };
}
