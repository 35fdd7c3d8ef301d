/**
 * An SSH agent with one key that lives as long as its caller wants (draft-ietf-sshm-ssh-agent). The key never enters
 * it: it asks a function for each signature, so that shared keys work as well as recovered ones.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { concat, equalBytes, utf8 } from '../base/bytes.ts';
import type { PublicJwk } from '../crypto/keys/public-jwk.ts';
import {
  type SshAlg,
  sshAlgs,
  sshPublicKeyBlob,
  sshSignatureBlob,
  strings,
  uint32,
} from '../crypto/ssh/encoding.ts';

/** What the agent signs with. */
export interface AgentKey {
  readonly jwk: PublicJwk;
  /** What `ssh-add -l` shows beside the key. */
  readonly comment: string;
  sign(data: Uint8Array, alg: SshAlg): Promise<Uint8Array>;
}

/** An agent that listens. */
export interface Agent {
  /** For `SSH_AUTH_SOCK`. */
  readonly socket: string;
  close(): Promise<void>;
}

const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const FAILURE = Uint8Array.of(5);
const RSA_SHA2: Readonly<Record<number, SshAlg>> = { 2: 'RS256', 4: 'RS512' };

const MAX_MESSAGE = 256 * 1024;
const MAX_CONNECTIONS = 64;

/** Starts an agent on a socket in a folder that nobody else may enter. */
export async function startAgent(key: AgentKey): Promise<Agent> {
  const folder = await mkdtemp(path.join(tmpdir(), 'roaming-key-'));
  const socket = path.join(folder, 'agent.sock');
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    void serve(connection, key);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const close = async () => {
    await new Promise<void>((done) => {
      server.close(() => done());
      for (const connection of connections) connection.destroy();
    });
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((ready, fail) => {
      server.once('error', fail);
      server.listen(socket, ready);
    });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return { socket, close };
}

/** Answers one connection's requests in their order; one that is out of bounds ends it. */
async function serve(connection: Socket, key: AgentKey): Promise<void> {
  let pending = new Uint8Array(0);
  try {
    for await (const chunk of connection as AsyncIterable<Buffer>) {
      pending = concat(pending, chunk);
      for (;;) {
        if (pending.length < 4) break;
        const length = new DataView(pending.buffer).getUint32(0);
        if (length === 0 || length > MAX_MESSAGE) return;
        if (pending.length < 4 + length) break;
        const message = pending.slice(4, 4 + length);
        pending = pending.slice(4 + length);
        connection.write(strings(await answer(message, key).catch(() => FAILURE)));
      }
    }
  } catch {
    // The other side went away; there is nobody to tell.
  } finally {
    connection.destroy();
  }
}

async function answer(message: Uint8Array, key: AgentKey): Promise<Uint8Array> {
  const blob = sshPublicKeyBlob(key.jwk);
  if (message[0] === REQUEST_IDENTITIES && message.length === 1) {
    return concat(Uint8Array.of(IDENTITIES_ANSWER), uint32(1), strings(blob, utf8(key.comment)));
  }
  if (message[0] !== SIGN_REQUEST) return FAILURE;
  const wanted = takeString(message.subarray(1));
  if (!wanted || !equalBytes(wanted.value, blob)) return FAILURE;
  const data = takeString(wanted.rest);
  if (data?.rest.length !== 4) return FAILURE;
  // RSA with SHA-1, which no flag stands for, is not offered.
  const alg = key.jwk.kty === 'RSA' ? RSA_SHA2[data.rest[3] as number] : sshAlgs(key.jwk)[0];
  if (alg === undefined) return FAILURE;
  const signature = await key.sign(data.value, alg);
  return concat(Uint8Array.of(SIGN_RESPONSE), strings(sshSignatureBlob(alg, signature)));
}

function takeString(bytes: Uint8Array): { value: Uint8Array; rest: Uint8Array } | undefined {
  if (bytes.length < 4) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (length > bytes.length - 4) return undefined;
  return { value: bytes.subarray(4, 4 + length), rest: bytes.subarray(4 + length) };
}
