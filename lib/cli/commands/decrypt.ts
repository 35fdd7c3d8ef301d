import { RoamingKeyError } from '../../base/errors.ts';
import { command } from '../command.ts';
import { assertAbsent, MAX_MESSAGE, readTextInput, writeOutput } from '../files.ts';
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
import { working } from '../output.ts';
import { currentPassword } from '../password.ts';

interface Options extends OpenDeviceOptions, PasswordOptions, OutOptions {}

export const decrypt = command<Options>({
  name: 'decrypt [file]',
  summary: 'decrypt a JWE from a file or stdin',
  description: `Decrypts a compact JWE with a key of scheme elgamal and the assistant's help: what \`roaming-key encrypt\` made, or
any JOSE library with ECDH-ES on P-256. The assistant learns nothing of the content. The plaintext goes to stdout,
or to a file of mode 0600.`,
  options: [
    ...recordOptions(),
    assistantOption(),
    ...outOptions('where the plaintext is written (default: stdout)'),
    passwordOption(),
    timeoutOption(),
  ],
  json: '{ "plaintext" } as base64url, or { "out" }',
  examples: [{ does: 'read a letter', line: 'roaming-key decrypt --name mail letter.jwe' }],
  async run(options, file) {
    const { out } = options;
    await assertAbsent(out, options);
    const device = await openDevice(options, []);
    if (device.record.scheme !== 'elgamal') {
      throw new RoamingKeyError('unsupported', 'this key does not decrypt: enrol one with --scheme elgamal');
    }
    const jwe = (await readTextInput(file as string | undefined, { max: 2 * MAX_MESSAGE })).trim();
    const password = await currentPassword(options);
    const plaintext = await working('decrypting', () => device.decrypt(jwe, { password }));
    noteHistory(device, options);
    if (out !== undefined && out !== '-') {
      await writeOutput(out, plaintext, options);
      return { json: { out }, text: '' };
    }
    const { toBase64url } = await import('../../base/bytes.ts');
    return { json: { plaintext: options.json ? toBase64url(plaintext) : '' }, text: plaintext };
  },
});
