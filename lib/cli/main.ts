#!/usr/bin/env node
import { CommanderError } from 'commander';
import { CommandLineError, toFailure } from './failure.ts';
import { reportFailure } from './output.ts';
import { program } from './program.ts';

// Who reads from a pipe may stop reading.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await program().parseAsync();
} catch (error) {
  // Commander throws success, too: after help or version, where that was asked for.
  if (!(error instanceof CommanderError && error.exitCode === 0)) {
    const end = process.argv.indexOf('--');
    const json = process.argv.slice(2, end < 0 ? undefined : end).includes('--json');
    const failed = ofCommander(error);
    process.exitCode = reportFailure(failed, { json });
    // Only a detached agent has somebody to tell in this way.
    if (process.connected) {
      process.send?.({ failure: toFailure(failed) });
      process.disconnect();
    }
  }
}

/** Commander's complaints as ours. A group without a command has shown its help instead of complaining. */
function ofCommander(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  if (error.code === 'commander.help') return new CommandLineError('usage', 'a command is needed');
  return new CommandLineError('usage', error.message.replace(/^error: /, '').replace(/\n/g, ' '));
}
