/** Programs that run beside the tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { programOf } from './builds.ts';

/** An assistant in a process of its own. */
export interface AssistantProcess {
  readonly url: string;
  /** Ends it as a loss of power does. */
  kill(): Promise<void>;
  /** The same, and starts it anew with what its folder holds, at the same URL. */
  restart(): Promise<void>;
}

/** Starts an assistant that keeps its keys and its store in a folder. */
export async function startAssistantProcess(folder: string): Promise<AssistantProcess> {
  const program = await programOf(path.join(import.meta.dirname, 'assistant-process.ts'));
  let child: ChildProcess | undefined;
  const start = (port: string) =>
    new Promise<string>((resolve, reject) => {
      child = spawn(process.execPath, [program, folder, port], { stdio: ['ignore', 'pipe', 'inherit'] });
      child.once('exit', () => reject(new Error('the assistant has ended')));
      child.stdout?.once('data', (line: Buffer) => resolve(line.toString().trim()));
    });
  const kill = () =>
    new Promise<void>((resolve) => {
      child?.once('exit', () => resolve());
      child?.kill('SIGKILL');
    });
  const url = await start('0');
  return {
    url,
    kill,
    async restart() {
      await kill();
      const again = await start(new URL(url).port);
      if (again !== url) throw new Error(`the assistant was at ${url}, and is at ${again}`);
    },
  };
}

/** What a module prints, run by a process of its own; nothing where it fails. */
export function outputOf(code: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve) => {
    const run = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    run.stdout.on('data', (part: Buffer) => {
      text += part.toString();
    });
    run.once('close', () => resolve(text.trim()));
  });
}
