#!/usr/bin/env node
import { CommanderError } from 'commander';
import { CommandLineError } from './failure.ts';
import { reportFailure } from './output.ts';
import { program } from './program.ts';

/** What commander throws after it has shown help or version because that was asked for. */
const SHOWN = ['commander.helpDisplayed', 'commander.version'];

// Who reads from a pipe may stop reading.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await program().parseAsync();
} catch (error) {
  const isShown =
    error instanceof CommanderError &&
    (SHOWN.includes(error.code) || (error.code === 'commander.help' && isHelpCommand()));
  if (!isShown) {
    const end = process.argv.indexOf('--');
    const json = process.argv.slice(2, end < 0 ? undefined : end).includes('--json');
    process.exitCode = reportFailure(ofCommander(error), { json });
  }
}

/** Whether help was asked for by `help`, as in `help serve` or `keys help`. */
function isHelpCommand(): boolean {
  return process.argv.slice(2, 5).includes('help');
}

/** Commander's complaints as ours. A group without a command has shown its help instead of complaining. */
function ofCommander(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  if (error.code === 'commander.help') return new CommandLineError('usage', 'a command is needed');
  return new CommandLineError('usage', error.message.replace(/^error: /, '').replace(/\n/g, ' '));
}
