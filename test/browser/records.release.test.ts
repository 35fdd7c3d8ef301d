import type { Route } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { CHEAP_KDF, PASSWORD } from '../support/world.ts';
import { type PageWorld, type TestPage, useBrowser } from './support.ts';

const chromium = useBrowser();

const NEW_PASSWORD = 'staple battery horse correct';

const partyOf = (world: PageWorld) => ({
  assistant: world.assistant.url,
  kdf: CHEAP_KDF,
  password: PASSWORD,
  newPassword: NEW_PASSWORD,
});

/** Enrols keys under names. */
function enrolled(page: TestPage, world: PageWorld, names: readonly string[]) {
  return page.evaluate(
    async ({ assistant, kdf, password, names }) => {
      for (const name of names) {
        const { record } = await rk.enroll({ scheme: 'retrieve', assistant, kdf, password });
        await rk.indexedDbRecords().save(name, record);
      }
    },
    { ...partyOf(world), names },
  );
}

/** What became of trying to unlock, in this tab, from what is kept. */
function unlocking(page: TestPage, world: PageWorld, password = PASSWORD): Promise<string> {
  return page.evaluate(
    async ({ assistant, password }) => {
      try {
        const device = await rk.Device.open(rk.indexedDbRecords(), 'ada', { assistant });
        await device.unlock(password);
        return 'unlocked';
      } catch (error) {
        return (error as { code: string }).code;
      }
    },
    { ...partyOf(world), password },
  );
}

const keptTicket = (page: TestPage) =>
  page.evaluate(async () => (await rk.indexedDbRecords().load('ada'))?.ticket);

describe('records in IndexedDB', () => {
  it('are kept for several accounts, over a reload, in other tabs, and apart by database', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    await enrolled(page, world, ['ada', 'Ada', 'Zoë', 'bob']);
    await page.reload();
    const other = await world.open({ context: page.context() });
    for (const tab of [page, other]) {
      expect(await tab.evaluate(() => rk.indexedDbRecords().list())).toEqual(['Ada', 'Zoë', 'ada', 'bob']);
    }
    expect(await unlocking(other, world)).toBe('unlocked');
    const rest = await page.evaluate(async () => {
      const records = rk.indexedDbRecords();
      const apart = rk.indexedDbRecords({ name: 'another app' });
      await records.remove('bob');
      await records.remove('nobody');
      const code = (error: Error & { code?: string }) => error.code ?? error.name;
      return {
        names: await records.list(),
        apart: await apart.list(),
        missing: await records.load('bob'),
        damaged: await records.save('x', { version: 1 } as never).catch(code),
        nameless: await records.load('').catch(code),
        after: await records.list(),
      };
    });
    expect(rest).toEqual({
      names: ['Ada', 'Zoë', 'ada'],
      apart: [],
      missing: undefined,
      damaged: 'bad_record',
      nameless: 'RangeError',
      after: ['Ada', 'Zoë', 'ada'],
    });
  });

  it('that are damaged are refused and stay as they are', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    await enrolled(page, world, ['ada']);
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const opening = indexedDB.open('roaming-key');
          opening.onsuccess = () => {
            const transaction = opening.result.transaction('records', 'readwrite');
            transaction.objectStore('records').put({ version: 1, kdf: 'none' }, 'ada');
            transaction.oncomplete = () => {
              opening.result.close();
              resolve();
            };
          };
        }),
    );
    expect(await unlocking(page, world)).toBe('bad_record');
    expect(await page.evaluate(() => rk.indexedDbRecords().list())).toEqual(['ada']);
  });

  it('that were cleared are missed, while a device that is open goes on', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    await enrolled(page, world, ['ada']);
    await page.evaluate(async ({ assistant }) => {
      Object.assign(globalThis, {
        device: await rk.Device.open(rk.indexedDbRecords(), 'ada', { assistant }),
      });
    }, partyOf(world));
    // As the browser's «clear site data» does it.
    const session = await page.context().newCDPSession(page);
    await session.send('Storage.clearDataForOrigin', { origin: world.rp.origin, storageTypes: 'indexeddb' });
    expect(await unlocking(page, world)).toBe('bad_record');
    const isUnlocked = await page.evaluate(async ({ password }) => {
      const { device } = globalThis as unknown as { device: InstanceType<typeof rk.Device> };
      await device.unlock(password);
      return device.isUnlocked;
    }, partyOf(world));
    expect(isUnlocked).toBe(true);
    await enrolled(page, world, ['ada']);
    expect(await unlocking(page, world)).toBe('unlocked');
  });

  it('do not stand in the way of a tab that deletes the database, and say when another tab does', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    await enrolled(page, world, ['ada']);
    const other = await world.open({ context: page.context() });
    const deletion = await other.evaluate(
      () =>
        new Promise<string>((resolve) => {
          const request = indexedDB.deleteDatabase('roaming-key');
          request.onblocked = () => resolve('blocked');
          request.onsuccess = () => resolve('deleted');
        }),
    );
    expect(deletion).toBe('deleted');
    const codes = await page.evaluate(async () => {
      // Somebody's code with a later version and no ear for others.
      const holder = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('roaming-key', 7);
        request.onsuccess = () => resolve(request.result);
      });
      const newer = await rk
        .indexedDbRecords()
        .list()
        .catch((error) => [error.code, error.message]);
      const deleting = indexedDB.deleteDatabase('roaming-key');
      const held = await rk
        .indexedDbRecords()
        .list()
        .catch((error) => [error.code, error.message]);
      holder.close();
      await new Promise((resolve) => {
        deleting.onsuccess = resolve;
      });
      return { newer, held, afterwards: await rk.indexedDbRecords().list() };
    });
    expect(codes).toEqual({
      newer: ['unsupported', expect.stringContaining('reload')],
      held: ['unavailable', expect.stringContaining('another tab')],
      afterwards: [],
    });
  });

  it('that do not fit are not saved, and those that were there stay', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    const session = await page.context().newCDPSession(page);
    // Room for one record in any release of Chromium: in 156 an empty database alone takes more than 40 kB.
    await session.send('Storage.overrideQuotaForOrigin', { origin: world.rp.origin, quotaSize: 1_000_000 });
    await enrolled(page, world, ['ada']);
    const result = await page.evaluate(async () => {
      const records = rk.indexedDbRecords();
      const record = (await records.load('ada')) as object;
      for (let i = 0; i < 2000; i++) {
        // Browsers compress what they keep: each is another.
        const bytes = crypto.getRandomValues(new Uint8Array(6000));
        const other = { ...record, ticket: btoa(String.fromCharCode(...bytes)) };
        const error = await records.save(`bob ${i}`, other as never).catch((error) => error);
        if (error) return [error.code, error.message, (await records.load('ada')) !== undefined, i];
      }
      return [];
    });
    expect(result).toEqual(['unavailable', expect.stringContaining('room'), true, expect.any(Number)]);
  });

  it('are refused by a browser that keeps nothing, in words for its user', async (test) => {
    const world = await chromium.world(test);
    // An opaque origin has no storage, as a browser that blocks a site's data gives it none.
    const page = await world.open({
      elsewhere: true,
      policy: { sandbox: 'allow-scripts', 'script-src': '*' },
    });
    const sandboxed = await page.evaluate(() =>
      rk
        .indexedDbRecords()
        .list()
        .catch((error) => [error.code, error.message]),
    );
    expect(sandboxed).toEqual(['unsupported', expect.stringContaining('allow it to store data')]);
    const absent = await world.open({
      before: () => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }),
    });
    const codes = await absent.evaluate(() =>
      rk
        .indexedDbRecords()
        .load('ada')
        .catch((error) => error.code),
    );
    expect(codes).toBe('unsupported');
  });
});

describe('two tabs with one key', () => {
  it('hear of each other', async (test) => {
    const world = await chromium.world(test);
    const [one, two] = await twoTabs(world);
    const watching = two.evaluate(
      () =>
        new Promise<string[]>((resolve) => {
          const heard: string[] = [];
          const end = rk.indexedDbRecords().watch((name) => {
            heard.push(name);
            if (name !== 'last') return;
            end();
            resolve(heard);
          });
          document.title = 'watching';
        }),
    );
    await expect.poll(() => two.title()).toBe('watching');
    await one.evaluate(async () => {
      const records = rk.indexedDbRecords();
      const record = (await records.load('ada')) as never;
      await records.save('bob', record);
      await records.replace('bob', record, record);
      await records.replace('nobody', record, record);
      await rk.indexedDbRecords({ name: 'another app' }).save('not this', record);
      await records.remove('bob');
      await records.save('last', record);
    });
    expect(await watching).toEqual(['bob', 'bob', 'bob', 'last']);
  });

  it('of which one changes the password: the other goes on with the new record', async (test) => {
    const world = await chromium.world(test);
    const [one, two] = await twoTabs(world);
    await two.evaluate(async ({ assistant }) => {
      Object.assign(globalThis, {
        device: await rk.Device.open(rk.indexedDbRecords(), 'ada', { assistant }),
      });
    }, partyOf(world));
    await changePassword(one, world);
    const codes = await two.evaluate(async ({ password, newPassword }) => {
      const { device } = globalThis as unknown as { device: InstanceType<typeof rk.Device> };
      const old = await device.unlock(password).catch((error) => error.code);
      await device.unlock(newPassword);
      return [old, device.isUnlocked];
    }, partyOf(world));
    expect(codes).toEqual(['wrong_password', true]);
  });

  it.for([
    ['does not undo a change of password', true],
    ['would undo it, if it saved blindly', false],
  ] as const)('of which one is told of a new assistant key late: it %s', async ([, isCareful], test) => {
    const world = await chromium.world(test);
    const [one, two] = await twoTabs(world);
    const old = await keptTicket(one);
    await world.assistant.keys.rotate();
    // The first tab's answer, with a renewed ticket of the old password, arrives after the second tab is done.
    let held: Route | undefined;
    await one.route('**/assist', async (route) => {
      if (held) return route.continue();
      held = route;
    });
    const late = one.evaluate(
      async ({ assistant, password, isCareful }) => {
        const records = rk.indexedDbRecords();
        const device = isCareful
          ? await rk.Device.open(records, 'ada', { assistant })
          : new rk.Device((await records.load('ada')) as never, {
              assistant,
              save: (record) => records.save('ada', record),
            });
        await device.unlock(password);
      },
      { ...partyOf(world), isCareful },
    );
    await expect.poll(() => held !== undefined).toBe(true);
    const answer = await (held as unknown as Route).fetch();
    await changePassword(two, world);
    const changed = await keptTicket(two);
    expect(changed).not.toBe(old);
    await (held as unknown as Route).fulfill({ response: answer });
    await late;
    expect((await keptTicket(one)) === changed).toBe(isCareful);
    expect(await unlocking(one, world, NEW_PASSWORD)).toBe(isCareful ? 'unlocked' : 'retired');
    expect(await unlocking(one, world)).toBe(isCareful ? 'wrong_password' : 'retired');
  });

  it('that both are told of a new assistant key keep one that works', async (test) => {
    const world = await chromium.world(test);
    const tabs = await twoTabs(world);
    const old = await keptTicket(tabs[0]);
    await world.assistant.keys.rotate();
    expect(await Promise.all(tabs.map((tab) => unlocking(tab, world)))).toEqual(['unlocked', 'unlocked']);
    await expect.poll(() => keptTicket(tabs[0])).not.toBe(old);
    expect(await unlocking(tabs[1], world)).toBe('unlocked');
  });

  it('that both change the password: one does, the other is told', async (test) => {
    const world = await chromium.world(test);
    const [one, two] = await twoTabs(world);
    const kits: Route[] = [];
    // Both have their new record before either keeps it.
    for (const tab of [one, two]) {
      await tab.route('**/kit', (route) => {
        kits.push(route);
      });
    }
    const both = [changePassword(one, world), changePassword(two, world)].map((change) =>
      change.then(
        () => 'changed',
        (error: Error) => /busy/.exec(error.message)?.[0] ?? String(error),
      ),
    );
    await expect.poll(() => kits.length).toBe(2);
    for (const kit of kits) await kit.fulfill({ status: 204 });
    expect((await Promise.all(both)).sort()).toEqual(['busy', 'changed']);
    expect(await unlocking(one, world, NEW_PASSWORD)).toBe('unlocked');
    expect(await unlocking(two, world, NEW_PASSWORD)).toBe('unlocked');
  });

  it('of which one removes the key: the other does not bring it back', async (test) => {
    const world = await chromium.world(test);
    const [one, two] = await twoTabs(world);
    await world.assistant.keys.rotate();
    await two.evaluate(async ({ assistant }) => {
      Object.assign(globalThis, {
        device: await rk.Device.open(rk.indexedDbRecords(), 'ada', { assistant }),
      });
    }, partyOf(world));
    await one.evaluate(() => rk.indexedDbRecords().remove('ada'));
    await two.evaluate(async ({ password }) => {
      await (globalThis as unknown as { device: InstanceType<typeof rk.Device> }).device.unlock(password);
    }, partyOf(world));
    await two.waitForTimeout(200);
    expect(await keptTicket(one)).toBeUndefined();
  });
});

async function twoTabs(world: PageWorld): Promise<[TestPage, TestPage]> {
  const one = await world.open();
  await enrolled(one, world, ['ada']);
  return [one, await world.open({ context: one.context() })];
}

async function changePassword(page: TestPage, world: PageWorld): Promise<void> {
  await page.evaluate(async ({ assistant, password, newPassword }) => {
    const device = await rk.Device.open(rk.indexedDbRecords(), 'ada', { assistant });
    const saveKit = async () => void (await fetch('/kit', { method: 'POST' }).catch(() => {}));
    await device.changePassword({ password, newPassword, saveKit }).catch((error) => {
      throw new Error(error.code, { cause: error });
    });
  }, partyOf(world));
}
