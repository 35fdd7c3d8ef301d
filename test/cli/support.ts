import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { packageBuild } from '../support/builds.ts';
import { CHEAP_KDF, PASSWORD } from '../support/world.ts';

/**
 * A command ends before optimised code has paid for itself: a sixth less for each. Node 20 does not end before it has compiled
 * what reads the answers of `fetch`: 0.2 s for each.
 */
const FLAGS = [
  '--no-opt',
  '--v8-pool-size=0',
  ...(process.version.startsWith('v20.') ? ['--wasm-tiering-budget=40000000'] : []),
];
const COMMAND = [process.execPath, ...FLAGS, path.join(await packageBuild(), 'dist', 'cli', 'main.js')];

/** What is to be undone when a file's tests are over, last things first. */
let undo: (() => unknown)[] | undefined;

/** Undoes it; for the top of a test file, since files share this module. */
export function cleanUp(): void {
  undo = [];
  afterAll(async () => {
    const steps = undo ?? [];
    undo = undefined;
    for (const step of steps.reverse()) await step();
  });
}

/** Leaves something to be done when the file's tests are over. */
export function atEnd(step: () => unknown): void {
  if (!undo) throw new Error('call cleanUp() at the top of the test file');
  undo.push(step);
}

/** The cheapest enrolment, as options. */
export const CHEAP = [
  `--kdf-memory=${CHEAP_KDF.m}`,
  `--kdf-passes=${CHEAP_KDF.t}`,
  `--kdf-lanes=${CHEAP_KDF.p}`,
];

/** What a process left. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  /** Set, or with `undefined` taken away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A user's home of its own, in which commands run as real processes without a terminal. */
export interface Sandbox {
  readonly folder: string;
  /** A path in the sandbox. */
  file(...names: string[]): string;
  /** Runs `roaming-key` with these arguments. */
  run(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** As `run` with `--json`, which must succeed: the one object on stdout. */
  json(args: readonly string[], options?: RunOptions): Promise<Record<string, unknown>>;
  /** As `run` with `--json`, which must fail: the one object on stderr, and nothing on stdout. */
  failure(args: readonly string[], options?: RunOptions): Promise<Record<string, unknown>>;
  /** Runs a line in a shell that finds `roaming-key`. */
  shell(line: string, options?: RunOptions): Promise<Ended>;
  /** Starts a line in a shell and leaves it running until the file's tests are over. */
  start(line: string): Started;
}

/** A process that runs. */
export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until stdout or stderr matches. */
  readonly until: (pattern: RegExp) => Promise<RegExpExecArray>;
}

/** Makes a sandbox that is removed when the file's tests are over. */
export function sandbox(base: Readonly<Record<string, string>> = {}): Sandbox {
  const folder = mkdtempSync(path.join(tmpdir(), 'roaming-key-cli-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = (...names: string[]) => path.join(folder, ...names);
  mkdirSync(file('bin'));
  writeFileSync(file('bin', 'roaming-key'), `#!/bin/sh\nexec ${COMMAND.map(quote).join(' ')} "$@"\n`);
  chmodSync(file('bin', 'roaming-key'), 0o755);
  const { PATH = '' } = process.env;
  const fixed = {
    PATH: `${file('bin')}:${PATH}`,
    HOME: folder,
    XDG_DATA_HOME: file('data'),
    ROAMING_KEY_PASSWORD: PASSWORD,
    ...base,
  };
  const begin = (command: string, args: readonly string[], { input, env }: RunOptions) => {
    const all = Object.entries({ ...fixed, ...env }).filter(([, value]) => value !== undefined);
    // A session of its own, so that no process finds the terminal that the tests may run on.
    const child = spawn(command, args, {
      cwd: folder,
      env: Object.fromEntries(all) as NodeJS.ProcessEnv,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    return watch(child);
  };
  const run: Sandbox['run'] = (args, options = {}) =>
    begin(COMMAND[0] as string, [...COMMAND.slice(1), ...args], options).ended;
  return {
    folder,
    file,
    run,
    async json(args, options) {
      const { status, stdout, stderr } = await run([...args, '--json'], options);
      if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
      return oneObject(stdout);
    },
    async failure(args, options) {
      const { status, stdout, stderr } = await run([...args, '--json'], options);
      if (status === 0 || stdout !== '') throw new Error(`${args.join(' ')} did not fail: ${stdout}`);
      const told = oneObject(stderr);
      if (told['exitCode'] !== status) throw new Error(`exit status ${status}, but ${stderr}`);
      return told;
    },
    shell: (line, options = {}) => begin('/bin/sh', ['-c', line], options).ended,
    start(line) {
      const started = begin('/bin/sh', ['-c', `exec ${line}`], {});
      atEnd(() => {
        started.child.kill('SIGTERM');
        return started.ended;
      });
      return started;
    },
  };
}

/** Starts `roaming-key serve` on a free port, with keys and a store in the sandbox. */
export async function serveAssistant(
  box: Sandbox,
  options = '',
): Promise<Started & { readonly url: string }> {
  await box.json(['keys', 'generate', '--keys', 'keys.json']);
  const started = box.start(
    `roaming-key serve --port 0 --keys keys.json --store sqlite:store.db --log ${options}`,
  );
  const [, url] = await started.until(/listening on (\S+)\n/);
  return { ...started, url: url as string };
}

/** A program for SSH_ASKPASS that answers by the lines of a file, one a question, and notes what it was asked. */
export function askpass(box: Sandbox, ...answers: readonly string[]): string {
  writeFileSync(box.file('answers'), answers.map((answer) => `${answer}\n`).join(''));
  writeFileSync(box.file('asked'), '');
  writeFileSync(
    box.file('askpass'),
    `#!/bin/sh
cd '${box.folder}'
printf '%s %s\\n' "$SSH_ASKPASS_PROMPT" "$1" >> asked
[ -s answers ] || exit 1
answer=$(head -n 1 answers); sed -i 1d answers
[ "$answer" = no ] && exit 1
printf '%s\\n' "$answer"
`,
  );
  chmodSync(box.file('askpass'), 0o755);
  return `SSH_ASKPASS='${box.file('askpass')}' SSH_ASKPASS_REQUIRE=force`;
}

/** Runs a line on a terminal of its own and types each answer when its question has come. */
export async function onTerminal(
  box: Sandbox,
  line: string,
  dialogue: readonly (readonly [question: string, answer: string])[],
): Promise<{ readonly status: number | null; readonly shown: string }> {
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    cwd: box.folder,
    env: {
      PATH: `${box.file('bin')}:${process.env['PATH']}`,
      HOME: box.folder,
      XDG_DATA_HOME: box.file('data'),
      TERM: 'dumb',
      SHELL: '/bin/sh',
    },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { ended, until } = watch(child);
  for (const [question, answer] of dialogue) {
    await until(new RegExp(question.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
    child.stdin.write(answer);
  }
  const { status, stdout } = await ended;
  return { status, shown: stdout };
}

function watch(child: ChildProcess): Started {
  let stdout = '';
  let stderr = '';
  let from = 0;
  const waiting = new Set<() => void>();
  const heard = () => {
    for (const look of waiting) look();
  };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    heard();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    heard();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
  return {
    child,
    ended,
    until(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          // Each wait goes on where the last one ended, so that a question asked twice is heard twice.
          const inOutput = pattern.exec(stdout.slice(from));
          const found = inOutput ?? pattern.exec(stderr);
          if (!found) return;
          if (inOutput) from += inOutput.index + inOutput[0].length;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
        void ended.then(
          (left) => reject(new Error(`ended before ${pattern}: ${JSON.stringify(left)}`)),
          reject,
        );
      });
    },
  };
}

function oneObject(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error(`no object: ${text}`);
  return value as Record<string, unknown>;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
