/** Asking for a password on the terminal, without showing it. */
import { openSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { ReadStream } from 'node:tty';
import { CommandLineError } from './failure.ts';

const MAX_LENGTH = 4096;

interface Terminal {
  readonly input: ReadStream;
  write(text: string): void;
  end(): void;
}

/**
 * Asks on the controlling terminal, so that stdin and stdout stay free for data.
 *
 * @param otherwise how to give it where there is no terminal
 * @returns the line, without its end
 * @throws CommandLineError `usage` where there is no terminal; `interrupted` after Ctrl-C or Ctrl-D
 */
export function promptSecret(question: string, otherwise: string): Promise<string> {
  return prompt(question, otherwise, () => {});
}

/** As {@link promptSecret}, showing what is typed. */
export function promptLine(question: string, otherwise: string): Promise<string> {
  return prompt(question, otherwise, (text, terminal) => terminal.write(text));
}

async function prompt(
  question: string,
  otherwise: string,
  echo: (text: string, terminal: Terminal) => void,
): Promise<string> {
  const terminal = openTerminal();
  if (!terminal) {
    const what = question.replace(/: $/, '').toLowerCase();
    throw new CommandLineError('usage', `no terminal to ask for the ${what} on: use ${otherwise}`);
  }
  const { input } = terminal;
  input.setRawMode(true);
  terminal.write(question);
  try {
    const line = await readLine(input);
    echo(line, terminal);
    return line;
  } finally {
    input.setRawMode(false);
    terminal.write('\n');
    terminal.end();
  }
}

function openTerminal(): Terminal | undefined {
  try {
    const fd = openSync('/dev/tty', 'r+');
    const input = new ReadStream(fd);
    return { input, write: (text) => void writeSync(fd, text), end: () => void input.destroy() };
  } catch {
    // Windows has no /dev/tty; a service has no terminal at all.
    if (!process.stdin.isTTY) return undefined;
    const input = process.stdin;
    return { input, write: (text) => void process.stderr.write(text), end: () => void input.pause() };
  }
}

function readLine(input: ReadStream): Promise<string> {
  const decoder = new StringDecoder('utf8');
  let line = '';
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      input.off('data', onData);
      input.off('end', onEnd);
      settle();
    };
    const interrupt = () => finish(() => reject(new CommandLineError('interrupted', 'interrupted')));
    const onEnd = interrupt;
    const onData = (chunk: Buffer) => {
      for (const character of withoutKeys(decoder.write(chunk))) {
        if (character === '\r' || character === '\n') {
          finish(() => resolve(line));
          return;
        }
        if (character === '\x03' || character === '\x04') {
          interrupt();
          return;
        }
        line = typed(line, character);
      }
    };
    input.on('data', onData);
    input.on('end', onEnd);
  });
}

/** The line after one more key: backspace, Ctrl-U to begin anew, or a character. */
function typed(line: string, character: string): string {
  if (character === '\x7f' || character === '\b') return Array.from(line).slice(0, -1).join('');
  if (character === '\x15') return '';
  if (character < ' ' || line.length >= MAX_LENGTH) return line;
  return line + character;
}

/** Text without what arrow and function keys send (ECMA-48), which is no part of a password. */
function withoutKeys(text: string): string {
  const [start = '', ...others] = text.split('\x1b');
  return start + others.map((part) => part.replace(/^(\[[0-?]*[ -/]*[@-~]|O.)/, '')).join('');
}
