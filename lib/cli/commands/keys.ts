import { Option } from 'commander';
import type { AssistantKeyType } from '../../assistant/keys.ts';
import { command, group } from '../command.ts';
import { defaultInData } from '../data-folder.ts';
import { assertAbsent } from '../files.ts';
import { assertKeyFile, changeKeys, type ListedKey, listKeys } from '../key-file.ts';
import { wholeNumber } from '../options.ts';
import { localTime } from '../output.ts';

interface KeysOptions {
  readonly keys: string;
}

const DAY = 86_400;

/** The option that names an assistant's key file. */
export function keysOption(): Option {
  const option = new Option(
    '--keys <file>',
    "the assistant's key set: a file, mode 0600, or env:NAME for a variable that holds its text",
  ).env('ROAMING_KEY_KEYS');
  return defaultInData(option, 'assistant/keys.json');
}

function typeOption(): Option {
  return new Option('--type <type>', 'kind of key')
    .choices(['X25519', 'P-256', 'RSA-OAEP-256'] satisfies AssistantKeyType[])
    .default('X25519');
}

const generate = command<KeysOptions & { type: AssistantKeyType }>({
  name: 'generate',
  summary: 'make a key set for an assistant',
  description: `Makes a key set with one key, for \`roaming-key serve\`. Losing it loses every ticket that was sealed to it: keep a
copy that is as safe as the original. A file that is there already is never replaced.`,
  options: [keysOption(), typeOption()],
  json: '{ "file", "keys": [ { "kid", "type", "state", "since" } ] }',
  examples: [
    {
      does: 'before the first start of an assistant',
      line: 'roaming-key keys generate --keys assistant-keys.json',
    },
  ],
  async run({ keys: file, type }) {
    assertKeyFile(file);
    await assertAbsent(file, {
      advice: ' and is never replaced: all tickets sealed to its keys would be lost',
    });
    const { KeySet } = await import('../../assistant/keys.ts');
    await (await KeySet.generate({ type })).save(file, { exclusive: true });
    return shown(file, await listKeys(file));
  },
});

const list = command<KeysOptions>({
  name: 'list',
  summary: 'show which keys there are',
  description: 'Shows the keys of a set, the active one first, and since when each is in its state.',
  options: [keysOption()],
  json: '{ "file", "keys": [ { "kid", "type", "state", "since" } ] }, times in seconds since the epoch',
  examples: [
    {
      does: 'what `GET keys` answers, and how old it is',
      line: 'roaming-key keys list --keys assistant-keys.json',
    },
  ],
  run: async ({ keys: file }) => shown(file, await listKeys(file)),
});

const rotate = command<KeysOptions & { type: AssistantKeyType }>({
  name: 'rotate',
  summary: 'make a new active key; the one before retires',
  description: `Makes a new active key. Devices move to it by themselves at their next use, without a new enrolment. A running
\`roaming-key serve\` reads the file anew when it gets SIGHUP. Every process of the assistant must have the new key
before devices see it, so send it to all before you signal the first.`,
  options: [keysOption(), typeOption()],
  json: 'as `keys list`',
  examples: [
    {
      does: 'once a year, or when the server may have been read',
      line: 'roaming-key keys rotate --keys assistant-keys.json',
    },
  ],
  async run({ keys: file, type }) {
    await changeKeys(file, (set) => set.rotate({ type }));
    return shown(file, await listKeys(file));
  },
});

const retire = command<KeysOptions & { olderThan: number }>({
  name: 'retire',
  summary: 'drop keys that have been retiring for long',
  description: `Drops keys that have been retiring for longer than some days. Device records that were not used in that time are
lost with them.`,
  options: [
    keysOption(),
    new Option('--older-than <days>', 'how long they must have been retiring')
      .default(400)
      .argParser(wholeNumber(0, 36_500)),
  ],
  json: '{ "file", "dropped": [ kid ], "keys": [ … ] }',
  examples: [
    { does: 'some 400 days after a rotation', line: 'roaming-key keys retire --keys assistant-keys.json' },
  ],
  async run({ keys: file, olderThan }) {
    const dropped = await changeKeys(file, (set) => set.retire({ age: olderThan * DAY }));
    const { json, text } = shown(file, await listKeys(file));
    return {
      json: { ...json, dropped },
      text: `${dropped.map((kid) => `dropped   ${kid}\n`).join('')}${text}`,
    };
  },
});

function shown(file: string, keys: readonly ListedKey[]) {
  const lines = keys.map(
    ({ kid, type, state, since }) =>
      `${state.padEnd(8)}  ${kid}  ${type.padEnd(12)}  since ${localTime(since)}\n`,
  );
  return { json: { file, keys }, text: lines.join('') };
}

export const keys = group('keys', "make and rotate an assistant's keys", [generate, list, rotate, retire]);
