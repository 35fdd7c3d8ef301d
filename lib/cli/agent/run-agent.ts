/** An agent with the keys of records, from its start to its end. */
import { isRoamingKeyError } from '../../base/errors.ts';
import { openDevice } from '../open-device.ts';
import type { AssistantOptions, RecordOptions } from '../options.ts';
import { note, toText } from '../output.ts';
import { OLD, recordSource, recordsFolder } from '../record-source.ts';
import { SshAgent } from './agent.ts';
import { type Asker, inTurn } from './ask.ts';
import { type Question, RecordKey, together } from './record-key.ts';
import { listenOn } from './socket.ts';
import { watchForSuspend } from './suspend.ts';

export interface RunAgentOptions extends AssistantOptions {
  /** Names of records; without names and files, all records that SSH can use. */
  readonly names: readonly string[];
  readonly files: readonly string[];
  readonly socket: string;
  /** How long keys are held, in seconds. */
  readonly hold: { readonly recovered: number; readonly shared: number };
  /** Ask before each use of a key. */
  readonly confirm: boolean;
  readonly asker: Asker;
  /** A password that needs no question; one that is wrong is not tried again. */
  readonly password: string | undefined;
}

export interface RunningAgent {
  /** For `SSH_AUTH_SOCK`. */
  readonly socket: string;
  /** How many records it has keys of. */
  readonly size: number;
  /** Reads the records anew, and shows keys again that `ssh-add -d` took away. */
  reload(): Promise<void>;
  /** Wipes all keys and ends. */
  close(): Promise<void>;
}

/**
 * Starts an agent.
 *
 * @throws RoamingKeyError `bad_record`, `unsupported` for a record that was named and cannot be used
 * @throws CommandLineError as `listenOn`
 */
export async function runAgent(options: RunAgentOptions): Promise<RunningAgent> {
  const asker = inTurn(options.asker);
  let keys = await openKeys(options, asker);
  const report = (error: unknown) => note(toText(error), {});
  const agent = new SshAgent(
    together(() => keys),
    { confirm: (question) => asker.confirm(question), confirmsAll: options.confirm, onError: report },
  );
  const listening = await listenOn(options.socket, (message, client) => agent.answer(message, client));
  const stopWatch = watchForSuspend(() => {
    note('this machine stood still: what was held is wiped', {});
    void agent.forget();
  });
  return {
    socket: listening.path,
    get size() {
      return keys.length;
    },
    async reload() {
      const next = await openKeys(options, asker);
      for (const key of keys) key.forget();
      keys = next;
      agent.restore();
    },
    async close() {
      stopWatch();
      await agent.forget();
      await listening.close();
    },
  };
}

async function openKeys(options: RunAgentOptions, asker: Asker): Promise<readonly RecordKey[]> {
  const named = [...options.names.map((name) => ({ name })), ...options.files.map((record) => ({ record }))];
  if (named.length > 0) return Promise.all(named.map((record) => openKey(options, record, asker)));
  const { fileRecords } = await import('../../device/file-records.ts');
  const all = await fileRecords(recordsFolder()).list();
  const opened = all
    .filter((name) => !name.endsWith(OLD))
    .map((name) =>
      openKey(options, { name }, asker).catch((error: unknown) => {
        if (!isRoamingKeyError(error, 'unsupported')) note(`${name}: ${toText(error)}`, {});
        return undefined;
      }),
    );
  return (await Promise.all(opened)).filter((key) => key !== undefined);
}

async function openKey(
  { assistant, timeout, hold, password }: RunAgentOptions,
  record: RecordOptions,
  asker: Asker,
): Promise<RecordKey> {
  const given = { ...(assistant !== undefined && { assistant }), ...(timeout !== undefined && { timeout }) };
  const open = () => openDevice({ ...given, ...record }, ['login', 'sign']);
  const [device, { place, certificate }] = await Promise.all([open(), recordSource(record)]);
  const name = Object.values(place)[0] as string;
  let untried = password;
  return new RecordKey(device, {
    open,
    name,
    ...(certificate !== undefined && { certificate }),
    async askPassword(question) {
      const given = untried;
      untried = undefined;
      return given ?? asker.secret(questionOf(name, question));
    },
    hold,
    onNews: (text) => note(`${name}: ${text}`, {}),
  });
}

function questionOf(name: string, { asker, complaint }: Question): string {
  const why = complaint === undefined ? '' : `${complaint}\n`;
  return `${why}roaming-key agent (process ${process.pid}): ${asker} wants to use the key ${name}. Its password`;
}
