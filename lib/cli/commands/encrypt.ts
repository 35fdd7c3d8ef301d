import { Option } from 'commander';
import { RoamingKeyError } from '../../base/errors.ts';
import { command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { assertAbsent, MAX_MESSAGE, parseJson, readInput, readTextInput, writeOutput } from '../files.ts';
import { type OutOptions, outOptions, type RecordOptions, recordOptions } from '../options.ts';
import { recordSource } from '../record-source.ts';

interface Options extends RecordOptions, OutOptions {
  readonly to?: string;
}

const MAX_JWK = 65_536;

export const encrypt = command<Options>({
  name: 'encrypt [file]',
  summary: 'encrypt a file or stdin to a public key',
  description: `Encrypts to the public key of a record of scheme elgamal; needs neither password nor assistant. The public key is a
JWK, as \`roaming-key record show --public jwk\` prints it, or that of a record of yours. Writes a compact JWE, for
P-256 one that any JOSE library reads.`,
  options: [
    new Option('--to <file>', "the recipient's public JWK").conflicts(['name', 'record']),
    ...recordOptions('the record of this name among yours'),
    ...outOptions('where the JWE is written (default: stdout)'),
  ],
  json: '{ "jwe" } or { "out" }',
  examples: [
    { does: 'to somebody else', line: 'roaming-key encrypt --to mail.jwk --out letter.jwe letter.txt' },
    { does: 'to yourself', line: 'roaming-key encrypt --name mail notes.txt > notes.jwe' },
  ],
  async run(options, file) {
    const { out } = options;
    await assertAbsent(out, options);
    const jwk = await recipient(options);
    const message = await readInput(file as string | undefined, { max: MAX_MESSAGE });
    const { encryptTo } = await import('../../device/encrypt-to.ts');
    const jwe = await encryptTo(jwk, message);
    if (out === undefined || out === '-') return { json: { jwe }, text: `${jwe}\n` };
    await writeOutput(out, `${jwe}\n`, { ...options, isPublic: true });
    return { json: { out }, text: '' };
  },
});

async function recipient(options: Options): Promise<unknown> {
  if (options.to !== undefined) return parseJson(await readTextInput(options.to, { max: MAX_JWK }));
  if (options.name === undefined && options.record === undefined) {
    throw new CommandLineError('usage', 'give --to FILE, --name or --record');
  }
  const record = await (await recordSource(options)).load();
  if (record.scheme !== 'elgamal') {
    throw new RoamingKeyError('unsupported', 'this key does not decrypt: enrol one with --scheme elgamal');
  }
  return record.jwk;
}
