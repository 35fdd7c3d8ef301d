import { describe, expect, it } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { assistant as assistantRouter } from '../../lib/assistant/router.ts';
import { openSqlite } from '../../lib/databases/sqlite-driver.ts';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import { type RoamingRecordsOptions, roamingRecords } from '../../lib/roaming/router.ts';
import { MemoryRecordStore } from '../../lib/roaming/stores/memory.ts';
import { SqliteRecordStore } from '../../lib/roaming/stores/sqlite.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import { eventually } from '../support/eventually.ts';
import { CHEAP_KDF, quickArgon2id, startAssistant } from '../support/world.ts';
import {
  fetchRecord,
  OPEN,
  PASSWORD,
  quickRecord,
  recordOf,
  respelled,
  SECRET,
  startRecords,
  startWorld,
} from './support.ts';

describe('a user who has nothing but account name, password and code', () => {
  it('unlocks and logs in at a new device, and the old one goes on', async () => {
    const { enrol, roam, rp, assistant, service } = await startWorld();
    const { code, record } = await enrol('ada');
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{8}$/);
    const device = await roam('ada', code);
    expect(device.record).toEqual(record);
    const { failedSince } = await device.unlock(PASSWORD);
    expect(failedSince.count).toBe(0);
    const party = { url: `${rp.origin}/login`, account: 'ada' };
    expect((await device.login(party)).body).toEqual({ user: { account: 'ada' } });
    const old = new Device(record, { assistant: assistant.url, argon2id: quickArgon2id });
    expect((await old.login({ ...party, password: PASSWORD })).body).toEqual({ user: { account: 'ada' } });
    expect(service.events.map(({ type }) => type)).toEqual(['stored', 'fetched']);
  });

  it.each([
    (code: string) => code.toLowerCase(),
    (code: string) => ` ${code.slice(0, 4)}-${code.slice(4)} `,
    (code: string) => code.replace(/0/g, 'o').replace(/1/g, 'l'),
    (code: string) => code.split('').join(' '),
  ])('may type the code as %s', async (typed) => {
    const { enrol, service } = await startWorld();
    const { code, record } = await enrol('ada');
    expect(await recordOf(service, 'ada', typed(code))).toEqual(record);
  });

  it.each([
    ['Zoe\u0301', 'Zo\u00e9'],
    ['\uff41\uff44\uff41', 'ada'],
    ['ada', '\uff41da'],
    ['\uff7b\uff9e', '\u30b6'],
    ['Ada Lovelace', 'Ada\u3000Lovelace'],
  ])('may type the account %s as %s', async (account, typed) => {
    const { assistant, service } = await startWorld();
    const record = await quickRecord(assistant);
    const { code } = await service.records.put(account, { record });
    expect(await recordOf(service, typed, code as string)).toEqual(record);
  });

  it('is told that the password is wrong where account or code are', async () => {
    const { enrol, roam } = await startWorld();
    const { code } = await enrol('ada');
    for (const [account, wrong] of [
      ['ada', 'AAAAAAAA'],
      ['eve', code],
      ['Ada', code],
    ] as const) {
      const device = await roam(account, wrong);
      await expect(device.unlock(PASSWORD)).rejects.toMatchObject({
        code: 'wrong_password',
        attemptsLeft: 4,
      });
      await expect(device.unlock(PASSWORD)).rejects.toMatchObject({
        code: 'wrong_password',
        attemptsLeft: 3,
      });
    }
  });

  it('may type any case where the app says so', async () => {
    const { enrol, service } = await startWorld({ accountName: (name) => name.toLowerCase() });
    const { code, record } = await enrol('Ada');
    expect(await recordOf(service, 'aDA', code)).toEqual(record);
  });
});

describe('a roaming device', () => {
  it('must be told its assistant, and takes no other', async () => {
    const { enrol, service, assistant } = await startWorld();
    const { code } = await enrol('ada');
    const options = { ...service.as('ada'), account: 'ada', code };
    await expect(Device.roam(options as never)).rejects.toBeInstanceOf(TypeError);
    const other = await startAssistant();
    await expect(Device.roam({ ...options, assistant: other.url })).rejects.toMatchObject({
      code: 'bad_record',
    });
    await expect(
      Device.roam({ ...options, assistant: assistant.url, records: 'http://example.com/records' }),
    ).rejects.toBeInstanceOf(TypeError);
  });

  it('sends nothing for a record with a key that the assistant does not list', async () => {
    const { assistant, enrol, service, roam } = await startWorld();
    const { record, code } = await enrol('ada');
    const thief = await KeySet.generate();
    const forged = { ...record, assistant: { url: assistant.url, jwk: thief.active.jwk } };
    const lying: typeof fetch = async (url, init) =>
      (url as string).startsWith(service.url) ? Response.json({ record: forged }) : fetch(url, init);
    await expect(roam('ada', code, { fetch: lying })).rejects.toMatchObject({ code: 'bad_record' });
    expect(assistant.traffic.some(({ url }) => url.endsWith('/assist'))).toBe(false);
  });

  it('takes no answer that is none', async () => {
    const { roam, service } = await startWorld();
    for (const answer of [{}, { record: 1 }, { record: {} }, [], null]) {
      const lying: typeof fetch = async (url, init) =>
        (url as string).startsWith(service.url) ? Response.json(answer) : fetch(url, init);
      await expect(roam('ada', 'x', { fetch: lying })).rejects.toMatchObject({
        code: answer && 'record' in answer ? 'bad_record' : expect.stringMatching(/^bad_/),
      });
    }
  });
});

describe('the owner of a record', () => {
  it('sees when and from where it was fetched, and nobody else’s', async () => {
    const { enrol, service } = await startWorld();
    const { code } = await enrol('ada');
    await enrol('bob');
    await recordOf(service, 'ada', code);
    await recordOf(service, 'ada', 'WRNGC0DE');
    const fetches = await new RecordServiceClient(service.as('ada')).fetches();
    expect(fetches).toEqual([{ at: expect.any(Number), address: '127.0.0.1' }]);
    expect(Math.abs((fetches[0]?.at as number) - Date.now() / 1000)).toBeLessThan(60);
    expect(await new RecordServiceClient(service.as('bob')).fetches()).toEqual([]);
    expect(service.events.filter(({ type }) => type === 'fetched')).toEqual([
      { type: 'fetched', account: 'ada', matched: true, address: '127.0.0.1' },
      { type: 'fetched', account: 'ada', matched: false, address: '127.0.0.1' },
    ]);
    expect(JSON.stringify(service.events)).not.toContain(code);
  });

  it('deletes it, and gets a new code for a new one', async () => {
    const { enrol, service } = await startWorld();
    const { code, record } = await enrol('ada');
    const owner = new RecordServiceClient(service.as('ada'));
    await owner.remove();
    await owner.remove();
    expect(await owner.stored()).toBeUndefined();
    expect((await recordOf(service, 'ada', code)).u).not.toBe(record.u);
    const next = (await owner.store(record)) as string;
    expect(next).not.toBe(code);
    expect(await recordOf(service, 'ada', next)).toEqual(record);
    expect((await recordOf(service, 'ada', code)).u).not.toBe(record.u);
    const third = (await owner.store(record)) as string;
    expect((await recordOf(service, 'ada', next)).u).not.toBe(record.u);
    expect(await recordOf(service, 'ada', third)).toEqual(record);
    expect(await owner.store(record, 'code')).toBeNull();
    expect(await recordOf(service, 'ada', third)).toEqual(record);
  });

  it('is who the app says, and no page of another origin', async () => {
    const { enrol, service } = await startWorld();
    const { record } = await enrol('ada');
    const ask = (method: string, headers: Record<string, string>, path = '/') =>
      fetch(`${service.url}${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(method === 'PUT' && { body: JSON.stringify({ record }) }),
      });
    for (const [method, path] of [
      ['PUT', '/'],
      ['GET', '/'],
      ['DELETE', '/'],
      ['GET', '/fetches'],
      ['GET', '/others'],
    ] as const) {
      for (const headers of [
        {},
        { 'x-account': '' },
        { 'x-account': 'ada', origin: 'https://evil.example' },
        { 'x-account': 'ada', origin: 'null' },
      ]) {
        const response = await ask(method, headers as Record<string, string>, path);
        expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
          403,
          'refused',
        ]);
      }
      const good = await ask(method, { 'x-account': 'bob', origin: service.origin }, path);
      expect(good.status).toBe(method === 'DELETE' ? 204 : 200);
      expect(good.headers.get('cache-control')).toBe('no-store');
    }
    expect(await new RecordServiceClient(service.as('ada')).stored()).toBeDefined();
    const plain = await fetch(`${service.url}/`, {
      method: 'PUT',
      headers: { 'x-account': 'ada' },
      body: '{}',
    });
    expect(plain.status).toBe(400);
  });
});

describe('a service', () => {
  it('takes records of its profile alone', async () => {
    const { assistant, service } = await startWorld();
    const other = await startAssistant();
    const owner = new RecordServiceClient(service.as('ada'));
    const options = assistant.enrolment;
    const strangers = [
      [await quickRecord(assistant, 'P-256'), 'unsupported'],
      [(await enroll({ ...options, kdf: { ...CHEAP_KDF, t: 3 } })).record, 'unsupported'],
      [(await enroll({ ...options, expiresAt: 4_000_000_000 })).record, 'unsupported'],
      [(await enroll({ ...options, scheme: 'elgamal' })).record, 'unsupported'],
      [(await enroll({ ...options, assistant: other.url })).record, 'unsupported'],
    ] as const;
    for (const [record, code] of strangers) await expect(owner.store(record)).rejects.toMatchObject({ code });
    const record = await quickRecord(assistant);
    const foreign = { ...record, assistant: { ...record.assistant, jwk: other.keys.active.jwk } };
    await expect(owner.store(foreign)).rejects.toMatchObject({ code: 'unknown_key' });
    const swapped = {
      ...other.keys.active.jwk,
      kid: record.assistant.jwk.kid,
    } as typeof record.assistant.jwk;
    const forged = { ...record, assistant: { ...record.assistant, jwk: swapped } };
    await expect(owner.store(forged)).rejects.toMatchObject({ code: 'invalid_request' });
    const [head, ...rest] = record.ticket.split('.');
    const longer = { ...record, ticket: [head, rest[0], rest[1], `${rest[2]}AAAA`, rest[3]].join('.') };
    await expect(owner.store(longer)).rejects.toMatchObject({ code: 'unsupported' });
    await expect(owner.store({ ...record, ticket: 'x' })).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await owner.stored()).toBeUndefined();
    expect(service.errors).toEqual([]);
  });

  it('tells the profile, and enrolment finds out before it makes a key', async () => {
    const { assistant, service, rp } = await startWorld();
    const profile = await (await fetch(`${service.url}/profile`)).json();
    expect(profile).toEqual({
      scheme: 'retrieve',
      key: 'Ed25519',
      kdf: { name: 'argon2id', ...CHEAP_KDF },
      assistant: { url: assistant.url },
    });
    const roam = service.as('ada');
    for (const more of [
      { key: 'P-256' },
      { kdf: { t: 5 } },
      { scheme: 'rsa' },
      { scheme: 'elgamal' },
    ] as const)
      await expect(enroll({ ...assistant.enrolment, roam, ...more } as never)).rejects.toMatchObject({
        code: 'unsupported',
      });
    expect(rp.accounts.size).toBe(0);
  });

  it.each([
    [{}, { scheme: 'ed25519' }],
    [{ scheme: 'retrieve', key: 'P-256' }, { key: 'P-256' }],
    [{ scheme: 'elgamal' }, { scheme: 'elgamal' }],
    [
      { scheme: 'elgamal', key: 'ffdhe2048' },
      { scheme: 'elgamal', key: 'ffdhe2048' },
    ],
  ] as const)('of profile %o takes and gives what is enrolled so', async (profile, options) => {
    const { assistant, service, roam } = await startWorld({ profile: { ...profile, kdf: CHEAP_KDF } });
    const made = await enroll({ ...assistant.enrolment, ...options, roam: service.as('ada') } as never);
    expect((await roam('ada', made.code as string)).record).toEqual(made.record);
    expect(JSON.stringify(await recordOf(service, 'eve'))).toHaveLength(JSON.stringify(made.record).length);
  });

  it.each(['P-256', 'RSA-OAEP-256'] as const)('works with an assistant whose key is %s', async (type) => {
    const assistant = await startAssistant({ keys: await KeySet.generate({ type }) });
    const service = await startRecords(assistant.url);
    const { record, code } = await enroll({ ...assistant.enrolment, roam: service.as('ada') });
    const decoy = await recordOf(service, 'ada');
    expect(await recordOf(service, 'ada', code as string)).toEqual(record);
    expect(decoy.ticket.split('.').map((part) => part.length)).toEqual(
      record.ticket.split('.').map((part) => part.length),
    );
    await expect(new Device(decoy, { assistant: assistant.url }).unlock(PASSWORD)).rejects.toMatchObject({
      code: 'wrong_password',
    });
  });

  it('takes a record that another client spells in another order, and gives it out in its own', async () => {
    const { assistant, service } = await startWorld();
    const record = await respelled(assistant, await quickRecord(assistant));
    const reversed = Object.fromEntries(Object.entries(record).reverse()) as unknown as typeof record;
    const code = (await new RecordServiceClient(service.as('ada')).store(reversed)) as string;
    const { text } = await fetchRecord(service, { account: 'ada', code });
    expect(text).toBe(JSON.stringify({ record }));
  });

  it('forgets records of disabled keys by the public list, without being asked for them', async () => {
    const assistant = await startAssistant();
    const feed = disabledFeed({ url: assistant.url, every: 1 });
    const service = await startRecords(assistant.url, { disabled: feed });
    const { record, kit, code } = await enroll({ ...assistant.enrolment, roam: service.as('ada') });
    await enroll({ ...assistant.enrolment, roam: service.as('bob') });
    await feed.refresh();
    expect(await service.records.sweep()).toBe(0);
    await disable(kit);
    await feed.refresh();
    expect(await service.records.sweep()).toBe(1);
    expect(service.events.at(-1)).toEqual({ type: 'deletedDisabled', u: record.u, records: 1 });
    expect(await recordOf(service, 'ada', code as string)).toEqual(await recordOf(service, 'ada'));
    const owner = new RecordServiceClient(service.as('ada'));
    expect(await owner.stored()).toBeUndefined();
    await expect(owner.store(record)).rejects.toMatchObject({ code: 'disabled' });
  });

  it('looks for disabled keys by itself, and ends that', async () => {
    const assistant = await startAssistant();
    const service = await startRecords(assistant.url, { disabled: assistant.store, sweepEvery: 1 });
    const { kit } = await enroll({ ...assistant.enrolment, roam: service.as('ada') });
    await service.records.init();
    await disable(kit);
    await eventually(() => expect(service.events.at(-1)?.type).toBe('deletedDisabled'));
    await service.records.close();
  });

  it('gives records out while the list of disabled keys cannot be read', async () => {
    const { enrol, service } = await startWorld({
      disabled: { isDisabled: () => Promise.reject(new Error('no list')) },
    });
    const { code, record } = await enrol('ada');
    expect(await recordOf(service, 'ada', code)).toEqual(record);
    await expect(service.records.sweep()).rejects.toThrow('no list');
  });

  it('answers nobody before it knows the assistant’s keys, and goes on when it cannot read them any more', async () => {
    const assistant = await startAssistant();
    let isDown = true;
    const service = await startRecords(assistant.url, {
      fetch: (url, init) => (isDown ? Promise.reject(new Error('down')) : fetch(url, init)),
    });
    expect((await fetchRecord(service, { account: 'ada', code: 'x' })).status).toBe(503);
    isDown = false;
    const before = await recordOf(service, 'ada');
    isDown = true;
    service.clock.offset += 3600;
    expect(await recordOf(service, 'ada')).toEqual(before);
  });

  it('takes keys that its app gives it', async () => {
    const assistant = await startAssistant();
    const service = await startRecords(assistant.url, {
      assistantKeys: () => [{ ...assistant.keys.active.jwk, use: 'enc', extra: 1 }],
      fetch: () => Promise.reject(new Error('not asked')),
    });
    const record = await quickRecord(assistant);
    const code = await new RecordServiceClient(service.as('ada')).store(record);
    expect(await recordOf(service, 'ada', code as string)).toEqual(record);
  });

  it('refuses, while its store is down, as unavailable, and counts nothing against anybody', async () => {
    const store = new MemoryRecordStore();
    const { enrol, service } = await startWorld({ store, wrongPerAddress: 3 });
    const { code } = await enrol('ada');
    const works = store.fetch.bind(store);
    store.fetch = () => Promise.reject(new Error('down'));
    for (let i = 0; i < 5; i++)
      expect((await fetchRecord(service, { account: 'ada', code: 'x' })).status).toBe(503);
    store.fetch = works;
    expect((await fetchRecord(service, { account: 'ada', code })).status).toBe(200);
  });
});

describe('without pickup codes', () => {
  it('who knows the name has the record, once the app has said so in as many words', async () => {
    const { assistant, service } = await startWorld({ withoutPickupCode: OPEN });
    const record = await quickRecord(assistant);
    const owner = new RecordServiceClient(service.as('ada'));
    expect(await owner.store(record)).toBeNull();
    for (const body of [{ account: 'ada' }, { account: 'ada', code: 'anything' }])
      expect(JSON.parse((await fetchRecord(service, body)).text)).toEqual({ record });
    expect(JSON.parse((await fetchRecord(service, { account: 'eve' })).text).record.u).not.toBe(record.u);
    // Another account whose name cannot be told from this one when typed.
    const double = service.records.put('\uff41da', { record: await quickRecord(assistant) });
    await expect(double).rejects.toMatchObject({ code: 'refused' });
    expect(JSON.parse((await fetchRecord(service, { account: 'ada' })).text)).toEqual({ record });
  });

  it('a record that another client spells in another order would stand out, and is not taken', async () => {
    const { assistant, service } = await startWorld({ withoutPickupCode: OPEN });
    const record = await respelled(assistant, await quickRecord(assistant));
    await expect(new RecordServiceClient(service.as('ada')).store(record)).rejects.toMatchObject({
      code: 'unsupported',
    });
  });
});

describe('two accounts whose names look the same', () => {
  it('have a record each', async () => {
    const { assistant, service } = await startWorld();
    const [one, two] = [await quickRecord(assistant), await quickRecord(assistant)];
    const first = (await service.records.put('ada', { record: one })).code as string;
    const second = (await service.records.put('\uff41da', { record: two })).code as string;
    expect(await recordOf(service, 'ada', first)).toEqual(one);
    expect(await recordOf(service, 'ada', second)).toEqual(two);
    await service.records.delete('\uff41da');
    expect(await recordOf(service, 'ada', first)).toEqual(one);
  });
});

describe('limits', () => {
  it('stop an address that fetches too often', async () => {
    const { service } = await startWorld({ fetchesPerMinute: 3 });
    for (let i = 0; i < 3; i++)
      expect((await fetchRecord(service, { account: `a${i}`, code: 'x' })).status).toBe(200);
    const refused = await fetchRecord(service, { account: 'b', code: 'x' });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('stop an address that guesses the code of a name, whether it exists or not, for an hour', async () => {
    const { enrol, service } = await startWorld({ wrongPerAddress: 4 });
    const { code } = await enrol('ada');
    for (let i = 0; i < 10; i++)
      expect((await fetchRecord(service, { account: 'ada', code })).status).toBe(200);
    for (const account of ['ada', 'nobody']) {
      for (let i = 0; i < 4; i++)
        expect((await fetchRecord(service, { account, code: `WRNG000${i}` })).status).toBe(200);
      const refused = await fetchRecord(service, { account, code: 'WRNG0000' });
      expect(refused.status).toBe(429);
      expect(JSON.parse(refused.text).code).toBe('busy');
    }
    // Also with the right code: whoever is let through because of it has learnt that it is right.
    expect((await fetchRecord(service, { account: 'ada', code })).status).toBe(429);
    expect(service.events.at(-1)).toMatchObject({ type: 'limited', by: 'address' });
    service.clock.offset += 3601;
    expect((await fetchRecord(service, { account: 'ada', code })).status).toBe(200);
  });

  it('stop everybody at a name only where many addresses have guessed, and not for good', async () => {
    const { enrol, service } = await startWorld({ wrongPerAddress: 4, wrongPerAccount: 10 });
    const { code } = await enrol('ada');
    const from = (address: string, typed: string) =>
      service.records.fetch({ account: 'ada', code: typed }, { address });
    for (let i = 0; i < 4; i++) await from('192.0.2.1', 'WRNG0000');
    await expect(from('192.0.2.1', code)).rejects.toMatchObject({ code: 'busy' });
    expect(JSON.parse(await from('192.0.2.9', code)).record).toBeDefined();
    for (let i = 0; i < 6; i++) await from(`192.0.2.${20 + i}`, 'WRNG0000');
    const now = service.clock.now();
    await expect(from('192.0.2.9', code)).rejects.toMatchObject({
      code: 'busy',
      retryAt: expect.any(Number),
    });
    const { retryAt } = (await from('192.0.2.9', code).catch((e: unknown) => e)) as { retryAt: number };
    expect(retryAt - now).toBeLessThanOrEqual(3600);
    service.clock.offset += 3601;
    expect(JSON.parse(await from('192.0.2.9', code)).record).toBeDefined();
  });

  it('hold under a thousand guesses at once', async () => {
    const { service } = await startWorld({ wrongPerAccount: 50 });
    const answers = await Promise.allSettled(
      Array.from({ length: 1000 }, (_, i) =>
        service.records.fetch({ account: 'ada', code: `${i}` }, { address: `10.0.${i >> 8}.${i & 255}` }),
      ),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(50);
  });
});

describe('limits of several processes', () => {
  it('are one limit where the app’s store counts, of addresses and of accounts', async () => {
    const assistant = await startAssistant();
    const counters = new MemoryStore();
    const audience = 'https://app.example';
    const limits = { audience, counters, fetchesPerMinute: 20, requestsPerMinute: 5 };
    const store = new MemoryRecordStore();
    const [one, two] = [
      await startRecords(assistant.url, { ...limits, store }),
      await startRecords(assistant.url, { ...limits, store }),
    ];
    const both = (i: number) => (i % 2 === 0 ? one : two);
    const guess = async (i: number, account: string) =>
      (await fetchRecord(both(i), { account, code: 'WRNG0000' })).status;
    const asked: number[] = [];
    for (let i = 0; i < 7; i++)
      asked.push((await fetch(both(i).url, { headers: { 'x-account': 'ada' } })).status);
    expect(asked).toEqual([200, 200, 200, 200, 200, 429, 429]);
    let passed = 0;
    while ((await guess(passed, `name ${passed}`)) === 200) passed += 1;
    expect(passed).toBe(20);
  });

  it('are the relying party’s store’s by default', async () => {
    const assistant = await startAssistant();
    const names: string[] = [];
    const store = new MemoryStore();
    const count: MemoryStore['count'] = (request) => {
      names.push(request.name);
      return store.count(request);
    };
    const rp = {
      audience: 'https://app.example',
      secret: SECRET,
      store: Object.assign(Object.create(store) as MemoryStore, {
        count,
        claimOnce: store.claimOnce.bind(store),
      }),
      keysOf: () => undefined,
    };
    const service = await startRecords(assistant.url, { relyingParty: rp });
    for (let i = 0; i < 3; i++)
      expect((await fetchRecord(service, { account: `a${i}`, code: 'x' })).status).toBe(200);
    // Names that clients choose would fill it.
    expect(names.every((name) => name.startsWith('limit:fetch:'))).toBe(true);
    expect(new Set(names).size).toBe(1);
  });

  it('cost nothing to who is right, however often', async () => {
    const counters = new MemoryStore();
    const { enrol, service } = await startWorld({ counters, fetchesPerMinute: 5, wrongPerAddress: 3 });
    const { code } = await enrol('ada');
    for (let i = 0; i < 20; i++)
      expect((await fetchRecord(service, { account: 'ada', code })).status).toBe(200);
    // Nor do requests that are malformed.
    for (let i = 0; i < 20; i++) expect((await fetchRecord(service, { account: 'ada' })).status).toBe(400);
    expect((await fetchRecord(service, { account: 'ada', code })).status).toBe(200);
  });

  it('hold for fetches of a name over its limit, and malformed ones write nothing', async () => {
    const store = new MemoryStore();
    let counted = 0;
    const count: MemoryStore['count'] = (request) => {
      counted += 1;
      return store.count(request);
    };
    const limits = { counters: { count }, fetchesPerMinute: 5, wrongPerAddress: 2 };
    const { service } = await startWorld(limits);
    const status = async (body: unknown) => (await fetchRecord(service, body)).status;
    for (const body of [{ account: 'ada' }, { account: '', code: 'x' }]) expect(await status(body)).toBe(400);
    expect(counted).toBe(0);
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push(await status({ account: 'eve', code: 'WRNG0000' }));
    expect(statuses).toEqual([200, 200, 429, 429, 429]);
    expect(await status({ account: 'bob', code: 'WRNG0000' })).toBe(429);
  });

  it('end for an address after ten times as many, right and malformed ones too', async () => {
    const { enrol, service } = await startWorld({ fetchesPerMinute: 2 });
    const { code } = await enrol('ada');
    const statuses: number[] = [];
    for (let i = 0; i < 21; i++)
      statuses.push(
        (await fetchRecord(service, i % 2 ? { account: 'ada' } : { account: 'ada', code })).status,
      );
    expect(statuses).toEqual([...Array.from({ length: 20 }, (_, i) => (i % 2 ? 400 : 200)), 429]);
    service.clock.offset += 61;
    expect((await fetchRecord(service, { account: 'ada', code })).status).toBe(200);
  });

  it('say nothing of which names have a record, with codes or without', async () => {
    for (const open of [{}, { withoutPickupCode: OPEN } as const]) {
      const limits = { counters: new MemoryStore(), fetchesPerMinute: 30, wrongPerAddress: 4 };
      const { assistant, service } = await startWorld({ ...limits, ...open });
      await service.records.put('ada', { record: await quickRecord(assistant) });
      const seen: Record<string, number[]> = {};
      for (const account of ['ada', 'nobody']) {
        const statuses: number[] = [];
        for (let i = 0; i < 12; i++) {
          statuses.push((await fetchRecord(service, { account, code: 'WRNG0000' })).status);
        }
        seen[account] = statuses;
      }
      expect(seen['ada']).toEqual(seen['nobody']);
    }
  });

  it('refuse while the store cannot count', async () => {
    const counters = { count: () => Promise.reject(new Error('the disk')) };
    const { service } = await startWorld({ counters });
    expect((await fetchRecord(service, { account: 'ada', code: 'x' })).status).toBe(503);
  });

  it('leave owners their routes while the store cannot count, and deleting does not ask it', async () => {
    const store = new MemoryStore();
    let isDown = false;
    const count: MemoryStore['count'] = (request) =>
      isDown ? Promise.reject(new Error('the disk')) : store.count(request);
    const { enrol, service } = await startWorld({ counters: { count }, requestsPerMinute: 5 });
    const { record } = await enrol('ada');
    isDown = true;
    const owner = new RecordServiceClient(service.as('ada'));
    expect(await owner.store(record)).toMatch(/./);
    expect(service.events.filter(({ type }) => type === 'unavailable')).toHaveLength(1);
    await owner.remove();
    expect(await service.records.find('ada')).toBeUndefined();
    expect(service.events.filter(({ type }) => type === 'unavailable')).toHaveLength(1);
    // Each process still counts.
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++)
      statuses.push((await fetch(service.url, { method: 'DELETE', headers: { 'x-account': 'ada' } })).status);
    expect(statuses.at(-1)).toBe(429);
  });
});

it('what the router refuses is told with a reason', async () => {
  const { service } = await startWorld();
  await fetchRecord(service, 'no json');
  await fetchRecord(service, {}, { 'content-type': 'text/plain' });
  await fetchRecord(service, {}, { origin: 'https://foreign.example' });
  await fetch(service.url);
  const told = service.events.filter(({ type }) => type === 'rejected');
  expect(told.map((event) => 'reason' in event && event.reason)).toEqual([
    'form',
    'type',
    'origin',
    'account',
  ]);
  for (const event of told) expect(event).toMatchObject({ part: 'records', address: '127.0.0.1' });
});

describe('pages', () => {
  it('of allowed origins may fetch, others may not', async () => {
    const { service } = await startWorld({ cors: 'https://second.example' });
    const body = { account: 'ada', code: 'x' };
    const good = await fetchRecord(service, body, { origin: 'https://second.example' });
    expect(good.status).toBe(200);
    expect(good.headers.get('access-control-allow-origin')).toBe('https://second.example');
    expect(good.headers.get('access-control-allow-credentials')).toBeNull();
    expect((await fetchRecord(service, body, { origin: service.origin })).status).toBe(200);
    expect((await fetchRecord(service, body, { origin: 'https://evil.example' })).status).toBe(403);
    const preflight = await fetch(`${service.url}/`, {
      method: 'OPTIONS',
      headers: { origin: 'https://second.example', 'access-control-request-method': 'PUT' },
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('one hand', () => {
  const base: RoamingRecordsOptions = {
    store: new MemoryRecordStore(),
    secret: SECRET,
    audience: 'https://app.example',
    assistant: 'https://assistant.example',
    relyingParty: 'accountOf judges sessions itself',
    accountOf: () => undefined,
  };

  it('over assistant and records is warned of: one origin', () => {
    const warnings: string[] = [];
    const onWarning = (warning: string) => void warnings.push(warning);
    roamingRecords({ ...base, onWarning });
    expect(warnings).toEqual([]);
    roamingRecords({ ...base, assistant: 'https://app.example/assistant', onWarning });
    expect(warnings).toEqual([expect.stringContaining('in one hand')]);
  });

  it.each(['records first', 'assistant first'])('one database, %s', async (order) => {
    const handle = await openSqlite(':memory:');
    const warnings: string[] = [];
    const listener = ({ name, message }: Error) => {
      if (name === 'RoamingKeyWarning') warnings.push(message);
    };
    process.on('warning', listener);
    try {
      const keys = await KeySet.generate();
      const parts = [
        () => roamingRecords({ ...base, store: new SqliteRecordStore(handle) }),
        () => assistantRouter({ keys, store: new SqliteStore(handle) }),
      ];
      for (const make of order === 'records first' ? parts : parts.reverse()) make();
      await new Promise((done) => setTimeout(done, 20));
      expect(warnings).toHaveLength(1);
      roamingRecords({ ...base, store: new SqliteRecordStore(':memory:') });
      assistantRouter({ keys, store: new MemoryStore() });
      await new Promise((done) => setTimeout(done, 20));
      expect(warnings).toHaveLength(1);
    } finally {
      process.off('warning', listener);
      handle.close();
    }
  });

  it.each([
    { store: {} },
    { secret: 'short' },
    { audience: 'https://app.example/' },
    { audience: 'http://app.example' },
    { assistant: 'http://assistant.example' },
    { accountOf: undefined },
    { relyingParty: undefined },
    { relyingParty: 'x' },
    { relyingParty: {} },
    { requestsPerMinute: 0 },
    { withoutPickupCode: true },
    { profile: { scheme: 'rsa' } },
    { profile: { key: 'RSA-2048' } },
    { profile: { scheme: 'elgamal', key: 'Ed25519' } },
    { profile: { kdf: { m: 1024 } } },
    { wrongPerAddress: 0 },
    { wrongPerAccount: 65_536 },
    { sweepEvery: 0 },
    { fetchesPerMinute: 0 },
    { cors: ['x'] },
    { allowedOrigins: ['x'] },
    { disabled: {} },
    { accountName: 'x' },
    { onEvent: 1 },
  ])('%o is a programmer’s mistake', (wrong) => {
    expect(() => roamingRecords({ ...base, ...wrong } as never)).toThrow(TypeError);
  });
});

it('an app whose accountOf fails answers unavailable', async () => {
  const { service } = await startWorld({ accountOf: () => Promise.reject(new Error('no database')) });
  const response = await fetch(`${service.url}/`);
  expect(response.status).toBe(503);
  expect(service.errors).toHaveLength(1);
});
