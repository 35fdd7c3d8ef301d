/** What the command line reads: files, and an agent's socket. */
import { type JsonWebKey, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KeySet } from '../../../lib/assistant/keys.ts';
import { concat, toBase64url, utf8 } from '../../../lib/base/bytes.ts';
import { SshAgent } from '../../../lib/cli/agent/agent.ts';
import { listenOn } from '../../../lib/cli/agent/socket.ts';
import { CommandLineError } from '../../../lib/cli/failure.ts';
import { readTextInput } from '../../../lib/cli/files.ts';
import { readMarks } from '../../../lib/cli/marks-file.ts';
import { sshPublicKeyBlob, strings, uint32 } from '../../../lib/crypto/ssh/encoding.ts';
import { readJsonFile } from '../../../lib/device/private-file.ts';
import { disablingName } from '../../../lib/protocol/disabling.ts';
import { parseRecord } from '../../../lib/protocol/record.ts';
import { batches } from '../../../lib/store/marks.ts';
import { generateKeyPairSync } from '../../support/key-pair.ts';
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
const BLOB = sshPublicKeyBlob(JWK);
const identity = {
  blob: BLOB,
  comment: 'x',
  sign: async () => strings(new Uint8Array(64)),
  forget: () => {},
};

/** An agent that never locks: one that did would answer all that follows alike. */
const agent = once(async () => {
  const served = new SshAgent({ list: async () => [identity] }, { confirm: async () => true });
  return listenOn(path.join(folder(), 'agent.sock'), async (message, client) =>
    message[0] === 22 ? Uint8Array.of(5) : served.answer(message, client),
  );
});
/** As `ssh-add` sends an Ed25519 key, with a lifetime and a question before each use. */
function addition(): Uint8Array {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const [x, d] = [publicKey, privateKey].map((key) => key.export({ format: 'jwk' })) as JsonWebKey[];
  const [pub, seed] = [x?.x, d?.d].map((text) => new Uint8Array(Buffer.from(text as string, 'base64url')));
  const key = strings(
    utf8('ssh-ed25519'),
    pub as Uint8Array,
    concat(seed as Uint8Array, pub as Uint8Array),
    utf8('me'),
  );
  return concat(Uint8Array.of(25), key, Uint8Array.of(1), uint32(60), Uint8Array.of(2));
}

/** As `ssh` binds a connection to its session. */
function binding(): Uint8Array {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  const hostKey = strings(utf8('ssh-ed25519'), new Uint8Array(Buffer.from(x as string, 'base64url')));
  const session = new Uint8Array(32);
  const signature = strings(utf8('ssh-ed25519'), sign(null, session, privateKey));
  const name = strings(utf8('session-bind@openssh.com'), hostKey, session, signature);
  return concat(Uint8Array.of(27), name, Uint8Array.of(0));
}

const framed = (message: Uint8Array) => strings(message);

/** All that an agent says to whoever sends this and no more. */
async function agentSays(input: Uint8Array): Promise<Uint8Array> {
  const socket = connect((await agent()).path);
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
      const request = concat(Uint8Array.of(13), strings(BLOB, Uint8Array.of(1, 2, 3)), uint32(0));
      const removal = concat(Uint8Array.of(18), strings(BLOB));
      const messages = [Uint8Array.of(11), request, addition(), binding(), removal, Uint8Array.of(19)];
      return messages.map(framed);
    },
    async run(input) {
      const said = await agentSays(input);
      for (let at = 0; at < said.length; ) {
        must(said.length >= at + 5, 'half an answer');
        const length = new DataView(said.buffer, said.byteOffset).getUint32(at);
        must([5, 6, 12, 14, 28].includes(said[at + 4] as number), 'an answer that no agent gives');
        at += 4 + length;
        must(at <= said.length, 'half an answer');
      }
    },
  },
];
