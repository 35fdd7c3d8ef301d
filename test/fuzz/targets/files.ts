/** What the command line reads: files, and an agent's socket. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KeySet } from '../../../lib/assistant/keys.ts';
import { toBase64url } from '../../../lib/base/bytes.ts';
import { CommandLineError } from '../../../lib/cli/failure.ts';
import { readTextInput } from '../../../lib/cli/files.ts';
import { readMarks } from '../../../lib/cli/marks-file.ts';
import { startAgent } from '../../../lib/cli/ssh-agent.ts';
import { sshPublicKeyBlob, strings, uint32 } from '../../../lib/crypto/ssh/encoding.ts';
import { readJsonFile } from '../../../lib/device/private-file.ts';
import { disablingName } from '../../../lib/protocol/disabling.ts';
import { parseRecord } from '../../../lib/protocol/record.ts';
import { batches } from '../../../lib/store/marks.ts';
import { asJson, asText, type FuzzTarget, must, once, saysTheSame, unless, unlessThrown } from '../target.ts';
import { enrolment } from './keys.ts';

const folder = once(() => {
  const made = mkdtempSync(path.join(tmpdir(), 'fuzz-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
});

/** Puts the input into a file that its owner alone may read. */
function inFile(input: Uint8Array): string {
  const file = path.join(folder(), 'input');
  writeFileSync(file, input, { mode: 0o600 });
  return file;
}

const MARKS = once(() => {
  const t = new Uint8Array(16).fill(1);
  return [
    { kind: 'disabled', u: toBase64url(disablingName(t)), t: toBase64url(t), at: 1_800_000_000 },
    { kind: 'retired', id: 'A'.repeat(43), at: 1_800_000_000 },
  ].map((mark) => JSON.stringify(mark));
});

const keyFile = once(async () => {
  const file = path.join(folder(), 'keys.json');
  await (await KeySet.generate()).save(file);
  return asText(new Uint8Array(await import('node:fs').then((fs) => fs.readFileSync(file))));
});

const JWK = { kty: 'OKP', crv: 'Ed25519', x: 'WGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY' } as const;
const agent = once(async () => {
  const started = await startAgent({ jwk: JWK, comment: 'x', sign: async () => new Uint8Array(64) });
  process.once('exit', () => rmSync(path.dirname(started.socket), { recursive: true, force: true }));
  return started;
});
const framed = (message: Uint8Array) => strings(message);

/** All that an agent says to whoever sends this and no more. */
async function agentSays(input: Uint8Array): Promise<Uint8Array> {
  const socket = connect((await agent()).socket);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await new Promise<void>((closed, fail) => {
    socket.once('close', () => closed());
    socket.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' || error.code === 'ECONNRESET' ? closed() : fail(error),
    );
    socket.end(input);
  });
  return Buffer.concat(chunks);
}

export const files: readonly FuzzTarget[] = [
  {
    name: 'marks-file',
    from: 'a file',
    seeds: async () => [MARKS().join('\n'), `${MARKS().join('\n')}\n`, MARKS()[0] as string],
    async run(input) {
      const file = inFile(input);
      const lines = asText(input).split('\n');
      await unlessThrown(CommandLineError, async () => {
        let number = 0;
        for await (const mark of readMarks(file))
          must(saysTheSame(mark, JSON.parse(lines[number++] as string)), 'a mark read as something else');
      });
    },
  },
  {
    name: 'marks-import',
    from: 'a file',
    seeds: async () => [`[${MARKS().join()}]`],
    async run(input) {
      const json = asJson(input);
      if (!Array.isArray(json)) return;
      await unlessThrown(TypeError, async () => {
        for await (const batch of batches(json)) must(batch.length <= 500, 'a batch without bounds');
      });
    },
  },
  {
    name: 'key-file',
    from: 'a file',
    seeds: async () => [await keyFile()],
    async run(input) {
      const file = inFile(input);
      const set = await unlessThrown(TypeError, () => KeySet.load(file));
      must(set === undefined || set.jwks().keys.length > 0, 'a key set without keys');
    },
  },
  {
    name: 'record-file',
    from: 'a file',
    seeds: async () => [JSON.stringify((await enrolment()).record, null, 2)],
    async run(input) {
      const value = await readJsonFile(inFile(input));
      await unless(['bad_record'], () => parseRecord(value));
    },
  },
  {
    name: 'text-file',
    from: 'a file',
    seeds: async () => ['text', '\ufeffbom', 'x'.repeat(100)],
    async run(input) {
      const file = inFile(input);
      const text = await unlessThrown(CommandLineError, () => readTextInput(file, { max: 64 }));
      must(text === undefined || text.length <= 64, 'a text without bounds');
    },
  },
  {
    name: 'ssh-agent',
    from: 'anybody',
    async seeds() {
      const request = [Uint8Array.of(13), strings(sshPublicKeyBlob(JWK), Uint8Array.of(1, 2, 3)), uint32(0)];
      return [framed(Uint8Array.of(11)), framed(new Uint8Array(Buffer.concat(request)))];
    },
    async run(input) {
      const said = await agentSays(input);
      for (let at = 0; at < said.length; ) {
        must(said.length >= at + 5, 'half an answer');
        const length = new DataView(said.buffer, said.byteOffset).getUint32(at);
        must([5, 12, 14].includes(said[at + 4] as number), 'an answer that no agent gives');
        at += 4 + length;
        must(at <= said.length, 'half an answer');
      }
    },
  },
];
