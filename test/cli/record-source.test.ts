/** Where a command keeps the record of its device while other processes change it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { recordSource } from '../../lib/cli/record-source.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { vectors2 } from '../support/vectors.ts';
import { CHEAP_KDF } from '../support/world.ts';

it.each(['name', 'record'] as const)(
  'a record by --%s is not replaced where it is another by now',
  async (by) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'record-source-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
      vi.unstubAllEnvs();
    });
    vi.stubEnv('XDG_DATA_HOME', folder);
    const source = await recordSource({ [by]: by === 'name' ? 'work' : path.join(folder, 'work.json') });
    const { record, reissue } = vectors2.X25519.ed25519;
    // The vectors' own are refused as too cheap.
    const kdf = { name: 'argon2id', ...CHEAP_KDF };
    const [old, changed] = [record, reissue.newRecord].map((one) => ({ ...one, kdf })) as unknown as [
      DeviceRecord,
      DeviceRecord,
    ];
    const renewed = { ...changed, ticket: old.ticket.replace(/^.{8}/, 'renewed0') };
    await source.save(old);
    await source.replace(old, changed);
    expect(await source.load()).toEqual(changed);
    // A process that holds what the old password gave brings a renewed ticket of it.
    await expect(source.replace(old, old)).rejects.toMatchObject({ code: 'busy' });
    expect(await source.load()).toEqual(changed);
    // An agent's renewal beside a change of password: both saw the same record.
    const both = await Promise.allSettled([source.replace(changed, old), source.replace(changed, renewed)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await source.load()).toEqual(both[0]?.status === 'fulfilled' ? old : renewed);
  },
);
