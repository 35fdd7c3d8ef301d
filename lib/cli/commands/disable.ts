import { Option } from 'commander';
import { command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { transport } from '../open-device.ts';
import { type AssistantOptions, assistantOption, timeoutOption } from '../options.ts';
import { working } from '../output.ts';
import { promptSecret } from '../prompt.ts';

interface Options extends AssistantOptions {
  readonly kit?: string;
  readonly code?: string;
}

export const disable = command<Options>({
  name: 'disable',
  summary: 'disable a key for good, when its device is gone',
  description: `Needs the disabling kit or its code; neither the device nor the password, nor anybody's consent. Cannot be undone.
Succeeds only once the assistant has said, genuinely, that the mark is durable; after any failure take the key
for not disabled and try again. Without --kit and --code the code is asked for.`,
  options: [
    new Option('--kit <file>', 'the disabling kit').conflicts('code'),
    new Option('--code <code>', 'the code of 29 characters; goes with --assistant'),
    assistantOption('the assistant, which a code does not name'),
    timeoutOption(),
  ],
  json: '{ "disabled": true }',
  examples: [
    { does: 'with the stick', line: 'roaming-key disable --kit /media/stick/kit.json' },
    {
      does: 'with the code on paper',
      line: 'roaming-key disable --assistant https://assistant.example --code 000G4-0R40M-30E20-9185G-R38E1-YZ4A',
    },
  ],
  async run(options) {
    const { kit: file, assistant } = options;
    if (file === undefined && assistant === undefined) {
      throw new CommandLineError(
        'usage',
        'a code does not name its assistant: give --assistant too, or --kit',
      );
    }
    const [{ disable }, { readKitFile }] = await Promise.all([
      import('../../device/disable.ts'),
      import('../../device/node.ts'),
    ]);
    const kit =
      file === undefined
        ? (options.code ?? (await promptSecret('Disabling code: ', '--code or --kit')))
        : await readKitFile(file);
    await working('disabling', () =>
      disable(kit, { ...transport(options), ...(assistant !== undefined && { assistant }) }),
    );
    return { json: { disabled: true }, text: 'the key is disabled\n' };
  },
});
