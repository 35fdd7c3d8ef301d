import { Option } from 'commander';
import type { LoginTarget } from '../../device/login-proof.ts';
import type { DisablingKit } from '../../protocol/disabling.ts';
import { command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { assertAbsent } from '../files.ts';
import { noteHistory } from '../history.ts';
import { type OpenDeviceOptions, openDevice } from '../open-device.ts';
import {
  assistantOption,
  gather,
  type KdfOptions,
  kdfOf,
  kdfOptions,
  type PasswordOptions,
  passwordOption,
  recordOptions,
  timeoutOption,
} from '../options.ts';
import { note, print, working } from '../output.ts';
import { currentPassword, nextPassword, warnIfShort } from '../password.ts';
import { placeForOld, recordSource } from '../record-source.ts';
import { relyingParty } from '../relying-party.ts';

interface Options extends OpenDeviceOptions, PasswordOptions, KdfOptions {
  readonly newPasswordFile?: string;
  readonly kit?: string;
  readonly register?: readonly string[];
  readonly account?: readonly string[];
  readonly headers?: readonly string[];
}

export const changePassword = command<Options>({
  name: 'change-password',
  summary: 'change the password of a key',
  description: `Of a shared key (ed25519, elgamal) the assistant moves its share; the kit stays good, and apps need no update. Of a key
that is recovered this makes a new record around the same key, tells the apps where it is registered, and makes a new
disabling code: from then on it alone stops the assistant, while the old one disables the key at apps that knew it
before. A crash at any point leaves a record that works; where the old ticket could not be retired, \`roaming-key
retire --old\` finishes that, and must before the next change. A change keeps out who learns the old password afterwards:
who had record and password before may have a record of his own, so use the kit and make a new key. Shared RSA keys keep
their password.`,
  options: [
    ...recordOptions(),
    assistantOption(),
    new Option('--kit <file>', 'write the new disabling kit to a new file (default: print its code alone)'),
    new Option('--register <url>', 'where an app registers keys; may be repeated').argParser(gather),
    new Option('--account <name>', 'the account there: one for all apps, or one for each').argParser(gather),
    new Option('--headers <file>', 'headers for an app, as with `register`: one file for each').argParser(
      gather,
    ),
    passwordOption(),
    new Option(
      '--new-password-file <file>',
      'take the new password from the first line of a file (default: ROAMING_KEY_NEW_PASSWORD, else ask)',
    ),
    ...kdfOptions({ m: 'as before', t: 'as before', p: 'as before' }),
    timeoutOption(),
  ],
  json: '{ "name" or "record", "kit"?, "u", "oldRetired" }; needs --kit for a key that is recovered',
  examples: [
    { does: 'of a shared key', line: 'roaming-key change-password' },
    {
      does: 'of a key that is recovered; the app where it logs in learns of the new kit',
      line: 'roaming-key change-password --name ssh --kit /media/stick/new-kit.json --register https://app.example/register --account ada --headers session.txt',
    },
  ],
  async run(options) {
    const { kit } = options;
    await assertAbsent(kit, { advice: ' and may be the only kit of a key' });
    const source = await recordSource(options);
    const record = await source.load();
    const old = await placeForOld(source, record);
    const { scheme } = record;
    const isShared = scheme !== 'retrieve';
    if (isShared && (kit !== undefined || options.register)) {
      throw new CommandLineError(
        'usage',
        'the kit of a shared key stays good: --kit and --register are not for it',
      );
    }
    if (!isShared && options.json && kit === undefined) {
      throw new CommandLineError(
        'usage',
        '--json needs --kit here: the new kit must be kept before the record changes',
      );
    }
    const parties = await apps(options);
    const device = await openDevice(options, scheme === 'elgamal' ? [] : ['login']);
    const password = await currentPassword(options);
    const newPassword = await nextPassword(options);
    warnIfShort(newPassword, options);
    const { isOldRetired } = await working('changing the password', () =>
      device.changePassword({
        password,
        newPassword,
        ...(!isShared && {
          saveKit: (made: DisablingKit) => keepKit(made, kit),
          relyingParties: parties,
        }),
        kdf: kdfOf(options),
      }),
    );
    noteHistory(device, options);
    if (isOldRetired) await old.remove();
    else
      note(
        'the old record could not be retired: with the old password it still leads to the key, until `roaming-key retire --old`',
        options,
      );
    return {
      json: {
        ...source.place,
        ...(kit !== undefined && { kit }),
        u: device.record.u,
        oldRetired: isOldRetired,
      },
      text: 'the password is changed\n',
    };
  },
});

/** Without a file, the code on the terminal is all there will be of the kit; so it comes before anything changes. */
async function keepKit(made: DisablingKit, file: string | undefined): Promise<void> {
  if (file !== undefined) {
    await (await import('../../device/node.ts')).writeKitFile(file, made);
    return;
  }
  const { disablingCode } = await import('../../protocol/disabling.ts');
  await print(
    `new code  ${disablingCode(made)}\nKeep it away from this device: it disables the key from now on.\n`,
  );
}

async function apps({ register = [], account = [], headers = [] }: Options): Promise<readonly LoginTarget[]> {
  const isFit = (given: readonly string[]) => given.length === register.length;
  if (!isFit(account) && !(account.length === 1 && register.length > 0)) {
    throw new CommandLineError('usage', 'give one --account for all --register, or one for each');
  }
  if (headers.length > 0 && !isFit(headers)) {
    throw new CommandLineError(
      'usage',
      'give one --headers for each --register: what is for one app is for no other',
    );
  }
  return Promise.all(
    register.map((url, i) => {
      const file = headers[i];
      const name = (account[i] ?? account[0]) as string;
      return relyingParty({ url, account: name, ...(file !== undefined && { headers: file }) });
    }),
  );
}
