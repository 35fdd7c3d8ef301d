/** What the help shows, and the examples in it. */
import type { Command } from 'commander';
import { program } from '../../lib/cli/program.ts';

/** Every command with its full name, such as `keys list`, groups first. */
export function commands(of: Command = program(), name = 'roaming-key'): [name: string, command: Command][] {
  const below = of.commands.flatMap((one) => commands(one, `${name} ${one.name()}`));
  return [[name, of], ...below];
}

/** Help as it is shown. */
export function help(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => void parts.push(part) }).outputHelp();
  return parts.join('').trimEnd();
}

/** The lines under `Examples:` that are no comments. */
export function examples(command: Command): string[] {
  const [, list = ''] = help(command).split('\nExamples:\n');
  return list
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Those that do something. */
export const leaves = commands().filter(([, command]) => command.commands.length === 0);
