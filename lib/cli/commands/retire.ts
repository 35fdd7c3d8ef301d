import { Option } from 'commander';
import { command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { noteHistory } from '../history.ts';
import { type OpenDeviceOptions, openDevice } from '../open-device.ts';
import {
  assistantOption,
  type PasswordOptions,
  passwordOption,
  recordOptions,
  timeoutOption,
} from '../options.ts';
import { working } from '../output.ts';
import { currentPassword } from '../password.ts';
import { recordSource } from '../record-source.ts';

interface Options extends OpenDeviceOptions, PasswordOptions {
  readonly old?: true;
}

export const retire = command<Options>({
  name: 'retire',
  summary: "end a record's life at the assistant",
  description: `Retires the ticket of a record: the assistant never helps with it again, and what other copies of this record led to is
over. Cannot be undone. With --old it is the record that a change of password has left behind, and the password is the
old one. Where device and password may be in other hands, use \`roaming-key disable\` instead.`,
  options: [
    ...recordOptions(),
    new Option('--old', 'the record of the password before, which change-password could not retire'),
    assistantOption(),
    passwordOption(),
    timeoutOption(),
  ],
  json: '{ "retired": true }',
  examples: [{ does: 'a record that is not needed any more', line: 'roaming-key retire --name mail' }],
  async run(options) {
    const { assistant, timeout, old } = options;
    const source = await recordSource(options);
    const place = old ? await recordSource(source.old) : source;
    // A change that did not come to its end leaves a copy of the record that is in force.
    if (old && (await source.exists()) && (await source.load()).salt === (await place.load()).salt)
      throw new CommandLineError(
        'not_found',
        'the password was not changed: no other record is to be retired',
      );
    const chosen = old ? source.old : options;
    const device = await openDevice(
      { ...chosen, ...(assistant && { assistant }), ...(timeout && { timeout }) },
      [],
    );
    const password = await currentPassword(options);
    await working('retiring', () => device.retire(password));
    noteHistory(device, options);
    if (old) await place.remove();
    return { json: { retired: true }, text: 'the record is retired\n' };
  },
});
