/** Wrong passwords of strangers are told by every use of a key, and those of this device are not taken for theirs. */
import { expect, it, onTestFinished } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { memoryRecords } from '../../lib/device/records.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { Context, type FlowOptions } from '../../lib/ui/flows/context.ts';
import { devicesFlow } from '../../lib/ui/flows/devices.ts';
import { enter, noticeOf } from '../../lib/ui/flows/enter.ts';
import { passwordFlow } from '../../lib/ui/flows/password.ts';
import { pickupFlow } from '../../lib/ui/flows/pickup.ts';
import { startRecords } from '../roaming/support.ts';
import { CHEAP_KDF, PASSWORD, quickArgon2id, startAssistant } from '../support/world.ts';

async function start() {
  const assistant = await startAssistant();
  const profile = { scheme: 'ed25519', kdf: CHEAP_KDF } as const;
  const service = await startRecords(assistant.url, { disabled: assistant.store, profile });
  const { record } = await enroll({ ...assistant.enrolment, scheme: 'ed25519' });
  const kept = new Map<string, string>();
  let registered = 0;
  const options = {
    assistant: assistant.url,
    app: {
      login: `${service.origin}/login`,
      keys: `${service.origin}/keys`,
      session: `${service.origin}/session`,
      records: service.url,
    },
    headers: { 'x-account': 'ada' },
    records: memoryRecords(),
    kdf: CHEAP_KDF,
    argon2id: quickArgon2id,
    memory: {
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => void kept.set(name, value),
      removeItem: (name) => void kept.delete(name),
    },
    // An app that lets everybody in.
    fetch: async (url, init) => {
      const now = Math.floor(Date.now() / 1000);
      if ((url as string).endsWith('/challenge'))
        return Response.json({ challenge: 'abc', expiresIn: 120, now });
      if ((url as string).endsWith('/session')) return Response.json({ account: 'ada', now, keys: [] });
      if (url === `${service.origin}/keys`) registered += 1;
      if (url === `${service.origin}/keys` || url === `${service.origin}/login`)
        return Response.json({ account: 'ada' });
      return fetch(url, init);
    },
  } satisfies FlowOptions;
  const context = new Context(options);
  const logIn = async (password: string) => {
    const entered = await enter(context, context.deviceOn(record), 'ada', password);
    return noticeOf(context, entered);
  };
  const thief = async (tries: number) => {
    const device = new Device(record, {
      assistant: assistant.url,
      argon2id: quickArgon2id,
      purposes: ['sign'],
    });
    for (let i = 0; i < tries; i++)
      await expect(device.sign(new Uint8Array(1), { password: `guess ${i}` })).rejects.toThrow();
  };
  return { assistant, service, record, options, context, logIn, thief, registered: () => registered };
}

const elsewhere = (record: DeviceRecord, assistant: string) =>
  new Device(record, { assistant, argon2id: quickArgon2id, purposes: ['sign'] }).sign(new Uint8Array(1), {
    password: PASSWORD,
  });

it('own typos are no alarm', async () => {
  const { logIn } = await start();
  for (const typo of ['one', 'two'])
    await expect(logIn(typo)).rejects.toMatchObject({ code: 'wrong_password' });
  expect((await logIn(PASSWORD)).tone).toBe('done');
});

it('own typos hide no try of a stranger', async () => {
  const { logIn, thief } = await start();
  await expect(logIn('a typo')).rejects.toMatchObject({ code: 'wrong_password' });
  await thief(2);
  expect(await logIn(PASSWORD)).toMatchObject({
    tone: 'warn',
    title: expect.stringContaining('2 wrong passwords'),
  });
});

it('own typos from before a use on another device are not counted again', async () => {
  const { assistant, record, logIn, thief } = await start();
  for (const typo of ['one', 'two', 'three'])
    await expect(logIn(typo)).rejects.toMatchObject({ code: 'wrong_password' });
  assistant.clock.offset += 60;
  await elsewhere(record, assistant.url);
  await thief(3);
  expect(await logIn(PASSWORD)).toMatchObject({
    tone: 'warn',
    title: expect.stringContaining('3 wrong passwords'),
  });
});

it('mistyped pickup codes are no own tries on the key', async () => {
  const { service, record, assistant, options, logIn, thief } = await start();
  await new Device(record, {
    assistant: assistant.url,
    argon2id: quickArgon2id,
    roam: service.as('ada'),
  }).storeRecord();
  const flow = pickupFlow(options);
  onTestFinished(() => flow.end());
  for (let i = 0; i < 2; i++) {
    await flow.submit({ account: 'ada', code: 'AAAAAAAA', password: PASSWORD, keep: true });
    expect(flow.state.notice?.tone).toBe('wrong');
  }
  await thief(2);
  expect((await logIn(PASSWORD)).tone).toBe('warn');
});

it('a spare key is made with the password of the login key, which tells of strangers then', async () => {
  const { options, record, thief, registered } = await start();
  await options.records.save('login:ada', record);
  const flow = devicesFlow(options);
  onTestFinished(() => flow.end());
  await flow.start();
  await flow.addSpare({ password: 'correct hrose' });
  expect(flow.state).toMatchObject({ step: 'ready', errors: { password: expect.any(String) } });
  expect(registered()).toBe(0);
  await thief(1);
  await flow.addSpare({ password: PASSWORD });
  expect(flow.state).toMatchObject({
    step: 'kit',
    notice: { tone: 'warn', title: expect.stringContaining('1 wrong password') },
  });
  expect(registered()).toBe(1);
});

it('a change of password tells of strangers, and of a change that was not the owner’s', async () => {
  const { assistant, options, record, thief } = await start();
  await options.records.save('login:ada', record);
  const change = async (newPassword: string, password = PASSWORD) => {
    const flow = passwordFlow(options);
    onTestFinished(() => flow.end());
    await flow.start();
    await flow.submit({ password: 'a typo', newPassword });
    expect(flow.state.errors).toMatchObject({ password: expect.any(String) });
    await flow.submit({ password, newPassword });
    expect(flow.state.step).toBe('done');
    return flow.state.notice;
  };
  await thief(2);
  const first = 'slate tangle orbit mural';
  expect(await change(first)).toMatchObject({
    tone: 'warn',
    title: expect.stringContaining('2 wrong passwords'),
  });
  // A typo within the second of the last use counts as a stranger's.
  assistant.clock.offset += 10;
  expect(await change('plum cinder mosaic raft', first)).toBeUndefined();
  // One who has record and password takes a ticket of his own; that he cannot retire the owner's gives him away.
  const current = (await options.records.load('login:ada')) as DeviceRecord;
  let asked = 0;
  const taker = new Device(current, {
    assistant: assistant.url,
    argon2id: quickArgon2id,
    save: async () => {},
    fetch: async (url, init) => {
      if ((url as string).endsWith('/assist') && ++asked > 2) throw new TypeError('cut');
      return fetch(url, init);
    },
  });
  await taker.changePassword({
    password: 'plum cinder mosaic raft',
    newPassword: 'what the thief likes',
    kdf: CHEAP_KDF,
  });
  expect(await change('ember walnut quay sonnet', 'plum cinder mosaic raft')).toMatchObject({
    tone: 'stop',
    title: expect.stringContaining('does not remember'),
  });
});
