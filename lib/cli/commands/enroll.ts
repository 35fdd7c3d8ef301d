import path from 'node:path';
import { Option } from 'commander';
import { epochSeconds } from '../../base/clock.ts';
import type { PrivateKeyKind, PrivateKeySource } from '../../crypto/keys/private-key.ts';
import type { EnrollOptions } from '../../device/enroll.ts';
import type { Enrolment } from '../../device/make-record.ts';
import type { SchemeName } from '../../protocol/schemes/index.ts';
import { command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { assertAbsent, parseJson, readInput } from '../files.ts';
import { transport } from '../open-device.ts';
import {
  type AssistantOptions,
  assistantOption,
  forceOption,
  type KdfOptions,
  kdfOf,
  kdfOptions,
  type PasswordOptions,
  passwordOption,
  type RecordOptions,
  recordOptions,
  timeoutOption,
  wholeNumber,
} from '../options.ts';
import { note, table, working } from '../output.ts';
import { firstPassword, warnIfShort } from '../password.ts';
import { recordSource, recordsFolder } from '../record-source.ts';

interface Options extends RecordOptions, AssistantOptions, PasswordOptions, KdfOptions {
  readonly scheme?: SchemeName;
  readonly type?: string;
  readonly key?: string;
  readonly kit?: string;
  readonly expiresIn?: number;
  readonly force?: true;
}

const TYPES = {
  ed25519: ['Ed25519'],
  retrieve: ['Ed25519', 'P-256', 'RSA-2048', 'RSA-3072', 'RSA-4096'],
  rsa: ['RSA-2048', 'RSA-3072', 'RSA-4096'],
  elgamal: ['P-256', 'ffdhe2048', 'ffdhe3072', 'ffdhe4096'],
} as const satisfies Record<SchemeName, readonly string[]>;
const SCHEMES = Object.keys(TYPES) as readonly SchemeName[];
const ALL_TYPES = [...new Set(Object.values(TYPES).flat())];
const MAX_KEY_FILE = 32_768;
const DAY = 86_400;

export const enroll = command<Options>({
  name: 'enroll',
  summary: 'protect a key with a password and an assistant',
  description: `Makes a key, or takes one that exists, and leaves two things: a device record, which stays here and is useless
without the assistant, and a disabling code, which belongs elsewhere: on paper, or on a stick with --kit. Only who has
the code can disable the key. The kit is written only where --kit says, and never over another one. By default the key
is an Ed25519 key that is never whole again: once disabled, it is worth nothing even to a thief who has record and
password. Programs that need the key itself, and use without network, need --scheme retrieve.`,
  options: [
    assistantOption(
      'the assistant, which need not know of you: https, or http on this machine',
    ).makeOptionMandatory(),
    ...recordOptions(),
    new Option(
      '--scheme <scheme>',
      'ed25519, rsa, elgamal: the key is never whole again; retrieve: it is recovered here (default: the first that takes --type)',
    ).choices(SCHEMES),
    new Option(
      '--type <type>',
      'the key to make (default: Ed25519; RSA-2048 for rsa, P-256 for elgamal)',
    ).choices(ALL_TYPES),
    new Option(
      '--key <file>',
      'a key that exists, - for stdin: PEM, OpenSSH, PKCS#8 or JWK, not encrypted',
    ).conflicts('type'),
    new Option('--kit <file>', 'write the disabling kit to a new file, best on another device'),
    passwordOption(),
    ...kdfOptions(),
    new Option('--expires-in <days>', 'when the record ends (default: never)').argParser(
      wholeNumber(1, 36_500),
    ),
    timeoutOption(),
    forceOption('replace a record that is there already, and lose what it leads to'),
  ],
  json: '{ "name" or "record", "scheme", "kid", "jwk", "u", "assistant", "code", "kit"? }',
  examples: [
    {
      does: 'a new Ed25519 key that is never whole again; write the code down',
      line: 'roaming-key enroll --assistant https://assistant.example',
    },
    {
      does: 'a shared RSA key for signatures, the kit on a stick',
      line: 'roaming-key enroll --assistant https://assistant.example --scheme rsa --name signing --kit /media/stick/kit.json',
    },
    {
      does: 'the SSH key that you have, for programs that need it whole',
      line: 'roaming-key enroll --assistant https://assistant.example --scheme retrieve --key ~/.ssh/id_ed25519 --name ssh',
    },
    {
      does: 'a key that others encrypt to',
      line: 'roaming-key enroll --assistant https://assistant.example --scheme elgamal --name mail',
    },
  ],
  async run(options) {
    const { type, key, kit, expiresIn } = options;
    const { scheme = schemeFor(type) } = options;
    if (type !== undefined && !(TYPES[scheme] as readonly string[]).includes(type)) {
      throw new CommandLineError(
        'usage',
        `--scheme ${scheme} takes keys of type ${TYPES[scheme].join(', ')}`,
      );
    }
    const source = await recordSource(options);
    if (!options.force && (await source.exists())) {
      throw new CommandLineError(
        'exists',
        `${Object.values(source.place)[0]}: this record exists already; --force replaces it`,
      );
    }
    await assertAbsent(kit, { advice: ' and may be the only kit of another key' });
    const folder =
      options.record === undefined ? recordsFolder() : path.dirname(path.resolve(options.record));
    if (kit !== undefined && path.dirname(path.resolve(kit)) === folder) {
      note('the kit will lie beside the record: a thief who takes one takes both', options);
    }
    const existing = key === undefined ? undefined : await readKey(key);
    const password = await firstPassword(options);
    warnIfShort(password, options);
    const { enroll } = await import('../../device/enroll.ts');
    const kind = existing === undefined ? type : { existing };
    const enrolment = {
      ...transport(options),
      assistant: options.assistant as string,
      password,
      kdf: kdfOf(options),
      scheme,
      ...(kind !== undefined && { key: kind as PrivateKeyKind }),
      ...(expiresIn !== undefined && { expiresAt: epochSeconds() + expiresIn * DAY }),
    } as EnrollOptions;
    const made = await working('making the record', () => enroll(enrolment));
    if (kit !== undefined) await (await import('../../device/node.ts')).writeKitFile(kit, made.kit);
    const { readPin, writePin } = await import('../pins.ts');
    const pin = await readPin(made.record);
    if (pin && pin.url !== made.record.assistant.url && !options.force) {
      const known = `this key was enrolled with ${pin.url} before`;
      throw new CommandLineError('exists', `${known}; --force takes the new assistant instead`);
    }
    await writePin(made.record);
    await source.save(made.record, options.force);
    if (key !== undefined && key !== '-') note(`the key still lies in ${key}, without protection`, options);
    return outcomeOf(made, source.place, kit);
  },
});

/** The first scheme that makes keys of this type. */
function schemeFor(type = 'Ed25519'): SchemeName {
  return SCHEMES.find((scheme) => (TYPES[scheme] as readonly string[]).includes(type)) as SchemeName;
}

async function outcomeOf({ record, kit }: Enrolment, place: object, kitFile: string | undefined) {
  const [{ disablingCode }, { thumbprint }] = await Promise.all([
    import('../../protocol/disabling.ts'),
    import('../../crypto/keys/public-jwk.ts'),
  ]);
  const { scheme, jwk, u, assistant } = record;
  const kid = await thumbprint(jwk);
  const code = disablingCode(kit);
  const json = {
    ...place,
    scheme,
    kid,
    jwk,
    u,
    assistant: assistant.url,
    code,
    ...(kitFile !== undefined && { kit: kitFile }),
  };
  const rows = [
    ...(Object.entries(place) as [string, string][]),
    ['scheme', scheme],
    ['kid', kid],
    ['assistant', assistant.url],
    ...(kitFile === undefined ? [] : [['kit', kitFile]]),
    ['code', code],
  ] as [string, string][];
  return {
    json,
    text: `${table(rows)}Keep the code away from this device: it disables the key when the device is gone.\n`,
  };
}

async function readKey(file: string): Promise<PrivateKeySource> {
  const bytes = await readInput(file, { max: MAX_KEY_FILE });
  const first = bytes.find((byte) => byte > 0x20);
  if (first !== 0x7b) return bytes;
  const jwk = parseJson(new TextDecoder().decode(bytes));
  bytes.fill(0);
  if (typeof jwk !== 'object' || jwk === null) throw new CommandLineError('bad_input', `${file} is no key`);
  return jwk;
}
