/** Marks as lines of JSON, one each, as `store export` writes them. */
import { createReadStream } from 'node:fs';
import * as v from 'valibot';
import { toBase64url } from '../base/bytes.ts';
import { bytes, seconds } from '../base/json.ts';
import { disablingName } from '../protocol/disabling.ts';
import type { Mark } from '../store/store.ts';
import { CommandLineError } from './failure.ts';
import { parseJson } from './files.ts';

/** The longest line of a mark is half as long; a file without line ends must not fill the memory. */
const MAX_LINE = 512;

const MARK = v.variant('kind', [
  v.strictObject({ kind: v.literal('disabled'), u: bytes(32), t: bytes(16), at: seconds }),
  v.strictObject({ kind: v.literal('retired'), id: bytes(32), at: seconds }),
]);

/**
 * Reads marks from a file, or from stdin.
 *
 * @throws CommandLineError `bad_input` naming the line that is no mark, or whose t does not name its u
 */
export async function* readMarks(file: string | undefined): AsyncGenerator<Mark> {
  const input = file === undefined || file === '-' ? process.stdin : createReadStream(file);
  let number = 0;
  for await (const line of boundedLines(input)) {
    number += 1;
    const mark = readMark(line);
    if (!mark) throw new CommandLineError('bad_input', `line ${number} is no mark`);
    yield mark;
  }
}

function readMark(line: string): Mark | undefined {
  const read = v.safeParse(MARK, parseJson(line), { abortEarly: true });
  if (!read.success) return undefined;
  const mark = read.output;
  if (mark.kind === 'retired') return { ...mark, id: toBase64url(mark.id) };
  const u = toBase64url(mark.u);
  if (toBase64url(disablingName(mark.t)) !== u) return undefined;
  return { ...mark, u, t: toBase64url(mark.t) };
}

async function* boundedLines(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length > MAX_LINE) {
      yield rest;
      return;
    }
  }
  if (rest !== '') yield rest;
}
