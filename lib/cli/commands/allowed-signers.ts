import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, Option } from 'commander';
import { type CommonOptions, command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { readTextInput, writeOutput } from '../files.ts';
import { readTime, type Signer } from '../hosts/allowed-signers.ts';
import type { KeyLine } from '../hosts/key-lines.ts';
import { gather, type OutOptions, type RecordOptions, recordOptions, wholeNumber } from '../options.ts';
import { note } from '../output.ts';
import { recordSource } from '../record-source.ts';

interface Options extends RecordOptions, OutOptions {
  readonly principal?: string;
  readonly keys?: string;
  readonly feed?: string;
  readonly namespace?: readonly string[];
  readonly disabledAt?: number;
  readonly cache?: string;
  readonly timeout: number;
}

const MAX_FILE = 16 * 1024 * 1024;

export const allowedSigners = command<Options>({
  name: 'allowed-signers',
  summary: 'write the file by which git and ssh-keygen verify signatures',
  description: `Writes lines of allowed_signers for a record of yours, or for the keys of a file as \`roaming-key authorized-keys\` takes
it, whose comments begin with the signer's name. A disabled key stays in the file with the time from which its
signatures are not good (valid-before, OpenSSH 9.1 or later): git compares it with the date of the commit. That time is
when this command first saw the key disabled, or what --disabled-at says; a date that stands in the file of --out
stays. Signers choose the date of a commit: what was signed before the disabling with a date of the thief's stays good.`,
  options: [
    ...recordOptions(),
    new Option('--principal <name>', 'the signer of the record, such as ada@example.org'),
    new Option('--keys <file>', 'lines of keys whose comments hold the signer and u=NAME').conflicts([
      'name',
      'record',
      'principal',
    ]),
    new Option('--feed <url>', "the assistant of these keys (default: the record's)"),
    new Option('--namespace <name>', 'what signatures may be for; may be repeated (default: git)').argParser(
      gather,
    ),
    new Option(
      '--disabled-at <time>',
      'when disabled keys stopped being good, such as 2026-11-28T18:03:00Z',
    ).argParser((text) => {
      const time = readTime(text);
      if (time === undefined) throw new InvalidArgumentError('A time in the past is needed.');
      return time;
    }),
    new Option(
      '--out <file>',
      'where the lines are written, in place of what stands there (default: stdout)',
    ),
    new Option('--cache <file>', 'where readings of the list are kept (default: in ~/.cache/roaming-key)'),
    new Option('--timeout <seconds>', 'how long to wait for an answer')
      .default(10)
      .argParser(wholeNumber(1, 600)),
  ],
  json: '{ "signers": [ { "principal", "key", "disabledAt"? } ] } or { "out" }',
  examples: [
    {
      does: 'git config gpg.ssh.allowedSignersFile allowed_signers',
      line: 'roaming-key allowed-signers --name ssh --principal ada@example.org --out allowed_signers',
    },
  ],
  async run(options) {
    const { out, namespace = ['git'], disabledAt } = options;
    if (!namespace.every((name) => /^[\w@.-]+$/.test(name)))
      throw new CommandLineError('usage', 'a namespace has letters, digits and @._- alone');
    const [{ allowedSigners }, { disabledNames, defaultCache }, { disabledSince }] = await Promise.all([
      import('../hosts/allowed-signers.ts'),
      import('../hosts/disabled-names.ts'),
      import('../hosts/key-lines.ts'),
    ]);
    const { keys, feed, source } =
      options.keys === undefined ? await ofRecord(options) : await ofFile(options, options.keys);
    const disabled = await disabledNames(
      keys.flatMap(({ names }) => names),
      {
        feed,
        cache: options.cache ?? defaultCache(feed, source),
        fresh: 0,
        maxStale: 1,
        timeout: options.timeout,
        json: options.json,
      },
    );
    const since = disabledSince(keys, disabled);
    const signers = keys.map((line): Signer => {
      const { principal, key, comment } = line;
      const at = since(line);
      return { principal, key, comment, disabledAt: at === undefined ? at : (disabledAt ?? at) };
    });
    if (out === undefined || out === '-') {
      const json = signers.map(({ principal, key, disabledAt: at }) => ({
        principal,
        key,
        ...(at !== undefined && { disabledAt: at }),
      }));
      return { json: { signers: json }, text: allowedSigners(signers, namespace, '') };
    }
    const before = await readFile(out, 'utf8').catch(() => '');
    await writeOutput(out, allowedSigners(signers, namespace, before), { force: true, isPublic: true });
    return { json: { out }, text: '' };
  },
});

interface NamedKey extends Pick<KeyLine, 'key' | 'blob' | 'comment' | 'names'> {
  readonly principal: string;
}

interface Chosen {
  readonly keys: readonly NamedKey[];
  readonly feed: string;
  /** What the readings are kept for. */
  readonly source: string;
}

async function ofRecord(options: Options): Promise<Chosen> {
  const { principal } = options;
  if (principal === undefined || !/^[^\s,"*?!]+$/.test(principal))
    throw new CommandLineError('usage', 'give --principal, a name without blanks, or --keys');
  const [{ sshPublicKey, sshPublicKeyBlob }, { load, place }] = await Promise.all([
    import('../../crypto/ssh/encoding.ts'),
    recordSource(options),
  ]);
  const { jwk, u, assistant } = await load();
  const comment = Object.values(place)[0] as string;
  const key = {
    principal,
    key: sshPublicKey(jwk),
    blob: sshPublicKeyBlob(jwk),
    comment: comment.replace(/\s+/g, '-'),
    names: [u],
  };
  return { keys: [key], feed: options.feed ?? assistant.url, source: u };
}

async function ofFile(options: Options & CommonOptions, file: string): Promise<Chosen> {
  if (options.feed === undefined) throw new CommandLineError('usage', '--keys needs --feed');
  const { readKeyLines } = await import('../hosts/key-lines.ts');
  const { keys, complaints } = readKeyLines(await readTextInput(file, { max: MAX_FILE }));
  for (const { line, problem } of complaints) note(`${file}:${line} is not used: ${problem}`, options);
  const named = keys.map((line): NamedKey => {
    const [principal = '', ...rest] = line.comment.split(' ');
    if (principal === '' || /[,"*?!]/.test(principal))
      throw new CommandLineError('bad_input', `${file}: the comment of a key must begin with its signer`);
    return { ...line, principal, comment: rest.join(' ') };
  });
  return { keys: named, feed: options.feed, source: file };
}
