/** All commands as one tree. What they do is loaded when they do it, so that help comes at once. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { group } from './command.ts';
import { agent } from './commands/agent.ts';
import { allowedSigners } from './commands/allowed-signers.ts';
import { changePassword } from './commands/change-password.ts';
import { decrypt } from './commands/decrypt.ts';
import { disable } from './commands/disable.ts';
import { doctor } from './commands/doctor.ts';
import { encrypt } from './commands/encrypt.ts';
import { enroll } from './commands/enroll.ts';
import { authorizedKeys, revokedKeys } from './commands/hosts.ts';
import { keys } from './commands/keys.ts';
import { login, register } from './commands/login.ts';
import { record } from './commands/record.ts';
import { retire } from './commands/retire.ts';
import { serve } from './commands/serve.ts';
import { sign } from './commands/sign.ts';
import { store } from './commands/store.ts';
import { unlock } from './commands/unlock.ts';
import { EXIT_STATUS } from './failure.ts';

const DESCRIPTION = `Private keys that a stolen device cannot give away: a device keeps a record that is useless without the help of
an assistant, which sees neither password nor key.`;

/** Variables that commands read. */
export const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ['ROAMING_KEY_PASSWORD', 'the password, where --password-file gives none'],
  ['ROAMING_KEY_NEW_PASSWORD', 'the new one of change-password'],
  ['ROAMING_KEY_ASSISTANT', 'what --assistant says'],
  ['ROAMING_KEY_KEYS', 'what --keys says'],
  ['ROAMING_KEY_STORE', 'what --store says; the only way for a URL with a password'],
  ['ROAMING_KEY_DEBUG', 'anything: errors come with their stack'],
  ['XDG_DATA_HOME', 'your data folder is `roaming-key` in here (default: ~/.local/share)'],
];

/** Makes the program. */
export function program(): Command {
  const url = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(url, 'utf8')) as { version: string };
  return group('roaming-key', 'private keys that a stolen device cannot give away', [
    enroll,
    agent,
    unlock,
    sign,
    encrypt,
    decrypt,
    register,
    login,
    changePassword,
    retire,
    disable,
    record,
    doctor,
    authorizedKeys,
    revokedKeys,
    allowedSigners,
    serve,
    keys,
    store,
  ])
    .description(DESCRIPTION.replace(/\n/g, ' '))
    .version(version)
    .addHelpText(
      'after',
      `\n${section('Environment', ENVIRONMENT)}\n\n${section('Exit status', EXIT_STATUS)}`,
    );
}

function section(title: string, rows: readonly (readonly [string | number, string])[]): string {
  const width = Math.max(...rows.map(([name]) => String(name).length));
  return `${title}:\n${rows.map(([name, meaning]) => `  ${String(name).padEnd(width)}  ${meaning}`).join('\n')}`;
}
