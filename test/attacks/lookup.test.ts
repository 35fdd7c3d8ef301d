/** Looking up what a kit's code switches off: codes of disabled keys are public, and must not lead to accounts. */
import { randomBytes } from 'node:crypto';
import express from 'express';
import { Passport } from 'passport';
import { beforeEach, describe, expect, it } from 'vitest';
import { browserAssets } from '../../lib/pages/browser-assets.ts';
import { roamingKeyPages } from '../../lib/pages/pages.ts';
import { disablingName } from '../../lib/protocol/disabling.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import type { RelyingPartyOptions } from '../../lib/strategy/relying-party.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';
import { type AssistantWorld, listen, startAssistant } from '../support/world.ts';

const ON = { isKnown: true, isDisabled: false };
const OFF = { isKnown: true, isDisabled: true };
const UNKNOWN = { isKnown: false, isDisabled: false };

const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
function makeKit() {
  const t = randomBytes(16);
  return { t: b64(t), u: b64(disablingName(t)) };
}

let assistant: AssistantWorld;
let kit: { readonly t: string; readonly u: string };

beforeEach(async () => {
  assistant = await startAssistant();
  kit = makeKit();
});

/** An app with one account, whose key has the kit, that has read the list once; `ask` is a stranger's request. */
async function startApp(disabled?: RelyingPartyOptions['disabled']) {
  let readings = 0;
  let isDown = false;
  const feed = disabledFeed({
    url: assistant.url,
    fetch: (...request) => {
      readings++;
      return isDown ? Promise.reject(new TypeError('down')) : fetch(...request);
    },
  });
  await feed.refresh();
  const { publicKey } = generateKeyPairSync('ed25519');
  const key = { jwk: publicKey.export({ format: 'jwk' }) as never, disablingNames: [kit.u] };
  const app = express();
  const origin = await listen(app);
  app.use(
    roamingKeyPages({
      rp: {
        audience: origin,
        secret: 'an app has a secret of at least thirty-two bytes',
        store: new MemoryStore(),
        disabled: disabled ?? feed,
        keysOf: (account) => (account === 'ada' ? [key] : undefined),
      },
      passport: new Passport() as never,
      assistant: assistant.url,
      site: 'Notebook',
      save: () => {},
      accountNamed: (u) => (u === kit.u ? 'ada' : undefined),
      assets: browserAssets({ files: new Map() }),
    }),
  );
  return {
    readings: () => readings,
    goDown: () => {
      isDown = true;
    },
    async ask(codes: readonly string[], isDone = false) {
      const response = await fetch(`${origin}/api/killed`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ codes, isDone }),
      });
      return ((await response.json()) as { keys: unknown }).keys;
    },
  };
}

describe('a kit’s code', () => {
  it('names the account to the holder of the kit while the key is on', async () => {
    const app = await startApp();
    expect(await app.ask([kit.t])).toEqual([
      expect.objectContaining({ ...ON, account: 'ada', purposes: ['login'] }),
    ]);
  });

  it('names no account once it is public, though the app has not read the list since', async () => {
    const app = await startApp();
    await assistant.store.disable(kit);
    const { disabled } = (await (await fetch(`${assistant.url}/disabled`)).json()) as { disabled: string[] };
    expect(disabled).toEqual([kit.t]);
    expect(await app.ask(disabled)).toEqual([OFF]);
  });

  it.each([false, true])('names no account while the list cannot be read (isDone %s)', async (isDone) => {
    const app = await startApp();
    await assistant.store.disable(kit);
    app.goDown();
    expect(await app.ask([kit.t], isDone)).toEqual([ON]);
  });

  it('has the list read for a name alone, and once for all codes of a request', async () => {
    const app = await startApp();
    const before = app.readings();
    expect(await app.ask([makeKit().t, makeKit().t])).toEqual([UNKNOWN, UNKNOWN]);
    expect(app.readings()).toBe(before);
    await app.ask([kit.t, makeKit().t, kit.t]);
    expect(app.readings()).toBe(before + 1);
    await assistant.store.disable(kit);
    expect(await app.ask([kit.t])).toEqual([OFF]);
    expect(await app.ask([kit.t])).toEqual([OFF]);
    expect(app.readings()).toBe(before + 2);
  });

  it('has the app read the list when its key was switched off', async () => {
    const app = await startApp();
    await assistant.store.disable(kit);
    expect(await app.ask([kit.t], true)).toEqual([OFF]);
  });

  it('names the account without reading where the app shares the assistant’s store', async () => {
    const app = await startApp(assistant.store);
    expect(await app.ask([kit.t])).toEqual([expect.objectContaining({ account: 'ada' })]);
    await assistant.store.disable(kit);
    expect(await app.ask([kit.t])).toEqual([OFF]);
  });
});
