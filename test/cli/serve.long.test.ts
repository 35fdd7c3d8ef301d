import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { CHEAP, cleanUp, sandbox, serveAssistant } from './support.ts';

cleanUp();

/** A Node in which the optional package is not found, as where it was never installed. */
const WITHOUT_PROM_CLIENT = `data:text/javascript,${encodeURIComponent(`
  import { register } from 'node:module';
  const hooks = \`export async function resolve(specifier, context, next) {
    if (specifier !== 'prom-client') return next(specifier, context);
    throw Object.assign(new Error("Cannot find package 'prom-client'"), { code: 'ERR_MODULE_NOT_FOUND' });
  }\`;
  register('data:text/javascript,' + encodeURIComponent(hooks));
`)}`;
describe('serve', { timeout: 300_000 }, () => {
  it.concurrent('finishes what is in flight when it is told to end, and ends with 0', async () => {
    const box = sandbox();
    const { url, child, ended } = await serveAssistant(box, '--path /help --cors https://app.example');
    const health = await fetch(new URL('/health', url));
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
    const preflight = await fetch(`${url}/assist`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example');

    const slow = request(`${url}/disable`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    const answered = new Promise<number | undefined>((resolve, reject) => {
      slow.once('response', (res) => resolve(res.resume().statusCode));
      slow.once('error', reject);
    });
    slow.write('{"request"');
    await eventually(() => expect(slow.socket?.bytesWritten).toBeGreaterThan(0));
    // Another answer on a connection of its own shows that the server has got that far.
    await fetch(`${url}/keys`);
    child.kill('SIGTERM');
    await eventually(() => expect(fetch(`${url}/keys`)).rejects.toThrow());
    slow.end(':"x"}');
    expect(await answered).toBe(400);
    expect(await ended).toMatchObject({ status: 0, signal: null });
  });

  it.concurrent('writes audit events that hold no password, account or ticket', async () => {
    const box = sandbox();
    const { url, child, ended } = await serveAssistant(box);
    await box.json(['enroll', '--assistant', url, '--record', 'r.json', ...CHEAP]);
    const wrong = { env: { ROAMING_KEY_PASSWORD: 'hunter2' }, input: 'x' };
    expect(await box.failure(['sign', '--record', 'r.json'], wrong)).toMatchObject({
      code: 'wrong_password',
    });
    child.kill('SIGINT');
    const { stderr } = await ended;
    const events = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.map(({ type }) => type)).toEqual(['wrongPassword']);
    expect(events).toMatchObject([
      { at: expect.any(Number), level: 'warn', part: 'assistant', address: '127.0.0.1' },
    ]);
    expect(stderr).not.toMatch(/hunter2|eyJ/);
  });

  it.concurrent('takes its keys from a variable of the environment, which no command changes', async () => {
    const outside = sandbox();
    await outside.json(['keys', 'generate', '--keys', 'keys.json']);
    const box = sandbox({ THE_KEYS: readFileSync(outside.file('keys.json'), 'utf8'), OTHER: '{"keys":[]}' });
    const kids = ({ keys }: { keys?: unknown }) => (keys as { kid: string }[]).map(({ kid }) => kid);
    const { url, child, ended } = await serveAssistant(box, '--keys env:THE_KEYS');
    const served = (await (await fetch(`${url}/keys`)).json()) as { keys: unknown };
    expect(kids(served)).toEqual(kids(await outside.json(['keys', 'list', '--keys', 'keys.json'])));
    expect(kids(await box.json(['keys', 'list', '--keys', 'env:THE_KEYS']))).toEqual(kids(served));
    child.kill('SIGTERM');
    await ended;
    const codeOf = async (args: string[]) => (await box.failure(args))['code'];
    for (const change of ['generate', 'rotate', 'retire'])
      expect(await codeOf(['keys', change, '--keys', 'env:THE_KEYS']), change).toBe('bad_input');
    expect(await codeOf(['keys', 'list', '--keys', 'env:MISSING'])).toBe('not_found');
    expect(await codeOf(['keys', 'list', '--keys', 'env:OTHER'])).toBe('bad_input');
  });

  it.concurrent('serves metrics on a port of their own, and nowhere else', async () => {
    const box = sandbox();
    const { url, child, ended, until } = await serveAssistant(box, '--metrics-port 0');
    const [, metrics] = (await until(/metrics at (http:\/\/127\.0\.0\.1:\S+)\n/)) as unknown as [
      string,
      string,
    ];
    await box.json(['enroll', '--scheme', 'retrieve', '--assistant', url, '--record', 'r.json', ...CHEAP]);
    const wrong = { env: { ROAMING_KEY_PASSWORD: 'hunter2' }, input: 'x' };
    await box.failure(['sign', '--record', 'r.json'], wrong);
    child.kill('SIGHUP');
    const scrape = async () => {
      const response = await fetch(metrics);
      expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
      return response.text();
    };
    await eventually(async () =>
      expect(await scrape()).toMatch(/^roaming_key_store_up\{name="default"\} 1$/m),
    );
    const text = await scrape();
    expect(text).toMatch(/^roaming_key_wrong_passwords_total\{name="default",scheme="retrieve"\} 1$/m);
    expect(text).toMatch(/^roaming_key_workers\{name="default"\} [1-9]/m);
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    const elsewhere = [`${url}/metrics`, new URL('/', metrics), new URL('/assist', metrics)];
    expect(await Promise.all(elsewhere.map(async (one) => (await fetch(one)).status))).toEqual([
      404, 404, 404,
    ]);
    expect((await fetch(metrics, { method: 'POST', body: 'x' })).status).toBe(404);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ status: 0, signal: null });
  });

  it.concurrent('says what to install where metrics are asked for and prom-client is missing', async () => {
    const box = sandbox({ NODE_OPTIONS: `--import=${WITHOUT_PROM_CLIENT}` });
    await box.json(['keys', 'generate', '--keys', 'keys.json']);
    const options = ['serve', '--port', '0', '--keys', 'keys.json', '--store', 'memory:'];
    expect(await box.failure([...options, '--metrics-port', '0'])).toMatchObject({
      code: 'not_found',
      message: 'metrics need the package prom-client: npm install prom-client',
    });
  });

  it.concurrent('keeps its keys when the file is damaged at SIGHUP', async () => {
    const box = sandbox();
    const { url, child, until } = await serveAssistant(box);
    const before = await (await fetch(`${url}/keys`)).text();
    writeFileSync(box.file('keys.json'), '{}');
    child.kill('SIGHUP');
    await until(/the keys stay as they were: keys\.json holds no key set/);
    expect(await (await fetch(`${url}/keys`)).text()).toBe(before);
  });

  it.concurrent('takes a store URL with a password from the environment, and shows none of it', async () => {
    const box = sandbox();
    await box.json(['keys', 'generate', '--keys', 'keys.json']);
    const env = { ROAMING_KEY_STORE: 'postgres://ada:hunter2@127.0.0.1:9/db' };
    const { status, stdout, stderr } = await box.run(['serve', '--port', '0', '--keys', 'keys.json'], {
      env,
    });
    expect([status, stdout]).toEqual([6, '']);
    expect(stderr).not.toContain('hunter2');
  });
});
