import { Option } from 'commander';
import { command } from '../command.ts';
import { CommandLineError } from '../failure.ts';
import { transport } from '../open-device.ts';
import { type AssistantOptions, assistantOption, timeoutOption } from '../options.ts';
import { note, working } from '../output.ts';
import { promptSecret } from '../prompt.ts';
import { readAs } from '../what-is.ts';

interface Options extends AssistantOptions {
  readonly kit?: string;
  readonly code?: string;
  readonly moved?: true;
}

export const disable = command<Options>({
  name: 'disable',
  summary: 'disable a key for good, when its device is gone',
  description: `Needs the disabling kit or its code; neither the device nor the password, nor anybody's consent. Cannot be undone.
Succeeds only once the assistant has said, genuinely, that the mark is durable; after any failure take the key
for not disabled and try again. Says which assistant that was. Without --kit and --code the code is asked for.`,
  options: [
    new Option('--kit <file>', 'the disabling kit').conflicts('code'),
    new Option('--code <code>', 'the code of 32 characters (earlier ones have 29); goes with --assistant'),
    assistantOption('the assistant: a code only shows whether it is the right one'),
    new Option(
      '--moved',
      'the assistant has moved: send it to the one of --assistant, whichever the code or kit was made for',
    ),
    timeoutOption(),
  ],
  json: '{ "disabled": true, "assistant" }',
  examples: [
    { does: 'with the stick', line: 'roaming-key disable --kit /media/stick/kit.json' },
    {
      does: 'with the code on paper',
      line: 'roaming-key disable --assistant https://assistant.example --code "$CODE"',
    },
  ],
  async run(options) {
    const { kit: file, assistant } = options;
    if (assistant === undefined && (file === undefined || options.moved)) {
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
        : await readAs('a disabling kit', file, () => readKitFile(file));
    const told = await working('disabling', () =>
      disable(kit, {
        ...transport(options),
        ...(assistant !== undefined && { assistant }),
        hasMoved: options.moved === true,
      }),
    );
    if (told.isUnchecked)
      note(
        `nothing says that the key belongs to ${told.assistant}: if it does not, it is not disabled`,
        options,
      );
    return {
      json: { disabled: true, assistant: told.assistant },
      text: `the key is disabled at ${told.assistant}\n`,
    };
  },
});
