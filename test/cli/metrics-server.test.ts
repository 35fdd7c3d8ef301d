import { get } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { startMetricsServer } from '../../lib/cli/metrics-server.ts';

it('metrics on the loopback are not for pages whose name resolves to this machine', async () => {
  const server = await startMetricsServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  const ask = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      get(server.url, { headers: { host } }, (res) => {
        res.resume();
        resolve(res.statusCode);
      }).on('error', reject);
    });
  const { port } = new URL(server.url);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, 'LOCALHOST', '[::1]:1'])
    expect(await ask(host)).toBe(200);
  for (const host of [
    'evil.example',
    `127.0.0.1.evil.example:${port}`,
    `localhost.evil.example`,
    '192.0.2.1',
  ])
    expect(await ask(host)).toBe(403);
});
