import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import { disable } from '../../lib/device/disable.ts';
import { disablingCode, disablingName } from '../../lib/protocol/disabling.ts';
import { b64, forgedProblem, intercepting, random } from '../attacks/support.ts';
import { startAssistant } from '../support/world.ts';

async function start() {
  const world = await startAssistant();
  const t = random(16);
  const kit = { version: 1, assistant: { url: world.url }, t: b64(t) } as const;
  const isDisabled = () => world.store.isDisabled([b64(disablingName(t))]);
  return { world, kit, isDisabled };
}

describe('disable', () => {
  it('needs the kit and nothing else, and may be repeated', async () => {
    const { kit, isDisabled } = await start();
    expect(await isDisabled()).toBe(false);
    await disable(kit);
    expect(await isDisabled()).toBe(true);
    await disable(kit);
  });

  it('takes the printed code with the assistant’s URL, however it is typed', async () => {
    const { world, kit, isDisabled } = await start();
    await expect(disable(disablingCode(kit))).rejects.toThrow(TypeError);
    await disable(disablingCode(kit).toLowerCase().replaceAll('-', ' '), { assistant: world.url });
    expect(await isDisabled()).toBe(true);
  });

  it('is not stopped by a wrong clock, on either side', async () => {
    const { world, kit, isDisabled } = await start();
    world.clock.offset = 10_000_000;
    await disable(kit, { now: () => 5 });
    expect(await isDisabled()).toBe(true);
  });

  it('works with a kit that is older than the assistant’s keys', async () => {
    const { world, kit, isDisabled } = await start();
    await world.keys.rotate({ type: 'P-256' });
    world.keys.retire({ age: 0 });
    await disable(kit);
    expect(await isDisabled()).toBe(true);
  });

  it('shows t to nobody who has published a key that everybody knows', async () => {
    const { world, kit, isDisabled } = await start();
    const jwk = { kty: 'OKP', crv: 'X25519', x: b64(new Uint8Array(32)) };
    const keys = [{ ...jwk, kid: await calculateJwkThumbprint(jwk) }];
    const fetch = intercepting(world.fetch, ({ pathname }) =>
      pathname.endsWith('/keys') ? Response.json({ keys }) : undefined,
    );
    await expect(disable(kit, { fetch })).rejects.toMatchObject({ code: 'bad_response' });
    expect(world.traffic.filter(({ url }) => url.endsWith('/disable'))).toEqual([]);
    expect(await isDisabled()).toBe(false);
  });

  it('shows t to nobody on the way', async () => {
    const { world, kit } = await start();
    await disable(kit, { fetch: world.fetch });
    expect(JSON.stringify(world.traffic)).not.toContain(kit.t);
  });

  it('sends nothing to an assistant that kit or code do not belong to', async () => {
    const { world, kit, isDisabled } = await start();
    const elsewhere = { assistant: 'https://other.example', fetch: world.fetch };
    for (const secret of [kit, disablingCode(kit)])
      await expect(disable(secret, elsewhere)).rejects.toMatchObject({ code: 'wrong_assistant' });
    for (const bad of [null, {}, { ...kit, t: 'AA' }, { ...kit, version: 2 }]) {
      await expect(disable(bad as never)).rejects.toMatchObject({ code: 'bad_kit' });
    }
    for (const typo of ['0'.repeat(29), '0'.repeat(32), `${disablingCode(kit).slice(0, -1)}*`])
      await expect(disable(typo, { assistant: world.url })).rejects.toMatchObject({ code: 'bad_kit' });
    expect(world.traffic).toEqual([]);
    expect(await isDisabled()).toBe(false);
    expect(await disable(kit, { assistant: `${world.url}/` })).toEqual({
      assistant: world.url,
      isUnchecked: false,
    });
  });

  it('says which assistant has confirmed it, and where nothing said that it is the key’s own', async () => {
    const { world, kit } = await start();
    const moved = { ...kit, assistant: { url: 'https://old.example' } };
    for (const secret of [moved, disablingCode(moved)]) {
      const told = await disable(secret, { assistant: world.url, hasMoved: true });
      expect(told).toEqual({ assistant: world.url, isUnchecked: true });
    }
    expect(await disable(disablingCode(kit), { assistant: world.url })).toMatchObject({ isUnchecked: false });
    // A code of the first form names no assistant.
    const old = await disable('000G4-0R40M-30E20-9185G-R38E1-YZ4A', { assistant: world.url });
    expect(old).toEqual({ assistant: world.url, isUnchecked: true });
  });

  it('waits for an assistant that is busy', async () => {
    const { world, kit, isDisabled } = await start();
    let asked = 0;
    const fetch = intercepting(world.fetch, ({ pathname }) =>
      pathname.endsWith('/disable') && ++asked === 1
        ? Response.json({ code: 'busy', status: 429 }, { status: 429, headers: { 'retry-after': '0' } })
        : undefined,
    );
    await disable(kit, { fetch });
    expect([asked, await isDisabled()]).toEqual([2, true]);
  });

  it.each(['unavailable', 'busy', 'unknown_key'])(
    'tells %s as it is, so that the owner tries again',
    async (code) => {
      const { world, kit } = await start();
      const fetch = intercepting(world.fetch, ({ pathname }) =>
        pathname.endsWith('/disable') ? forgedProblem(code, 503) : undefined,
      );
      await expect(disable(kit, { fetch })).rejects.toMatchObject({ code });
    },
  );

  it('fails where there is no answer', async () => {
    const { kit } = await start();
    const fetch = () => Promise.reject(new TypeError('fetch failed'));
    await expect(disable(kit, { fetch })).rejects.toMatchObject({ code: 'network' });
  });
});
