import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { buildBrowser, gzipped, split } from '../../scripts/build-browser.ts';
import { PASSWORD } from '../support/world.ts';
import { useBrowser } from './support.ts';

const chromium = useBrowser();

/** The blocks of docs/browser.md that are marked to be run in a browser. */
async function pageOfDocs(): Promise<{ html: string; script: string }> {
  const text = await readFile('docs/browser.md', 'utf8');
  const block = (mark: string) =>
    new RegExp(`<!-- run in Chromium: ${mark} -->\n\`\`\`html\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] as string;
  const script = block('/page.js')
    .replace(/^<script.*>\n/, '')
    .replace(/<\/script>\n$/, '');
  return { html: block('page'), script };
}

it('the page of the documentation enrols, logs in and is told of a wrong password', async (test) => {
  const world = await chromium.world(test);
  const { html, script } = await pageOfDocs();
  const page = await world.open();
  const code = script
    .replace('https://assistant.example', world.assistant.url)
    .replace('/roaming-key/0.1.0/', '/rk/1.0.0/');
  world.rp.app.get('/docs', (_req, res) => void res.type('html').send(html.replace('/page.js', '/docs.js')));
  world.rp.app.get('/docs.js', (_req, res) => void res.type('js').send(code));
  await page.goto(`${world.rp.origin}/docs`);
  const submit = async (password: string) => {
    await page.fill('[name=account]', 'ada');
    await page.fill('[name=password]', password);
    await page.click('button');
  };
  const status = () => page.textContent('[role=status]');
  await submit(PASSWORD);
  await expect.poll(status).toContain('Write this down');
  expect(await status()).toMatch(/: ([0-9A-Z]{4}-){7}[0-9A-Z]{4}$/);
  await submit(PASSWORD);
  await expect.poll(status).toBe('Hello ada');
  await submit('correct horse');
  await expect.poll(status).toBe('Wrong; 4 tries left at once.');
});

it('the sizes in the documentation are those of the build', async () => {
  const text = await readFile('docs/browser.md', 'utf8');
  const stated = [...text.matchAll(/^\|.*\| ([\d.]+) \|$/gm)].map(
    ([, kilobytes]) => Number(kilobytes) * 1000,
  );
  const { files, main } = await buildBrowser();
  const size = (name: string) => gzipped(files.get(name) as Uint8Array);
  const worker = size('argon2-worker.js');
  const contents = "export { Device, enroll } from './lib/device/index.ts'";
  const app = await split({ stdin: { contents, resolveDir: process.cwd() } });
  const bundled = app.main.reduce((sum, name) => sum + gzipped(app.texts.get(name) as string), worker);
  const loaded = main.reduce((sum, name) => sum + size(name), 0);
  const measured = [loaded, worker, bundled, size('device-static.js')];
  expect(stated).toHaveLength(measured.length);
  for (const [i, bytes] of measured.entries())
    expect(Math.abs(bytes - (stated[i] as number))).toBeLessThan(1000);
});

it('the policy in the documentation is the one that is tested', async (test) => {
  const world = await chromium.world(test);
  const { strictPolicy } = await import('./support.ts');
  const stated = /^ {4}(default-src .*)$/m.exec(await readFile('docs/browser.md', 'utf8'))?.[1];
  const tested = Object.entries(strictPolicy(world.assistant.url)).map(([name, value]) => `${name} ${value}`);
  const origin = new URL(world.assistant.url).origin;
  for (const directive of (stated as string).split('; ')) {
    expect(tested).toContain(directive.replace('https://assistant.example', origin));
  }
});
