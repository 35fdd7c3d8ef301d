/** What sshd hears of disabled keys. */

import { Option } from 'commander';
import { epochSeconds } from '../../base/clock.ts';
import { type CommonOptions, command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { assertAbsent, readTextInput, writeOutput } from '../files.ts';
import type { KeyLine } from '../hosts/key-lines.ts';
import { type OutOptions, outOptions, wholeNumber } from '../options.ts';
import { note, type Outcome } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';

interface FeedOptions {
  readonly feed: string;
  readonly cache?: string;
  readonly fresh: number;
  readonly maxStale: number;
  readonly timeout: number;
}

interface Options extends FeedOptions, OutOptions {
  readonly keys: string;
  readonly watch?: true;
}

interface RevokedOptions extends Options {
  readonly format: 'list' | 'krl';
}

const MAX_FILE = 16 * 1024 * 1024;

/** What a file of keys says once it is known which are disabled. */
interface Judged {
  readonly live: readonly KeyLine[];
  readonly dead: readonly KeyLine[];
}

function options(out: string, watch: string): readonly Option[] {
  return [
    new Option(
      '--keys <file>',
      'lines of authorized_keys whose comments hold u=NAME, as `roaming-key record show --public ssh` prints them',
    ).makeOptionMandatory(),
    new Option('--feed <url>', 'the assistant of these keys').makeOptionMandatory(),
    ...outOptions(out),
    new Option('--watch', watch),
    new Option('--fresh <seconds>', 'how old a reading of the list may be that is used without asking')
      .default(30)
      .argParser(wholeNumber(0, 86_400)),
    new Option('--max-stale <seconds>', 'how old it may be where the assistant does not answer')
      .default(300)
      .argParser(wholeNumber(1, 86_400)),
    new Option('--cache <file>', 'where readings are kept (default: in ~/.cache/roaming-key)'),
    new Option('--timeout <seconds>', 'how long to wait for an answer')
      .default(10)
      .argParser(wholeNumber(1, 600)),
  ];
}

export const authorizedKeys = command<Options>({
  name: 'authorized-keys',
  summary: 'print the keys of a file that are not disabled, for sshd',
  description: `For sshd's AuthorizedKeysCommand: prints those lines of a file whose keys are not disabled, so that a kit's code ends
access on every host. Keys without a u=NAME are never printed. Where the list of disabled keys cannot be read, and
the last reading is too old, prints nothing and fails: these keys give no access then.`,
  options: options(
    'where the lines are written (default: stdout)',
    'stay, and keep the file of --out in step; it is empty while the list cannot be read',
  ),
  json: '{ "live": [ line ], "disabled": [ line ] } or { "out" }',
  examples: [
    {
      does: 'in sshd_config: AuthorizedKeysCommand /usr/bin/roaming-key …',
      line: 'roaming-key authorized-keys --keys hosts-keys --feed https://assistant.example',
    },
  ],
  run: (given) =>
    produce(given, {
      data: ({ live }) => texts(live),
      state: ({ live }) => texts(live),
      closed: async () => '',
    }),
});

export const revokedKeys = command<RevokedOptions>({
  name: 'revoked-keys',
  summary: 'print the keys of a file that are disabled, for sshd',
  description: `For sshd's RevokedKeys: prints the disabled keys of a file as a plain list or as a key revocation list (KRL).
Certificates for these keys are revoked as well. Where the list of disabled keys cannot be read, and the last reading
is too old, fails and writes nothing; with --watch it then revokes every key of the file.`,
  options: [
    new Option('--format <format>', 'how the keys are written').choices(['list', 'krl']).default('list'),
    ...options(
      'where the list is written (default: stdout)',
      'stay, and keep the file of --out in step; it revokes all keys while the list cannot be read',
    ),
  ],
  json: '{ "live": [ line ], "disabled": [ line ] } or { "out" }',
  examples: [
    {
      does: 'in sshd_config: RevokedKeys revoked.krl',
      line: 'roaming-key revoked-keys --keys hosts-keys --feed https://assistant.example --format krl --out revoked.krl --force',
    },
  ],
  async run(given) {
    const { keyRevocationList } = await import('../hosts/krl.ts');
    const written = (lines: readonly KeyLine[]) =>
      given.format === 'krl'
        ? keyRevocationList(
            lines.map(({ blob }) => blob),
            epochSeconds(),
          )
        : lines.map(({ key }) => `${key}\n`).join('');
    return produce(given, {
      data: ({ dead }) => written(dead),
      state: ({ dead }) => texts(dead),
      closed: async (readKeys) => written(await readKeys()),
    });
  },
});

interface Product {
  readonly data: (judged: Judged) => string | Uint8Array;
  readonly state: (judged: Judged) => string;
  /** What a file holds while the list cannot be read. */
  readonly closed: (readKeys: () => Promise<readonly KeyLine[]>) => Promise<string | Uint8Array>;
}

async function produce(given: Options & CommonOptions, product: Product): Promise<Outcome | undefined> {
  const { out, watch } = given;
  if (watch) {
    if (out === undefined || out === '-') throw new CommandLineError('usage', '--watch needs --out');
    const { keepInStep } = await import('../hosts/keep-in-step.ts');
    await keepInStep({
      file: out,
      every: Math.max(given.fresh, 1),
      async make() {
        const judged = await judge(given);
        return { state: product.state(judged), data: product.data(judged) };
      },
      closed: () => product.closed(() => readKeys(given)),
      stopped: stopSignal(),
    });
    return undefined;
  }
  await assertAbsent(out, given);
  const judged = await judge(given);
  const { live, dead } = judged;
  if (out !== undefined && out !== '-') {
    await writeOutput(out, product.data(judged), { ...given, isPublic: true });
    return { json: { out }, text: '' };
  }
  const json = { live: live.map(({ text }) => text), disabled: dead.map(({ text }) => text) };
  return { json, text: product.data(judged) };
}

async function judge(given: Options & CommonOptions): Promise<Judged> {
  const [{ disabledNames, defaultCache }, { disabledSince }, keys] = await Promise.all([
    import('../hosts/disabled-names.ts'),
    import('../hosts/key-lines.ts'),
    readKeys(given),
  ]);
  const { feed, keys: file, cache = defaultCache(feed, file), fresh, maxStale, timeout, json } = given;
  const names = [...new Set(keys.flatMap((line) => line.names))];
  const disabled = await disabledNames(names, { feed, cache, fresh, maxStale, timeout, json });
  const since = disabledSince(keys, disabled);
  const isDead = (line: KeyLine) => since(line) !== undefined;
  return { live: keys.filter((line) => !isDead(line)), dead: keys.filter(isDead) };
}

async function readKeys(given: Options & CommonOptions): Promise<readonly KeyLine[]> {
  const { readKeyLines } = await import('../hosts/key-lines.ts');
  const { keys, complaints } = readKeyLines(await readTextInput(given.keys, { max: MAX_FILE }));
  for (const { line, problem } of complaints) note(`${given.keys}:${line} is not used: ${problem}`, given);
  return keys;
}

function texts(lines: readonly KeyLine[]): string {
  return lines.map(({ text }) => `${text}\n`).join('');
}
