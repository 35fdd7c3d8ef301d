import { describe, expect, it } from 'vitest';
import { gzipped, MAX_DOWNLOAD } from '../../scripts/build-browser.ts';
import { CHEAP_KDF, PASSWORD } from '../support/world.ts';
import { type PageWorld, useBrowser } from './support.ts';

const chromium = useBrowser();

const partyOf = (world: PageWorld) => ({
  assistant: world.assistant.url,
  kdf: CHEAP_KDF,
  password: PASSWORD,
});

describe('a page under the strict policy', () => {
  it('enrols, unlocks, logs in, mistypes, is told so, disables and is out', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    const party = partyOf(world);
    const enrolled = await page.evaluate(async ({ assistant, kdf, password }) => {
      const phases: string[] = [];
      const onProgress = ({ phase }: { phase: string }) => void phases.push(phase);
      const records = rk.indexedDbRecords();
      const invited = { url: `${location.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } };
      const { record, kit } = await rk.enroll({
        scheme: 'retrieve',
        assistant,
        password,
        kdf,
        onProgress,
        register: [invited],
      });
      await records.save('ada', record);
      const device = await rk.Device.open(records, 'ada', { assistant, onProgress });
      const { key, failedSince } = await device.unlock(password);
      const exported = await crypto.subtle.exportKey('pkcs8', key).catch((error: Error) => error.name);
      const { body } = await device.login({ url: `${location.origin}/login`, account: 'ada' });
      const me = await fetch('/me');
      return { phases, kit, extractable: key.extractable, exported, failedSince, body, me: me.status };
    }, party);
    expect(enrolled).toMatchObject({
      phases: ['asking', 'generating', 'stretching', 'proving', 'stretching', 'asking', 'asking', 'proving'],
      extractable: false,
      exported: 'InvalidAccessError',
      failedSince: { count: 0 },
      body: { user: { account: 'ada' } },
      me: 200,
    });
    const used = await page.evaluate(
      async ({ assistant, password, kit }) => {
        const code = (error: { code: string; attemptsLeft?: number }) => [error.code, error.attemptsLeft];
        const device = await rk.Device.open(rk.indexedDbRecords(), 'ada', { assistant });
        const wrong = await device.unlock('correct horse').catch(code);
        const { failedSince } = await device.unlock(password);
        await rk.disable(rk.disablingCode(kit), { assistant });
        const disabled = await device.unlock(password).catch(code);
        const login = await device.login({ url: `${location.origin}/login`, account: 'ada' }).catch(code);
        return { wrong, failedSince, disabled, login, me: (await fetch('/me')).status };
      },
      { ...party, kit: enrolled.kit },
    );
    expect(used).toMatchObject({
      wrong: ['wrong_password', 4],
      failedSince: { count: 1 },
      disabled: ['disabled', undefined],
      login: ['disabled', undefined],
      me: 403,
    });
    expect(page.said).toEqual([]);

    const scripts = page.asked.map((request) => request.url()).filter((url) => url.includes('/rk/'));
    const bodies = new Map(
      await Promise.all(scripts.map(async (url) => [url, await (await fetch(url)).text()] as const)),
    );
    const names = [...bodies.keys()].map((url) => url.split('/').pop());
    expect(new Set(names)).toEqual(new Set(['argon2-worker.js', 'core.js', 'device.js']));
    const download = [...bodies.values()].reduce((sum, body) => sum + gzipped(body), 0);
    expect(download).toBeLessThanOrEqual(MAX_DOWNLOAD);
  });

  it('lets a record be used on another device, until it is disabled there', async (test) => {
    const world = await chromium.world(test);
    const party = partyOf(world);
    const [laptop, phone] = [await world.open(), await world.open()];
    const { record, kit } = await laptop.evaluate(({ assistant, kdf, password }) => {
      const invited = { url: `${location.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } };
      return rk.enroll({ scheme: 'retrieve', assistant, kdf, password, register: [invited] });
    }, party);
    for (const page of [laptop, phone]) {
      const answer = await page.evaluate(
        async ({ assistant, password, record }) => {
          const device = new rk.Device(rk.parseRecord(record), { assistant });
          return (await device.login({ url: `${location.origin}/login`, account: 'ada', password })).body;
        },
        { ...party, record },
      );
      expect(answer).toEqual({ user: { account: 'ada' } });
    }
    await phone.evaluate((given) => rk.disable(rk.parseKit(given)), kit);
    for (const page of [laptop, phone]) {
      const code = await page.evaluate(
        ({ assistant, password, record }) =>
          new rk.Device(record, { assistant }).unlock(password).catch((error) => error.code),
        { ...party, record },
      );
      expect(code).toBe('disabled');
      expect(await page.evaluate(async () => (await fetch('/me')).status)).toBe(403);
    }
  });

  it('stretches the password while the code for the key’s scheme comes', async (test) => {
    const world = await chromium.world(test);
    const party = partyOf(world);
    const { record } = await (await world.open()).evaluate((given) => rk.enroll(given), party);
    const page = await world.open();
    const stretching = page.waitForEvent('console', (message) => message.text() === 'stretching');
    let isHeld = false;
    await page.route('**/shared-ed25519.js', async (route) => {
      isHeld = true;
      await stretching;
      await route.continue();
    });
    const length = await page.evaluate(
      async ({ record, assistant, password }) => {
        const onProgress = ({ phase }: { phase: string }) => console.info(phase);
        const device = new rk.Device(record, { assistant, purposes: ['sign'], onProgress });
        return (await device.sign(new Uint8Array(5), { password })).length;
      },
      { ...party, record },
    );
    expect(length).toBe(64);
    expect(isHeld).toBe(true);
  });

  it('that cannot load that code says so, and asks nobody', async (test) => {
    const world = await chromium.world(test);
    const party = partyOf(world);
    const { record } = await (await world.open()).evaluate((given) => rk.enroll(given), party);
    const page = await world.open();
    await page.route('**/shared-ed25519.js', (route) => route.abort());
    const codes = await page.evaluate(
      async ({ record, assistant, password }) => {
        const device = new rk.Device(record, { assistant, purposes: ['sign'] });
        const code = (given?: string) =>
          device.sign(new Uint8Array(5), given === undefined ? {} : { password: given }).then(
            () => 'signed',
            (error) => error.code,
          );
        const failed = [await code(password), await code('')];
        await device.unlockShared(password, { forSeconds: 60 });
        failed.push(await code());
        return failed;
      },
      { ...party, record },
    );
    expect(codes).toEqual(['network', 'bad_password', 'network']);
    expect(page.asked.filter((request) => request.url().endsWith('/assist'))).toEqual([]);
    expect(page.said.filter((text) => !text.includes('ERR_FAILED'))).toEqual([]);
  });

  it('loads what other kinds of key need when they are used, and fails in the same words there', async (test) => {
    const world = await chromium.world(test);
    const party = partyOf(world);
    const page = await world.open();
    const loaded = () =>
      page.asked
        .map((request) => /\/rk\/.*\/([a-z0-9-]+)\.js$/.exec(request.url())?.[1] ?? '')
        .filter(Boolean);
    const p256 = await page.evaluate(async ({ assistant, kdf, password }) => {
      const { record } = await rk.enroll({ scheme: 'retrieve', assistant, kdf, password, key: 'P-256' });
      const { key } = await new rk.Device(record, { assistant }).unlock(password);
      return key.algorithm;
    }, party);
    expect(p256).toMatchObject({ name: 'ECDSA', namedCurve: 'P-256' });
    expect(new Set(loaded())).toEqual(new Set(['device', 'core', 'argon2-worker']));

    const elgamal = await page.evaluate(async ({ assistant, kdf, password }) => {
      const { record } = await rk.enroll({ assistant, kdf, password, scheme: 'elgamal' });
      const device = new rk.Device(record, { assistant });
      const jwe = await rk.encryptTo(device.jwk, new TextEncoder().encode('a note'));
      const wrong = await device
        .decrypt(jwe, { password: 'correct horse' })
        .catch((error) => [
          rk.isRoamingKeyError(error, 'wrong_password'),
          error instanceof rk.RoamingKeyError,
        ]);
      const damaged = await device
        .decrypt(jwe.replace(/\.[^.]*$/, '.AAAA'), { password })
        .catch((error) => rk.isRoamingKeyError(error, 'invalid_request'));
      return { text: new TextDecoder().decode(await device.decrypt(jwe, { password })), wrong, damaged };
    }, party);
    expect(elgamal).toEqual({ text: 'a note', wrong: [true, true], damaged: true });
    expect(loaded()).toContain('shared-decryption');
    expect(loaded()).not.toContain('node-rsa');

    const rsa = await page.evaluate(async ({ assistant, kdf, password }) => {
      const pair = await crypto.subtle.generateKey(
        { name: 'RSA-PSS', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
        true,
        ['sign', 'verify'],
      );
      const plain = await rk.enroll({
        scheme: 'retrieve',
        assistant,
        kdf,
        password,
        key: { existing: pair.privateKey },
      });
      const pem = await new rk.Device(plain.record, { assistant }).exportPrivateKey(password, 'pkcs1-pem');
      const { record } = await rk.enroll({ assistant, kdf, password, scheme: 'rsa', key: { existing: pem } });
      const data = new TextEncoder().encode('a document');
      const device = new rk.Device(record, { assistant, purposes: ['sign'] });
      const signature = new Uint8Array(await device.sign(data, { password }));
      const isRight = await crypto.subtle.verify(
        { name: 'RSA-PSS', saltLength: 32 },
        pair.publicKey,
        signature,
        data,
      );
      const damaged = await rk
        .enroll({ assistant, kdf, password, scheme: 'rsa', key: { existing: pem.replace('MII', 'MIJ') } })
        .catch((error) => rk.isRoamingKeyError(error, 'bad_key'));
      return { isRight, damaged };
    }, party);
    expect(rsa).toEqual({ isRight: true, damaged: true });
    expect(loaded()).toEqual(expect.arrayContaining(['node-rsa', 'enroll-shared-rsa', 'shared-signing']));
    expect(page.said).toEqual([]);
  });
});

describe('where something is missing', () => {
  it('a page that is offline says so, and goes on once it is back', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    const unlock = async () =>
      page.evaluate(async ({ assistant, password }) => {
        const device = await rk.Device.open(rk.indexedDbRecords(), 'ada', { assistant });
        return device.unlock(password).then(
          ({ failedSince }) => failedSince.count,
          (error) => [error.code, error.message],
        );
      }, partyOf(world));
    await page.evaluate(async ({ assistant, kdf, password }) => {
      const { record } = await rk.enroll({ scheme: 'retrieve', assistant, kdf, password });
      await rk.indexedDbRecords().save('ada', record);
    }, partyOf(world));
    await page.context().setOffline(true);
    // Whether the browser still has the worker's script or not, which depends on its cache.
    expect(await unlock()).toEqual(['network', expect.stringMatching(/: this device is offline$/)]);
    await page.context().setOffline(false);
    expect(await unlock()).toBe(0);
  });

  it('a browser without Ed25519 is told to be too old', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open({
      before: () => {
        const missing = (name: 'generateKey' | 'importKey') => {
          const original = SubtleCrypto.prototype[name] as (...given: unknown[]) => Promise<unknown>;
          Object.defineProperty(SubtleCrypto.prototype, name, {
            value(...given: unknown[]) {
              if (JSON.stringify(given.slice(0, 3)).includes('Ed25519'))
                return Promise.reject(new DOMException('Algorithm: Unrecognized name', 'NotSupportedError'));
              return original.apply(this, given);
            },
          });
        };
        missing('generateKey');
        missing('importKey');
      },
    });
    const result = await page.evaluate(async ({ assistant, kdf, password }) => {
      const error = await rk.enroll({ scheme: 'retrieve', assistant, kdf, password }).catch((error) => error);
      const other = await rk.enroll({ scheme: 'retrieve', assistant, kdf, password, key: 'P-256' });
      return { code: error.code, message: error.message, other: other.record.jwk.kty };
    }, partyOf(world));
    expect(result).toEqual({ code: 'unsupported', message: expect.stringContaining('too old'), other: 'EC' });
  });

  it('a browser without X25519 is told so, and the record is not blamed', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open({
      before: () => {
        const original = Reflect.get(SubtleCrypto.prototype, 'importKey') as (
          ...given: unknown[]
        ) => Promise<unknown>;
        Object.defineProperty(SubtleCrypto.prototype, 'importKey', {
          value(...given: unknown[]) {
            if (JSON.stringify(given.slice(1, 3)).includes('X25519'))
              return Promise.reject(new DOMException('Algorithm: Unrecognized name', 'NotSupportedError'));
            return original.apply(this, given);
          },
        });
      },
    });
    const code = await page.evaluate(
      ({ assistant, kdf, password }) =>
        rk.enroll({ scheme: 'retrieve', assistant, kdf, password }).catch((error) => error.code),
      partyOf(world),
    );
    expect(code).toBe('unsupported');
  });

  it('a page that came over plain http is told so', async (test) => {
    const world = await chromium.world(test);
    const context = await chromium.browser().newContext();
    await context.route('http://app.test/**', async (route) => {
      const { pathname, search } = new URL(route.request().url());
      await route.fulfill({ response: await route.fetch({ url: `${world.rp.origin}${pathname}${search}` }) });
    });
    const page = await world.open({ context, url: 'http://app.test/' });
    const result = await page.evaluate(async ({ assistant, kdf, password }) => {
      const error = await rk.enroll({ scheme: 'retrieve', assistant, kdf, password }).catch((error) => error);
      return [isSecureContext, error.code, error.message];
    }, partyOf(world));
    expect(result).toEqual([false, 'unsupported', expect.stringContaining('https')]);
  });
});
