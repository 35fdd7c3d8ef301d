import type { Mark, Store } from '../../store/store.ts';
import { command, group } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { assertAbsent, writeOutput } from '../files.ts';
import { openExistingStore, openStore, storeOption, withStore } from '../open-store.ts';
import { type OutOptions, outOptions } from '../options.ts';
import { type Outcome, print } from '../output.ts';

interface StoreOptions {
  readonly store: string;
}

const exportMarks = command<StoreOptions & OutOptions>({
  name: 'export',
  summary: 'write out which keys are disabled or retired',
  description: `Writes all marks, one JSON object a line, oldest first: what a restored backup must not lack, or disabled keys would
come back to life. Guess counters are not among them.`,
  options: [storeOption(), ...outOptions('where the marks are written (default: stdout)')],
  json: '{ "exported", "out" }; needs --out',
  examples: [
    {
      does: 'every night',
      line: 'roaming-key store export --store sqlite:assistant.db --out marks.jsonl --force',
    },
  ],
  async run(options) {
    const { out, store: url, json } = options;
    const isStdout = out === undefined || out === '-';
    if (json && isStdout)
      throw new CommandLineError('usage', '--json needs --out: the marks have lines of their own');
    await assertAbsent(out, options);
    return withStore(openExistingStore(url), async (store): Promise<Outcome | undefined> => {
      let exported = 0;
      async function* lines() {
        for await (const mark of store.exportMarks()) {
          exported += 1;
          yield `${JSON.stringify(mark)}\n`;
        }
      }
      if (isStdout) {
        for await (const line of lines()) await print(line);
        return undefined;
      }
      await writeOutput(out, lines(), options);
      return { json: { exported, out }, text: `${exported} marks\n` };
    });
  },
});

const importMarks = command<StoreOptions>({
  name: 'import [file]',
  summary: 'put marks back after a restore',
  description: `Reads what \`store export\` wrote, from a file or stdin, and marks every key of it, durably. Only ever adds; doing it
twice does no harm. Lines before a damaged one may have been applied. Do this before the assistant serves again.`,
  options: [storeOption()],
  json: '{ "read", "added" }',
  examples: [
    {
      does: 'before the restored assistant starts',
      line: 'roaming-key store import --store sqlite:assistant.db marks.jsonl',
    },
  ],
  async run({ store: url }, file) {
    const { readMarks } = await import('../marks-file.ts');
    return withStore(openStore(url), async (store) => {
      let read = 0;
      async function* counted(): AsyncGenerator<Mark> {
        for await (const mark of readMarks(file as string | undefined)) {
          read += 1;
          yield mark;
        }
      }
      const added = await store.importMarks(counted());
      return { json: { read, added }, text: `${read} marks, ${added} of them new\n` };
    });
  },
});

const prune = command<StoreOptions>({
  name: 'prune',
  summary: 'delete what has expired',
  description: 'Deletes seen requests, claims and counters that no longer matter. Marks stay for good.',
  options: [storeOption()],
  json: '{ "pruned" }',
  examples: [{ does: 'once a day', line: 'roaming-key store prune --store sqlite:assistant.db' }],
  async run({ store: url }) {
    const pruned = await withStore(openExistingStore(url), (store) => store.prune());
    return { json: { pruned }, text: `${pruned} rows\n` };
  },
});

const unlock = command<StoreOptions>({
  name: 'unlock <id>',
  summary: 'lift the lock that wrong passwords have put on a ticket',
  description: `Sets the failures of a ticket to 0, also where it was stopped for good. The id stands in the assistant's audit
events. Be sure that the owner asks: a thief who has the device gets all tries again.`,
  options: [storeOption()],
  json: '{ "id", "unlocked": true }',
  examples: [
    {
      does: 'for an owner who showed who he is',
      line: 'roaming-key store unlock --store sqlite:assistant.db "$TICKET_ID"',
    },
  ],
  run: async ({ store: url }, id) =>
    change(url, id as string, 'unlocked', (store, name) => store.unlock(name)),
});

const forget = command<StoreOptions>({
  name: 'forget <id>',
  summary: 'forget what is known of a ticket',
  description: `Deletes counters and seen requests of a ticket, for those who ask to be forgotten. A retired mark stays, and so do
disabled marks: they protect keys and name no person.`,
  options: [storeOption()],
  json: '{ "id", "forgotten": true }',
  examples: [
    { does: 'data protection', line: 'roaming-key store forget --store sqlite:assistant.db "$TICKET_ID"' },
  ],
  run: async ({ store: url }, id) =>
    change(url, id as string, 'forgotten', (store, name) => store.forget(name)),
});

async function change(
  url: string,
  id: string,
  done: string,
  act: (store: Store, id: string) => Promise<boolean>,
): Promise<Outcome> {
  if (!/^[A-Za-z0-9_-]{43}$/.test(id))
    throw new CommandLineError('usage', 'an id has 43 characters of base64url');
  if (!(await withStore(openExistingStore(url), (store) => act(store, id)))) {
    throw new CommandLineError('not_found', 'nothing is known of this id');
  }
  return { json: { id, [done]: true }, text: `${done}\n` };
}

export const store = group('store', "look after an assistant's store", [
  exportMarks,
  importMarks,
  prune,
  unlock,
  forget,
]);
