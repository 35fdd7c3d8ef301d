import { Option } from 'commander';
import type { Device } from '../../device/device.ts';
import type { SignatureAlg } from '../../device/login-proof.ts';
import { command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { assertAbsent, MAX_MESSAGE, readInput, writeOutput } from '../files.ts';
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

type Format = 'base64url' | 'raw' | 'jws' | 'sshsig';

interface Options extends OpenDeviceOptions, PasswordOptions, OutOptions {
  readonly format: Format;
  readonly alg?: SignatureAlg | 'EdDSA';
  readonly newline: boolean;
  readonly typ?: string;
  readonly namespace: string;
}

export const sign = command<Options>({
  name: 'sign [file]',
  summary: 'sign a file or stdin',
  description: `Signs data with a recovered key, or with a shared one and the assistant's help; of a shared Ed25519 key the assistant
sees what is signed. Data that would pass for a login
of this protocol is refused. raw and base64url are the bare signature as JOSE has it (RSA as long as the modulus,
ECDSA r and s, Ed25519 64 bytes), jws a compact JWS with the file as payload, sshsig what \`ssh-keygen -Y verify\`
takes.`,
  options: [
    ...recordOptions(),
    assistantOption(),
    new Option('--format <format>', 'how the signature is written')
      .choices(['base64url', 'raw', 'jws', 'sshsig'] satisfies Format[])
      .default('base64url'),
    new Option(
      '--alg <alg>',
      'the algorithm (default: Ed25519, ES256 or PS256, by the kind of key); EdDSA is Ed25519 for older readers of a JWS',
    ).choices(['Ed25519', 'EdDSA', 'ES256', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] satisfies (
      | SignatureAlg
      | 'EdDSA'
    )[]),
    new Option('--typ <type>', 'the typ header of a JWS'),
    new Option('--no-newline', 'print a jws or base64url without a line end (files of --out never have one)'),
    new Option('--namespace <name>', 'the purpose of an sshsig').default('file'),
    ...outOptions('where the signature is written (default: stdout)'),
    passwordOption(),
    timeoutOption(),
  ],
  json: '{ "format", "kid", "signature" } with raw as base64url, or { "format", "kid", "out" }',
  examples: [
    {
      does: 'a signature that ssh-keygen -Y verify takes',
      line: 'roaming-key sign --format sshsig --out report.pdf.sig report.pdf',
    },
    {
      does: 'a JWS of what a program says',
      line: 'echo \'{"hello":"world"}\' | roaming-key sign --name signing --format jws --typ JWT',
    },
  ],
  async run(options, file) {
    const { format, out } = options;
    if (format === 'sshsig' && options.alg !== undefined) {
      throw new CommandLineError('usage', 'an sshsig has the one algorithm of its kind of key');
    }
    if (format === 'raw' && out === undefined && !options.json && process.stdout.isTTY) {
      throw new CommandLineError('usage', 'a raw signature is not for a terminal: use --out');
    }
    await assertAbsent(out, options);
    const device = await openDevice(options, ['login', 'sign']);
    const data = await readInput(file as string | undefined, { max: MAX_MESSAGE });
    const password = await currentPassword(options);
    const signature = await working('signing', () => signAs(device, data, password, options));
    noteHistory(device, options);
    const { thumbprint } = await import('../../crypto/keys/public-jwk.ts');
    const kid = await thumbprint(device.jwk);
    if (out !== undefined && out !== '-') {
      await writeOutput(out, signature, { ...options, isPublic: true });
      return { json: { format, kid, out }, text: '' };
    }
    const isLine = typeof signature === 'string' && !signature.endsWith('\n') && options.newline;
    const inJson = typeof signature === 'string' ? signature.trimEnd() : await base64url(signature);
    return { json: { format, kid, signature: inJson }, text: isLine ? `${signature}\n` : signature };
  },
});

async function signAs(
  device: Device,
  data: Uint8Array,
  password: string,
  { format, alg: named, typ, namespace }: Options,
): Promise<string | Uint8Array> {
  const alg = named === 'EdDSA' ? 'Ed25519' : named;
  const how = { password, ...(alg && { alg }) };
  switch (format) {
    case 'raw':
      return device.sign(data, how);
    case 'base64url':
      return base64url(await device.sign(data, how));
    case 'jws':
      return device.signJws(data, {
        password,
        ...(named && { alg: named }),
        ...(typ !== undefined && { header: { typ } }),
      });
    case 'sshsig': {
      const { sshSignature } = await import('../../crypto/ssh/sshsig.ts');
      return sshSignature(data, namespace, device.jwk, (bytes, chosen) =>
        device.sign(bytes, { password, alg: chosen }),
      );
    }
  }
}

async function base64url(bytes: Uint8Array): Promise<string> {
  return (await import('../../base/bytes.ts')).toBase64url(bytes);
}
