import { Option } from 'commander';
import type { Device } from '../../device/device.ts';
import { command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { assertAbsent, writeOutput } from '../files.ts';
import { noteHistory } from '../history.ts';
import { type OpenDeviceOptions, openDevice } from '../open-device.ts';
import {
  assistantOption,
  type OutOptions,
  outOptions,
  type PasswordOptions,
  passwordOption,
  recordOptions,
  timeoutOption,
} from '../options.ts';
import { note, type Outcome, working } from '../output.ts';
import { currentPassword } from '../password.ts';
import { recordSource } from '../record-source.ts';

const FORMATS = { pem: 'pkcs8-pem', pkcs1: 'pkcs1-pem', openssh: 'openssh', jwk: 'jwk' } as const;
type Format = keyof typeof FORMATS;

interface Options extends OpenDeviceOptions, PasswordOptions, OutOptions {
  readonly format?: Format;
}

export const unlock = command<Options>({
  name: 'unlock [command...]',
  summary: 'recover a key, or run a command with it in an SSH agent',
  description: `With --out, recovers the private key and writes it, unprotected, to a file (mode 0600) or, for -, to stdout. With a
command after --, runs that with SSH_AUTH_SOCK set to an agent of its own: the key is on no disk, ends with the
command, and never leaves this process. A shared key serves an agent too: the assistant helps with each signature. The command gets no password from the environment, and its exit status becomes this one's.`,
  options: [
    ...recordOptions(),
    assistantOption(),
    new Option('--format <format>', 'how the key is written (default: pem, which is PKCS#8)').choices(
      Object.keys(FORMATS),
    ),
    ...outOptions('where the key is written, - for stdout'),
    passwordOption(),
    timeoutOption(),
  ],
  json: '{ "format", "out" }, or { "format", "key" } with --out -; not with a command',
  examples: [
    { does: 'the key is there while the command runs', line: 'roaming-key unlock --name ssh -- ssh-add -l' },
    { does: 'a file for OpenSSH', line: 'roaming-key unlock --name ssh --format openssh --out id_ed25519' },
    {
      does: 'to the one program that needs it',
      line: 'roaming-key unlock --name ssh --out - | openssl pkey -noout -text_pub',
    },
  ],
  async run(options, operands) {
    const words = operands as readonly string[];
    const { out } = options;
    if (words.length > 0 === (out !== undefined)) {
      throw new CommandLineError('usage', 'give either --out FILE or a command after --');
    }
    if (out === undefined) return runCommand(options, words);
    await assertAbsent(out, options);
    const { format = 'pem' } = options;
    const device = await openDevice(options, ['sign']);
    const password = await currentPassword(options);
    const key = await working('unlocking', () => exportKey(device, password, format));
    noteHistory(device, options);
    if (out === '-') return { json: { format, key }, text: asText(key) };
    await writeOutput(out, asText(key), options);
    note('the key now lies there without protection: remove it when it has been used', options);
    return { json: { format, out }, text: `${out}\n` };
  },
});

async function exportKey(device: Device, password: string, format: Format): Promise<string | JsonWebKey> {
  const name = FORMATS[format];
  return name === 'jwk' ? device.exportPrivateKey(password, name) : device.exportPrivateKey(password, name);
}

function asText(key: string | JsonWebKey): string {
  return typeof key === 'string' ? key : `${JSON.stringify(key)}\n`;
}

async function runCommand(
  options: Options & { readonly json?: true },
  words: readonly string[],
): Promise<Outcome | undefined> {
  if (options.json || options.format)
    throw new CommandLineError('usage', '--json and --format go with --out');
  const { load, place, certificate } = await recordSource(options);
  await load();
  const password = await currentPassword(options);
  const { runWithAgent } = await import('../run-with-agent.ts');
  const open = () => openDevice(options, ['login', 'sign']);
  const name = Object.values(place)[0] as string;
  process.exitCode = await runWithAgent({ open, password, name, certificate }, words);
  return undefined;
}
