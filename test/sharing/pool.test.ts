/** What a client sees of the pool of threads: full, dying, slow, closing (docs/protocol.md sections 4 and 10). */
import express from 'express';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { assistant } from '../../lib/assistant/router.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { assist, b64, type KnownRequest, makeRequest, makeTicket, unixNow } from '../attacks/support.ts';
import { until } from '../support/eventually.ts';
import { type AssistantWorld, listen, PASSWORD, startAssistant } from '../support/world.ts';
import { bytes, deviceOf, enrolRsa, holdJobs, makeShareTicket, rsaShare, signMembers } from './support.ts';

afterEach(() => void vi.restoreAllMocks());

type World = Pick<AssistantWorld, 'url' | 'keys' | 'clock'>;

/** A device of a stranger's own making, with a ticket of its own. */
async function stranger(world: World) {
  const known = await makeShareTicket(world.keys.active.jwk, rsaShare());
  const request = (given: object = {}) =>
    makeRequest(known, { ...signMembers(), iat: world.clock.now(), ...given });
  return { known, request, sign: async () => assist(world, await request()) };
}

async function health(world: World) {
  const response = await fetch(`${world.url}/health`);
  return { http: response.status, ...((await response.json()) as { workers: Record<string, number> }) };
}

/** How many wrong passwords are on a ticket's account, by a success. */
async function failures(one: Awaited<ReturnType<typeof stranger>>) {
  const { status, opened } = await one.sign();
  expect(status).toBe(200);
  return (opened as { failedSince: { count: number } }).failedSince.count;
}

describe('a full pool', () => {
  it('answers busy with Retry-After, before anything is counted, and is no error of the server', async () => {
    const onError = vi.fn();
    const world = await startAssistant({ workers: { size: 1, queue: 0 }, onError });
    // The assistant's clock may be anywhere: how long to wait does not depend on it.
    world.clock.offset = -86_400;
    const [one, two] = [await stranger(world), await stranger(world)];
    expect((await one.sign()).status).toBe(200);

    const jobs = holdJobs();
    const running = one.sign();
    await jobs.arrived();
    const refused: KnownRequest = await two.request();
    const answer = await assist(world, refused);
    expect([answer.status, answer.json.code]).toEqual([429, 'busy']);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.opened).toMatchObject({ code: 'busy', op: 'sign', jti: b64(refused.jti) });
    expect(answer.opened).not.toHaveProperty('nu');
    const { retryAt, now } = answer.opened as { retryAt: number; now: number };
    expect(retryAt - now).toBeLessThanOrEqual(1);
    for (let i = 0; i < 7; i++) expect((await two.sign()).json.code).toBe('busy');
    expect(await health(world)).toMatchObject({ http: 200, workers: { running: 1, waiting: 0 } });

    jobs.release();
    expect((await running).opened).toHaveProperty('nu');
    // The store has never heard of it, so it may be sent again.
    expect((await assist(world, refused)).opened).toHaveProperty('nu');
    // Reservations that were left open would be failures by now.
    world.clock.offset += 120;
    expect(await failures(two)).toBe(0);
    expect(world.events.filter(({ type }) => type === 'busy')).toHaveLength(8);
    expect(world.events.filter(({ type }) => type === 'unavailable')).toEqual([]);
    expect(onError).not.toHaveBeenCalled();
  });

  it('looks at no password, and a wrong one gives its place back', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 0 } });
    const [one, two] = [await stranger(world), await stranger(world)];
    const wrong = async () => assist(world, await two.request({ beta: bytes(b64(new Uint8Array(32))) }));
    const jobs = holdJobs();
    const running = one.sign();
    await jobs.arrived();
    expect((await wrong()).json.code).toBe('busy');
    jobs.release();
    await running;
    for (let i = 0; i < 3; i++) expect((await wrong()).json.code).toBe('wrong_password');
    expect(await failures(two)).toBe(3);
  });

  it('leaves everything else alone: keys, retrieval, disabling, health', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 0 } });
    const one = await stranger(world);
    const jobs = holdJobs();
    const running = one.sign();
    await jobs.arrived();
    expect((await fetch(`${world.url}/keys`)).status).toBe(200);
    const retrieving = await makeTicket(world.keys.active.jwk);
    expect((await assist(world, await makeRequest(retrieving))).opened).toHaveProperty('c');
    expect((await fetch(`${world.url}/disabled`)).status).toBe(200);
    expect((await health(world)).http).toBe(200);
    jobs.release();
    expect((await running).status).toBe(200);
  });

  it('gives one address half of its places, and serves another in its turn', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 15 } });
    world.app.set('trust proxy', 1);
    const from = async (address: string) => {
      const { request } = await stranger(world);
      const { body } = await request();
      const headers = { 'content-type': 'application/json', 'x-forwarded-for': address };
      const init = { method: 'POST', headers, body: JSON.stringify(body) };
      return async () => {
        const { status } = await fetch(`${world.url}/assist`, init);
        finished.push(`${address} ${status}`);
      };
    };
    const finished: string[] = [];
    // Many addresses of one /48 are one.
    const flood = await Promise.all(
      Array.from({ length: 40 }, (_, i) => from(`2001:db8:1:${i.toString(16)}::1`)),
    );
    const owners = await Promise.all([from('2001:db8:2::1'), from('192.0.2.1')]);
    const jobs = holdJobs();
    const asked = flood.map((ask) => ask());
    await jobs.arrived();
    await until(() => finished.length === 32);
    expect(new Set(finished.map((one) => one.slice(-3)))).toEqual(new Set(['429']));
    finished.length = 0;
    asked.push(...owners.map((ask) => ask()));
    await until(() => world.assistant.workers.waiting === 9);
    jobs.release();
    await Promise.all(asked);
    expect(finished.filter((one) => one.endsWith('200'))).toHaveLength(10);
    // One job was running, and of those that wait each address has one in each round.
    for (const owner of ['2001:db8:2::1 200', '192.0.2.1 200'])
      expect(finished.indexOf(owner)).toBeLessThanOrEqual(5);
  });

  it('is waited out by a device', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 0 } });
    const one = await stranger(world);
    const device = deviceOf(world, (await enrolRsa(world)).record);
    await device.unlockShared(PASSWORD);
    const jobs = holdJobs();
    const running = one.sign();
    await jobs.arrived();
    const signing = device.sign(new Uint8Array(1));
    await until(() => world.events.some(({ type }) => type === 'busy'));
    jobs.release();
    await running;
    expect(await signing).toHaveLength(256);
    expect(device.isUnlocked).toBe(true);
  });
});

describe('a thread that dies', () => {
  it('in the middle of a job: unavailable, nothing counted, and another takes its place', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 4 } });
    const [one, two] = [await stranger(world), await stranger(world)];
    expect((await one.sign()).status).toBe(200);
    for (let round = 0; round < 3; round++) {
      const jobs = holdJobs();
      const [running, waiting] = [one.sign(), two.sign()];
      await jobs.arrived();
      await jobs.kill();
      const killed = await Promise.race([running, waiting]);
      expect([killed.status, killed.json.code]).toEqual([503, 'unavailable']);
      expect(killed.headers.get('retry-after')).toBe('1');
      await jobs.arrived();
      jobs.release();
      // Who waited is served by the thread that came after.
      const answers = await Promise.all([running, waiting]);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      vi.restoreAllMocks();
    }
    world.clock.offset += 120;
    for (const each of [one, two]) expect(await failures(each)).toBe(0);
    expect(await health(world)).toMatchObject({
      http: 200,
      workers: { workers: 1, running: 0, waiting: 0 },
    });
  });

  it('or takes too long: its job and those that waited as long are given up', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 4, timeLimit: 1000 } });
    const [one, two, three] = [await stranger(world), await stranger(world), await stranger(world)];
    // Starting a thread takes its time too.
    await expect.poll(async () => (await one.sign()).status).toBe(200);
    const jobs = holdJobs();
    const answers = await Promise.all([one, two, three].map(({ sign }) => sign()));
    expect(answers.map(({ json }) => String(json.code)).sort((a, b) => a.localeCompare(b))).toEqual([
      'busy',
      'busy',
      'unavailable',
    ]);
    jobs.release();
    vi.restoreAllMocks();
    world.clock.offset += 120;
    for (const each of [one, two, three])
      await expect.poll(async () => (await each.sign()).opened).toMatchObject({ failedSince: { count: 0 } });
  });
});

describe('a router that closes', () => {
  it('finishes what is there, and takes nothing more', async () => {
    const keys = await KeySet.generate();
    const workers = { size: 1, queue: 4 };
    const router = assistant({ keys, store: new MemoryStore(), workers, onError: () => {} });
    onTestFinished(() => router.assistant.close());
    const clock = { offset: 0, now: unixNow };
    const world = { url: await listen(express().use(router)), keys, clock };
    const strangers = await Promise.all([stranger(world), stranger(world), stranger(world)]);
    const jobs = holdJobs();
    const running = strangers.map(({ sign }) => sign());
    await jobs.arrived();
    await until(async () => (await health(world)).workers['waiting'] === 2);
    let isClosed = false;
    const closing = router.assistant.close().then(() => {
      isClosed = true;
    });
    const late = await (await stranger(world)).sign();
    expect([late.status, late.json.code]).toEqual([503, 'unavailable']);
    expect(isClosed).toBe(false);
    jobs.release();
    for (const { status, opened } of await Promise.all(running)) {
      expect(status).toBe(200);
      expect(opened).toHaveProperty('nu');
    }
    await closing;
    expect((await health(world)).http).toBe(503);
    // A second end changes nothing.
    await router.assistant.close();
    expect((await (await stranger(world)).sign()).status).toBe(503);
  });
});
