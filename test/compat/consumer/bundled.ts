/** A server whose bundler has made one file of it; `scripts/compat.ts` runs it where no package is installed. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { assistant, KeySet, MemoryStore } from 'passport-roaming-key';
import { Device, enroll } from 'passport-roaming-key/device';

const password = 'correct horse battery staple';
const app = express();
const helper = assistant({ keys: KeySet.generate(), store: new MemoryStore() });
app.use('/assistant', helper);
const server = createServer(app).listen(0, () => {
  main(`http://localhost:${(server.address() as AddressInfo).port}/assistant`).then(
    () => process.exit(),
    (error: Error) => {
      console.error(error.message);
      process.exit(1);
    },
  );
});

async function main(url: string): Promise<void> {
  await helper.assistant.init();
  const kdf = { t: 2, m: 19_456, p: 1 };
  for (const scheme of ['ed25519', 'elgamal'] as const) {
    const { record } = await enroll({ assistant: url, password, scheme, kdf });
    const device = new Device(record, { assistant: url, purposes: ['sign'] });
    if (scheme === 'ed25519') await device.signJws('{}', { password });
  }
}
