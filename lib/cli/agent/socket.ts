/** The agent's socket: who may reach it, and how much of this process one client can take. */
import { chmod, lstat, mkdir, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { concat } from '../../base/bytes.ts';
import { strings } from '../../crypto/ssh/encoding.ts';
import { CommandLineError } from '../failure.ts';
import type { Client } from './agent.ts';
import { FAILURE } from './answers.ts';

/** An agent that listens. */
export interface AgentSocket {
  /** For `SSH_AUTH_SOCK`. */
  readonly path: string;
  close(): Promise<void>;
}

/** Answers one message of a client. */
export type Answer = (message: Uint8Array, client: Client) => Promise<Uint8Array>;

/** The longest message, as OpenSSH has it. */
const MAX_MESSAGE = 256 * 1024;
/** Requests of all clients that wait for an answer. */
const MAX_WAITING = 1024;
/** Bytes of messages that have not come whole, of all clients. */
const MAX_PENDING = 16 * 1024 * 1024;
/** How long a message may take to come whole, in milliseconds. */
const MESSAGE_TIME = 30_000;
/** What a Unix socket's address holds: `sun_path` without its final zero. */
const MAX_PATH = process.platform === 'darwin' ? 103 : 107;

/**
 * Listens on a socket that this user alone may reach.
 *
 * @throws CommandLineError `usage` for a path that is too long; `exists` where an agent listens there, or where something
 *   stands that is not a socket of this user's; `io` where others may change the folder
 */
export async function listenOn(file: string, answer: Answer): Promise<AgentSocket> {
  assertSocketPath(file);
  await prepareFolder(path.dirname(path.resolve(file)));
  await removeStale(file);
  const clients = new Set<Socket>();
  const limits = { waiting: 0, pending: 0 };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    clients.add(socket);
    socket.once('close', () => clients.delete(socket));
    socket.on('error', () => {});
    void serve(socket, answer, limits);
  });
  await bindPrivately(server, file);
  return {
    path: file,
    async close() {
      await new Promise<void>((closed) => {
        server.close(() => closed());
        for (const client of clients) client.destroy();
      });
    },
  };
}

/**
 * @throws CommandLineError `usage`: the kernel's limit, beyond which Node would cut the path and listen elsewhere
 */
export function assertSocketPath(file: string): void {
  const length = Buffer.byteLength(file);
  if (length <= MAX_PATH) return;
  throw new CommandLineError(
    'usage',
    `the path of a socket may have ${MAX_PATH} bytes and ${file} has ${length}: use a shorter --socket or TMPDIR`,
  );
}

async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = await stat(folder);
  const isOurs = uid === process.getuid?.() || uid === 0;
  const isSticky = (mode & 0o1000) !== 0;
  if (isOurs && ((mode & 0o022) === 0 || isSticky)) return;
  throw new CommandLineError('io', `${folder} can be changed by other users: no place for an agent's socket`);
}

/** Removes a socket that no process listens on any more. */
async function removeStale(file: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket() || found.uid !== process.getuid?.()) {
    const what = found.isSymbolicLink()
      ? 'a symbolic link'
      : found.isSocket()
        ? "another user's"
        : 'not a socket';
    throw new CommandLineError('exists', `${file} is ${what} and stays as it is: choose another --socket`);
  }
  if (await isAnswered(file)) throw new CommandLineError('exists', `${file}: an agent listens there already`);
  await unlink(file);
}

function isAnswered(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(file);
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });
}

async function bindPrivately(server: Server, file: string): Promise<void> {
  // With this mask the socket is private from its first moment.
  const before = process.umask(0o177);
  try {
    await new Promise<void>((ready, fail) => {
      server.once('error', fail);
      server.listen(file, () => ready());
    });
  } finally {
    process.umask(before);
  }
  await chmod(file, 0o600);
}

/** Answers one client's requests in their order, also after it has ended its side; one that is out of bounds ends it. */
async function serve(
  socket: Socket,
  answer: Answer,
  limits: { waiting: number; pending: number },
): Promise<void> {
  const client: Client = { binds: [] };
  let pending = new Uint8Array(0);
  let late: NodeJS.Timeout | undefined;
  const keep = (bytes: Uint8Array<ArrayBuffer>) => {
    limits.pending += bytes.length - pending.length;
    pending = bytes;
  };
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      clearTimeout(late);
      keep(concat(pending, chunk));
      if (limits.pending > MAX_PENDING) return;
      for (let message = takeMessage(pending); message; message = takeMessage(pending)) {
        keep(pending.slice(4 + message.length));
        const said = await inBounds(limits, () => answer(message as Uint8Array, client));
        if (!socket.write(strings(said))) await drained(socket);
      }
      if (isTooLong(pending)) return;
      if (pending.length > 0) late = setTimeout(() => socket.destroy(), MESSAGE_TIME).unref();
    }
    await new Promise<void>((ended) => socket.end(() => ended()));
  } catch {
    // The client went away.
  } finally {
    clearTimeout(late);
    keep(new Uint8Array(0));
    socket.destroy();
  }
}

async function inBounds(limits: { waiting: number }, run: () => Promise<Uint8Array>): Promise<Uint8Array> {
  if (limits.waiting >= MAX_WAITING) return FAILURE;
  limits.waiting += 1;
  try {
    return await run();
  } finally {
    limits.waiting -= 1;
  }
}

function takeMessage(pending: Uint8Array<ArrayBuffer>): Uint8Array | undefined {
  if (pending.length < 5 || isTooLong(pending)) return undefined;
  const length = lengthOf(pending);
  return pending.length < 4 + length ? undefined : pending.slice(4, 4 + length);
}

function isTooLong(pending: Uint8Array): boolean {
  if (pending.length < 4) return false;
  const length = lengthOf(pending);
  return length === 0 || length > MAX_MESSAGE;
}

function lengthOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
  });
}
