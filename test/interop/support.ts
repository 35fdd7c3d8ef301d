import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createPublicKey, type JsonWebKeyInput } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { integer, sequence } from '../support/der.ts';
import { CHEAP_KDF } from '../support/world.ts';

const PYTHON = '/usr/bin/python3';
const PEER = fileURLToPath(new URL('peer', import.meta.url));

/** Under CI a missing peer is a failure; on a user's machine it is a skip that says so. */
export const isSkipped = !process.env['CI'] && isPeerMissing();

function isPeerMissing(): boolean {
  const isMissing =
    spawnSync(PYTHON, ['-c', 'import argon2, cryptography'], { stdio: 'ignore' }).status !== 0;
  if (isMissing) {
    console.warn(
      `${PYTHON} with the modules cryptography and argon2 is missing (Debian: python3-cryptography, python3-argon2): ` +
        'the tests against the independent implementation are skipped',
    );
  }
  return isMissing;
}

/** The cheapest Argon2id that records may have, as records spell it. */
export const KDF = { name: 'argon2id', ...CHEAP_KDF } as const;

/** What the peer refused, in its own words. */
export class PeerFault extends Error {
  override readonly name = 'PeerFault';
  readonly code: string;
  readonly told: Readonly<Record<string, unknown>>;

  constructor({ code, ...told }: { readonly code: string }) {
    super(`${code} ${JSON.stringify(told)}`);
    this.code = code;
    this.told = told;
  }
}

type Answer =
  | { readonly ok: unknown }
  | { readonly fault: { readonly code: string } }
  | { readonly crash: string };

/** A process of the peer, which does one thing after another. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(...args: readonly string[]) {
    this.#child = spawn(PYTHON, ['-B', PEER, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    const { stdin, stdout } = this.#child;
    if (!stdin || !stdout) throw new Error('no pipes');
    // Whoever writes to a peer that has ended is told so by what it reads.
    stdin.on('error', () => {});
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** The next line the peer writes. */
  async read(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the peer has ended');
    return JSON.parse(value);
  }

  /**
   * Has the peer do something.
   *
   * @throws PeerFault where it refuses
   */
  do<T = Record<string, unknown>>(what: string, options: object = {}): Promise<T> {
    const done = this.#last.then(async () => {
      this.#child.stdin?.write(`${JSON.stringify({ do: what, ...options })}\n`);
      const answer = (await this.read()) as Answer;
      if ('fault' in answer) throw new PeerFault(answer.fault);
      if ('crash' in answer) throw new Error(answer.crash);
      return answer.ok as T;
    });
    this.#last = done.catch(() => {});
    return done;
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }
}

/** The peer's assistant, with a relying party at the same origin. */
export class PeerAssistant extends Peer {
  url = '';

  static async start(keyType = 'X25519'): Promise<PeerAssistant> {
    const peer = new PeerAssistant('assistant', keyType);
    peer.url = ((await peer.read()) as { listening: string }).listening;
    return peer;
  }
}

/** The peer's device and its assistant, for as long as the tests of the suite that calls this. */
export function startPeers(): { readonly device: Peer; readonly assistant: PeerAssistant } {
  let device: Peer | undefined;
  let assistant: PeerAssistant | undefined;
  beforeAll(async () => {
    device = new Peer('device');
    assistant = await PeerAssistant.start();
    // All of a suite come from one address.
    await assistant.do('limit', { ids: 1_000_000 });
  });
  afterAll(() => Promise.all([device?.stop(), assistant?.stop()]));
  return {
    get device() {
      return running(device);
    },
    get assistant() {
      return running(assistant);
    },
  };
}

function running<T>(peer: T | undefined): T {
  if (!peer) throw new Error('the peer runs while tests do');
  return peer;
}

/** What the peer can attack with: groups of cases and their sizes, by kind of assistant key; lies, and lists of keys. */
export interface Attacks {
  readonly assaults: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly lies: readonly string[];
  readonly keyLists: readonly string[];
}

export function listAttacks(): Attacks {
  if (isSkipped) return { assaults: {}, lies: [], keyLists: [] };
  return JSON.parse(execFileSync(PYTHON, ['-B', PEER, 'cases'], { encoding: 'utf8' }));
}

/** Whether OpenSSL's command line takes a signature, as JOSE has it, for genuine. */
export function isGenuineToOpenssl(
  jwk: object,
  alg: string,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const folder = mkdtempSync(path.join(tmpdir(), 'roaming-key-openssl-'));
  try {
    const file = (name: string, content: string | Uint8Array) => {
      writeFileSync(path.join(folder, name), content);
      return path.join(folder, name);
    };
    const pem = createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    const key = file('key.pem', pem);
    const input = file('data', data);
    const sig = file('sig', alg === 'ES256' ? sequence(...halves(signature)) : signature);
    const hash = `-sha${alg.slice(2)}`;
    const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'];
    const args =
      alg === 'Ed25519'
        ? ['pkeyutl', '-verify', '-pubin', '-inkey', key, '-rawin', '-in', input, '-sigfile', sig]
        : ['dgst', hash, '-verify', key, ...(alg.startsWith('PS') ? pss : []), '-signature', sig, input];
    return spawnSync('openssl', args, { stdio: 'ignore' }).status === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** r and s of an ECDSA signature. */
function halves(signature: Uint8Array): Uint8Array[] {
  const hex = Buffer.from(signature).toString('hex');
  return [hex.slice(0, 64), hex.slice(64)].map((half) => integer(BigInt(`0x${half}`)));
}

/** What the cases of an attack were answered, and what was wrong with that. */
export interface CaseAnswers {
  readonly results: Readonly<Record<string, { readonly status: number; readonly wrong: readonly string[] }>>;
}

/** The answers that were wrong, by case. */
export function wrongAnswers(results: CaseAnswers['results']): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(results).flatMap(([name, { wrong }]) => (wrong.length > 0 ? [[name, wrong]] : [])),
  );
}
