import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient, createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeContract } from '../../lib/store/contract.ts';
import { RedisStore } from '../../lib/store/redis.ts';
import { eventually } from '../support/eventually.ts';
import { redisAvailable } from '../support/redis.ts';
import { SHIFT } from './redis-shift.ts';

const isSkipped = !redisAvailable && !process.env['CI'];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((ready) => server.once('listening', ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

describe.skipIf(isSkipped)('RedisStore keeps the contract on a cluster', () => {
  let folder: string;
  let server: ReturnType<typeof spawn>;
  let node: ReturnType<typeof createClient>;
  let port: number;
  let opened = 0;
  const clusterClient = () => createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] });

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'rk-cluster-'));
    port = await freePort();
    const bus = await freePort();
    const settings = {
      port,
      'cluster-port': bus,
      bind: '127.0.0.1',
      dir: folder,
      'cluster-enabled': 'yes',
      save: '',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    server = spawn('redis-server', args, { stdio: 'ignore' });
    node = createClient({ url: `redis://127.0.0.1:${port}` });
    node.on('error', () => {});
    await node.connect();
    await node.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
    await eventually(async () => {
      expect(await node.sendCommand(['CLUSTER', 'INFO'])).toContain('cluster_state:ok');
    });
  }, 180_000);

  afterAll(async () => {
    await node?.close();
    server?.kill('SIGTERM');
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const open = async () => {
    opened += 1;
    const prefix = `cluster-${opened}`;
    const stores: RedisStore[] = [];
    const another = async () => {
      const store = new RedisStore({ client: clusterClient(), prefix, owned: true, onWarning: () => {} });
      stores.push(store);
      return store;
    };
    return {
      store: await another(),
      another,
      advance: async (seconds: number) => {
        await node.eval(SHIFT, { arguments: [`${seconds}`, `{${prefix}}*`] });
      },
      close: async () => {
        for (const store of stores) await store.close();
      },
    };
  };

  for (const { name, run } of storeContract({ open })) it(name, run);
});
