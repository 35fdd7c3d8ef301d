import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** An example app in a process of its own, with its data in a folder that is removed at the end. */
export interface RunningApp {
  /** Where it listens, such as `http://localhost:3000`. */
  readonly origin: string;
  /** Ends it as an operator would, and resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `file` (beside this folder, or a whole URL) on a free port. */
export async function startApp(file: string, env: Record<string, string> = {}): Promise<RunningApp> {
  const data = mkdtempSync(path.join(tmpdir(), 'roaming-key-'));
  const script = new URL(file, new URL('../', import.meta.url)).pathname;
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, PORT: '0', DATA: data, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const origin = await new Promise<string>((ready, fail) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const line = /listening on (\S+)/.exec(text);
      if (line) ready(line[1] as string);
    });
    void ended.then((code) => fail(new Error(`${file} ended with ${code}`)));
  });
  return {
    origin,
    async stop() {
      child.kill('SIGTERM');
      const code = await ended;
      rmSync(data, { recursive: true, force: true });
      return code;
    },
  };
}
