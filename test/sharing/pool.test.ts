/** What a client sees of the pool of threads: full, dying, slow, closing (docs/protocol.md sections 4 and 10). */
import express from 'express';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { assistant } from '../../lib/assistant/router.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { assist, b64, type KnownRequest, makeRequest, makeTicket, unixNow } from '../attacks/support.ts';
import { type AssistantWorld, listen, PASSWORD, startAssistant } from '../support/world.ts';
import { bytes, deviceOf, enrolRsa, holdJobs, makeShareTicket, rsaShare, signMembers } from './support.ts';

vi.setConfig({ testTimeout: 60_000 });
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
  it('answers unavailable with Retry-After, counts nothing, lets go of the reservation, and keeps the jti', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 0 } });
    // The assistant's clock may be anywhere: how long to wait does not depend on it.
    world.clock.offset = -86_400;
    const [one, two] = [await stranger(world), await stranger(world)];
    expect((await one.sign()).status).toBe(200);

    const jobs = holdJobs();
    const running = one.sign();
    await jobs.arrived();
    const refused: KnownRequest = await two.request();
    const answer = await assist(world, refused);
    expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.opened).toMatchObject({ code: 'unavailable', op: 'sign', jti: b64(refused.jti) });
    expect(answer.opened).not.toHaveProperty('nu');
    const { retryAt, now } = answer.opened as { retryAt: number; now: number };
    expect(retryAt - now).toBeLessThanOrEqual(1);
    // As often as it likes: no reservation stays open, else the sixth would be busy.
    for (let i = 0; i < 7; i++) expect((await two.sign()).json.code).toBe('unavailable');
    expect((await assist(world, refused)).json.code).toBe('replayed');
    expect(await health(world)).toMatchObject({ http: 200, workers: { running: 1, waiting: 0 } });

    jobs.release();
    expect((await running).opened).toHaveProperty('nu');
    expect((await assist(world, refused)).json.code).toBe('replayed');
    // Reservations that were left open would be failures by now.
    world.clock.offset += 120;
    expect(await failures(two)).toBe(0);
    expect(world.events.filter(({ type }) => type === 'unavailable')).toHaveLength(8);
  });

  it('answers a wrong password as ever: it is compared before any thread is asked for', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 0 } });
    const [one, two] = [await stranger(world), await stranger(world)];
    const jobs = holdJobs();
    const running = one.sign();
    await jobs.arrived();
    const wrong = await assist(world, await two.request({ beta: bytes(b64(new Uint8Array(32))) }));
    expect([wrong.status, wrong.json.code]).toEqual([401, 'wrong_password']);
    jobs.release();
    await running;
    expect(await failures(two)).toBe(1);
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

  it('takes as many as wait in its queue, and no more', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 3 } });
    const strangers = await Promise.all(Array.from({ length: 12 }, () => stranger(world)));
    const jobs = holdJobs();
    const answers = strangers.map(async ({ sign }) => (await sign()).status);
    await jobs.arrived();
    const refused: number[] = [];
    for (const answer of answers) void answer.then((status) => refused.push(status));
    await vi.waitUntil(() => refused.length === 8, { timeout: 20_000 });
    jobs.release();
    const statuses = await Promise.all(answers);
    expect(statuses.filter((status) => status === 200)).toHaveLength(4);
    expect(statuses.filter((status) => status === 503)).toHaveLength(8);
  });

  it('is told to a device as unavailable, with the time to come back', async () => {
    const world = await startAssistant({ workers: { size: 1, queue: 0 } });
    const one = await stranger(world);
    const device = deviceOf(world, (await enrolRsa(world)).record);
    await device.unlockShared(PASSWORD);
    const jobs = holdJobs();
    const running = one.sign();
    await jobs.arrived();
    const error = await device.sign(new Uint8Array(1)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'unavailable' });
    expect((error as { retryAt: number }).retryAt - world.clock.now()).toBeLessThanOrEqual(1);
    // The password is not doubted for it.
    expect(device.isUnlocked).toBe(true);
    jobs.release();
    await running;
    expect(await device.sign(new Uint8Array(1))).toHaveLength(256);
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
    const world = await startAssistant({ workers: { size: 1, queue: 4, timeLimit: 300 } });
    const [one, two, three] = [await stranger(world), await stranger(world), await stranger(world)];
    // Starting a thread takes its time too.
    await expect.poll(async () => (await one.sign()).status, { timeout: 20_000 }).toBe(200);
    const jobs = holdJobs();
    const answers = await Promise.all([one, two, three].map(({ sign }) => sign()));
    for (const { status, json } of answers) expect([status, json.code]).toEqual([503, 'unavailable']);
    jobs.release();
    vi.restoreAllMocks();
    await expect.poll(async () => (await two.sign()).status, { timeout: 20_000 }).toBe(200);
    world.clock.offset += 120;
    for (const each of [one, two, three]) expect(await failures(each)).toBe(0);
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
    await vi.waitUntil(async () => (await health(world)).workers['waiting'] === 2, { timeout: 20_000 });
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
