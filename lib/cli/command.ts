/** How every command is made: the same help, the same `--json`, one place where results are printed. */
import { Command, Option } from 'commander';
import { type Outcome, print } from './output.ts';

/** One line that a reader can paste. */
export interface Example {
  readonly does: string;
  readonly line: string;
}

/** What every command has. */
export interface CommonOptions {
  readonly json?: true;
}

export interface CommandSpec<Options extends object> {
  /** Name and operands as commander spells them, such as `sign [file]`. */
  readonly name: string;
  /** One line, for lists. */
  readonly summary: string;
  /** What the command does, what it writes where, and what to take care of. */
  readonly description: string;
  readonly options: readonly Option[];
  /** What stands on stdout with `--json`. */
  readonly json: string;
  readonly examples: readonly Example[];
  /** Does the work; a command that prints by itself resolves with nothing. */
  run(
    options: Options & CommonOptions,
    ...operands: readonly (string | readonly string[] | undefined)[]
  ): Promise<Outcome | undefined>;
}

const HELP_WIDTH = 100;

/** Makes a command that does something. */
export function command<Options extends object>(spec: CommandSpec<Options>): Command {
  const made = plain(new Command(spec.name.split(' ')[0]), spec.summary, spec.description);
  for (const operand of spec.name.split(' ').slice(1)) made.argument(operand);
  for (const option of spec.options) made.addOption(option);
  made.addOption(new Option('--json', 'print one JSON object on stdout, and errors as JSON on stderr'));
  made.addHelpText('after', manual(spec));
  made.action(async () => {
    const options = made.opts<Options & CommonOptions>();
    const outcome = await spec.run(options, ...(made.processedArgs as (string | string[] | undefined)[]));
    if (outcome) await print(options.json ? `${JSON.stringify(outcome.json)}\n` : outcome.text);
  });
  return made;
}

/** Makes a command that only has others below it. */
export function group(name: string, summary: string, commands: readonly Command[]): Command {
  const made = plain(new Command(name), summary, `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`);
  for (const one of commands) made.addCommand(one);
  return made;
}

function plain(made: Command, summary: string, description: string): Command {
  return made
    .summary(summary)
    .description(description.replace(/\n/g, ' '))
    .configureHelp({ helpWidth: HELP_WIDTH })
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
}

function manual({ json, examples }: Pick<CommandSpec<object>, 'json' | 'examples'>): string {
  const lines = examples.flatMap(({ does, line }) => [`  # ${does}`, `  ${line}`]);
  return ['', `With --json: ${json}`, '', 'Examples:', ...lines].join('\n');
}
