#!/usr/bin/env node
import { CommanderError } from 'commander';
import { CommandLineError, toFailure } from './failure.ts';
import { reportFailure } from './output.ts';
import { program } from './program.ts';

// Who reads from a pipe may stop reading; a file system may be full.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : reportFailure(error, { json: isJson() }));
});
process.stderr.on('error', () => {});

try {
  await program().parseAsync(withIdLast(process.argv));
} catch (error) {
  // Commander throws success, too: after help or version, where that was asked for.
  if (!(error instanceof CommanderError && error.exitCode === 0)) {
    const failed = ofCommander(error);
    process.exitCode = reportFailure(failed, { json: isJson() });
    // Only a detached agent has somebody to tell in this way.
    if (process.connected) {
      process.send?.({ failure: toFailure(failed) });
      process.disconnect();
    }
  }
}

/** Ids are base64url, so that one in 64 begins with a dash: it is no option. */
function withIdLast(argv: readonly string[]): readonly string[] {
  const id = argv[2] === 'store' && !argv.includes('--') && argv.find((one) => /^-[\w-]{42}$/.test(one));
  return id ? [...argv.filter((one) => one !== id), '--', id] : argv;
}

function isJson(): boolean {
  const end = process.argv.indexOf('--');
  return process.argv.slice(2, end < 0 ? undefined : end).includes('--json');
}

/** Commander's complaints as ours. A group without a command has shown its help instead of complaining. */
function ofCommander(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  if (error.code === 'commander.help') return new CommandLineError('usage', 'a command is needed');
  return new CommandLineError(
    'usage',
    `${error.message.replace(/^error: /, '').replace(/\n/g, ' ')}${hint(error)}`,
  );
}

/** What was probably meant: a command's own options, or a value that begins with a dash. */
function hint({ code }: CommanderError): string {
  if (code !== 'commander.unknownOption') return '';
  if (process.argv[2] === 'unlock' && !process.argv.includes('--'))
    return '; the command to run comes after --, as in `roaming-key unlock -- ssh-add -l`';
  return '; a file whose name begins with a dash comes after --, or with ./ in front';
}
