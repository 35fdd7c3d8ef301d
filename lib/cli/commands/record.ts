import { createPublicKey } from 'node:crypto';
import { Option } from 'commander';
import { RoamingKeyError } from '../../base/errors.ts';
import type { PublicJwk } from '../../crypto/keys/public-jwk.ts';
import type { DeviceRecord } from '../../protocol/record.ts';
import { command, group } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { type OpenDeviceOptions, transport } from '../open-device.ts';
import { assistantOption, type RecordOptions, recordOptions, timeoutOption } from '../options.ts';
import { table, working } from '../output.ts';
import { recordSource, recordsFolder } from '../record-source.ts';

type PublicForm = 'jwk' | 'ssh' | 'pem';

const list = command({
  name: 'list',
  summary: 'name the records you have',
  description: 'Names the device records in your data folder, damaged ones too.',
  options: [],
  json: '{ "folder", "names": [ name ] }',
  examples: [{ does: 'what is there', line: 'roaming-key record list' }],
  async run() {
    const { fileRecords } = await import('../../device/file-records.ts');
    const names = await fileRecords(recordsFolder()).list();
    return { json: { folder: recordsFolder(), names }, text: names.map((name) => `${name}\n`).join('') };
  },
});

const show = command<RecordOptions & { readonly public?: PublicForm }>({
  name: 'show',
  summary: 'show what a record is for, or its public key',
  description:
    'Shows what a device record says of itself, without what only the device may know. Sends no request.',
  options: [
    ...recordOptions(),
    new Option('--public <form>', 'print the public key alone').choices([
      'jwk',
      'ssh',
      'pem',
    ] satisfies PublicForm[]),
  ],
  json: '{ "name" or "record", "scheme", "kid", "jwk", "u", "assistant": { "url", "kid" }, "kdf" } or { "public" }',
  examples: [
    { does: 'which key, which assistant', line: 'roaming-key record show --name ssh' },
    {
      does: 'for authorized_keys; the comment names the key to `roaming-key authorized-keys`',
      line: 'roaming-key record show --name ssh --public ssh',
    },
    {
      does: 'for those who encrypt to you',
      line: 'roaming-key record show --name mail --public jwk > mail.jwk',
    },
  ],
  async run(options) {
    const source = await recordSource(options);
    const record = await source.load();
    if (options.public !== undefined) {
      const text = await publicKey(record, options.public);
      return { json: { public: text.trimEnd() }, text };
    }
    return shown(record, source.place);
  },
});

const check = command<OpenDeviceOptions & { readonly offline?: true }>({
  name: 'check',
  summary: 'find out whether a record would work, without a password',
  description: `Checks that a record is whole, that its assistant answers and publishes the key it was made for, and that the key is
not disabled. No password is asked for and nothing is counted; whether the ticket is retired or locked shows at its
next use alone. The first thing that is wrong gives the exit status.`,
  options: [
    ...recordOptions(),
    assistantOption(),
    new Option('--offline', 'look at the record alone'),
    timeoutOption(),
  ],
  json: '{ "name" or "record", "ok": true, "assistantKey": "active", "retiring" or "unasked", "warnings": [ text ] }',
  examples: [{ does: 'before a journey', line: 'roaming-key record check --name ssh' }],
  async run(options) {
    const source = await recordSource(options);
    const { checkRecord } = await import('../check-record.ts');
    const { assistantKey, warnings } = await working('checking', async () =>
      checkRecord(await source.load(), {
        ...transport(options),
        isOffline: options.offline === true,
        ...(options.assistant !== undefined && { assistant: options.assistant }),
      }),
    );
    const lines = warnings.map((warning) => `warning: ${warning}\n`).join('');
    return {
      json: { ...source.place, ok: true, assistantKey, warnings },
      text: `${lines}the record is good\n`,
    };
  },
});

const trust = command<OpenDeviceOptions & { readonly assistant: string }>({
  name: 'trust',
  summary: 'say which assistant a record belongs to',
  description: `Enrolment notes on this machine which assistant a key belongs to, and by which keys of that assistant, so that a record
that somebody changed is refused before a password is shown to anybody. This notes it anew: for a record from another
machine, or where the assistant changed its key otherwise than by rotation. The assistant must publish the key that
the record names.`,
  options: [
    ...recordOptions(),
    assistantOption("the record's assistant, as you know it from elsewhere").makeOptionMandatory(),
    timeoutOption(),
  ],
  json: '{ "name" or "record", "assistant", "kid" }',
  examples: [
    {
      does: 'a record that came from your other machine',
      line: 'roaming-key record trust --name ssh --assistant https://assistant.example',
    },
  ],
  async run(options) {
    const source = await recordSource(options);
    const record = await source.load();
    const [{ AssistantClient }, { writePin }] = await Promise.all([
      import('../../device/assistant-client.ts'),
      import('../pins.ts'),
    ]);
    const client = new AssistantClient(options.assistant, transport(options));
    const { url, jwk } = record.assistant;
    if (new AssistantClient(url).url !== client.url)
      throw new RoamingKeyError('bad_record', `this device record names another assistant: ${url}`);
    const published = await working('checking', () => client.keys());
    if (!published.some(({ kid }) => kid === jwk.kid))
      throw new RoamingKeyError(
        'bad_record',
        `${url} does not publish the key ${jwk.kid} that the record names`,
      );
    await writePin(record);
    return {
      json: { ...source.place, assistant: client.url, kid: jwk.kid },
      text: `the record belongs to ${client.url}\n`,
    };
  },
});

async function shown(record: DeviceRecord, place: object) {
  const { thumbprint } = await import('../../crypto/keys/public-jwk.ts');
  const { scheme, jwk, u, assistant, kdf } = record;
  const kid = await thumbprint(jwk);
  const json = {
    ...place,
    scheme,
    kid,
    jwk,
    u,
    assistant: { url: assistant.url, kid: assistant.jwk.kid },
    kdf,
  };
  const text = table([
    ...(Object.entries(place) as [string, string][]),
    ['scheme', scheme],
    ['key', describeKey(jwk)],
    ['kid', kid],
    ['assistant', assistant.url],
    ['its key', assistant.jwk.kid],
    ['password', `Argon2id, ${kdf.m} KiB, ${kdf.t} passes, ${kdf.p} lanes`],
    ['disabled by', u],
  ]);
  return { json, text };
}

function describeKey(jwk: PublicJwk): string {
  if (jwk.kty === 'RSA') return `RSA, ${Math.floor((jwk.n.length * 6) / 8) * 8} bits`;
  return jwk.kty === 'DH' ? jwk.group : jwk.crv;
}

async function publicKey({ jwk, u }: DeviceRecord, form: PublicForm): Promise<string> {
  if (form === 'jwk') return `${JSON.stringify(jwk)}\n`;
  if (form === 'ssh')
    return `${(await import('../../crypto/ssh/encoding.ts')).sshPublicKey(jwk, `u=${u}`)}\n`;
  if (jwk.kty === 'DH')
    throw new CommandLineError('usage', 'keys in the groups of RFC 7919 have no PEM form here');
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
}

export const record = group('record', 'look at device records', [list, show, check, trust]);
