import { Option } from 'commander';
import type { RelyingPartyAnswer } from '../../device/login-proof.ts';
import { type CommandSpec, command } from '../command.ts';
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
import { type AppOptions, relyingParty } from '../relying-party.ts';

interface Options extends OpenDeviceOptions, PasswordOptions, AppOptions {}

interface LoginOptions extends Options {
  readonly print?: 'cookie' | 'answer';
}

export const login = command<LoginOptions>({
  name: 'login',
  summary: 'log in to an app and print its session',
  description: `Proves to an app that the key is yours. Prints the cookies that the app set, ready for a Cookie header, or where it
set none its answer as JSON. Both log in anyone who has them. The proof is good for the app's own origin alone.`,
  options: [
    ...appOptions('where logins are posted, such as https://app.example/login'),
    new Option('--print <what>', 'cookie or answer (default: cookie if there is one)').choices([
      'cookie',
      'answer',
    ]),
    ...deviceOptions(),
  ],
  json: '{ "account", "cookies": [ "name=value" ], "answer" }',
  examples: [
    {
      does: 'log in and use the session',
      line: 'curl -b "$(roaming-key login --url https://app.example/login --account ada)" https://app.example/me',
    },
  ],
  async run(options) {
    const device = await openDevice(options, ['login']);
    const party = await relyingParty(options);
    const password = await currentPassword(options);
    const answer = await working('logging in', () => device.login({ ...party, password }));
    noteHistory(device, options);
    const cookies = cookiesOf(answer);
    const wantsCookie = options.print === 'cookie' || (options.print === undefined && cookies.length > 0);
    return {
      json: { account: options.account, cookies, answer: answer.body },
      text: wantsCookie ? `${cookies.join('; ')}\n` : `${JSON.stringify(answer.body ?? null)}\n`,
    };
  },
});

export const register = command<Options>({
  name: 'register',
  summary: 'register the key with an account of an app',
  description: `Registers the public key with an account that the app has authenticated by other means, such as a session or an
invitation. What proves that goes into a file of header lines, mode 0600, since arguments are seen by everybody on
the machine. The app also learns under which name the key can be disabled.`,
  options: [
    ...appOptions('where keys are registered, such as https://app.example/register'),
    ...deviceOptions(),
  ],
  json: '{ "account", "answer" }',
  examples: [
    {
      does: 'with an app that takes new accounts',
      line: 'roaming-key register --url https://app.example/register --account ada',
    },
    {
      does: 'for an account that has a session; the file holds the line `Cookie: …`',
      line: 'roaming-key register --url https://app.example/register --account ada --headers session.txt',
    },
  ],
  async run(options) {
    const device = await openDevice(options, ['login']);
    const party = await relyingParty(options);
    const password = await currentPassword(options);
    const { body } = await working('registering', () => device.register({ ...party, password }));
    noteHistory(device, options);
    return { json: { account: options.account, answer: body }, text: `registered ${options.account}\n` };
  },
});

function appOptions(url: string): CommandSpec<Options>['options'] {
  return [
    new Option('--url <url>', url).makeOptionMandatory(),
    new Option('--account <name>', "the account's name at that app").makeOptionMandatory(),
    new Option('--challenge-url <url>', 'where challenges are made (default: the URL and /challenge)'),
    new Option('--audience <origin>', "the app's origin (default: that of the URL)"),
    new Option('--headers <file>', 'send the headers of this file too, one `Name: value` a line'),
  ];
}

function deviceOptions(): CommandSpec<Options>['options'] {
  return [...recordOptions(), assistantOption(), passwordOption(), timeoutOption()];
}

function cookiesOf({ headers }: RelyingPartyAnswer): string[] {
  return headers.getSetCookie().map((line) => line.split(';')[0]?.trim() ?? '');
}
