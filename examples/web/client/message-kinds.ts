/** The messages that are drawn: what they are called, and what whoever gets them knows afterwards. */
import type { Run, Scheme, Server } from './runs.ts';

export interface MessageKind {
  /** What the device says. */
  readonly asks: string;
  /** What it gets. */
  readonly gets: string;
  /** What the server knows now, if it is more than that somebody asked. */
  readonly serverLearns?: string;
  /** What the device has now. */
  readonly deviceLearns?: string;
}

/** The run that changes a password. */
export const CHANGE = 'Changing the password';

const ASSIST: Record<Scheme | 'reissue' | 'retire', MessageKind> = {
  retrieve: {
    asks: 'sealed ticket and request',
    gets: 'masked key, sealed',
    serverLearns:
      'that the password of some ticket was typed, rightly or wrongly; for the moment, the masked key',
    deviceLearns: 'the private key, until it is locked again',
  },
  ed25519: {
    asks: 'sealed ticket, request with what is signed',
    gets: 'half a signature, sealed',
    serverLearns:
      'that the password of some ticket was typed, rightly or wrongly, and for which public key; of a login neither account nor app',
    deviceLearns: 'one signature; the key itself is nowhere',
  },
  elgamal: {
    asks: 'sealed ticket, one point of the note',
    gets: 'half a decryption with proof',
    serverLearns:
      'that the password of some ticket was typed, rightly or wrongly; for the moment, its half of the key',
    deviceLearns: 'one note in clear; the key itself is nowhere',
  },
  reissue: {
    asks: 'sealed ticket, and what the new password changes',
    gets: 'a new ticket, sealed',
    serverLearns: 'that the password of some ticket was changed',
  },
  retire: {
    asks: 'never help with the old ticket',
    gets: 'done, sealed',
    serverLearns: 'that one ticket is to be refused from now on',
  },
};

const ASSISTANT_KINDS: Record<string, MessageKind> = {
  'GET /keys': {
    asks: 'your public keys?',
    gets: 'public keys',
    deviceLearns: 'to which key tickets are sealed',
  },
  'POST /disable': {
    asks: 'disabling secret, sealed',
    gets: 'disabled, for good',
    serverLearns: 'the disabling secret of one key, which is public from now on',
    deviceLearns: 'that the key is disabled',
  },
};

const CHALLENGE: MessageKind = { asks: 'a challenge, please', gets: 'challenge, good for 2 minutes' };
const APP_KINDS: Record<string, MessageKind> = {
  'POST /register/challenge': CHALLENGE,
  'POST /login/challenge': CHALLENGE,
  'POST /register': {
    asks: 'public key, signed',
    gets: 'registered',
    serverLearns: 'your account name, your public key and the name under which it can be disabled',
  },
  'GET /session': { asks: 'who is logged in?', gets: 'an account name, or none' },
  'POST /names': { asks: 'is this name free?', gets: 'yes or no' },
  'POST /known': { asks: 'is this a key of that account?', gets: 'yes or no' },
  'POST /keys/challenge': CHALLENGE,
  'POST /login': {
    asks: 'signature for this app, this minute',
    gets: 'a session',
    serverLearns: 'a signature that is worthless elsewhere and later',
    deviceLearns: 'a session cookie',
  },
  'GET /records/profile': { asks: 'what records do you keep?', gets: 'the one kind' },
  'GET /records/': { asks: 'which record do you have?', gets: 'its name, not its content' },
  'PUT /records/': {
    asks: 'device record',
    gets: 'pickup code',
    serverLearns: 'your device record: whoever has it can guess passwords online, five at once',
    deviceLearns: 'a pickup code',
  },
  'POST /records/fetch': {
    asks: 'account name and pickup code',
    gets: 'a device record, or a decoy',
    serverLearns: 'that somebody wants the record of this account',
    deviceLearns: 'a device record, useless without assistant and password',
  },
  'DELETE /records/': { asks: 'delete my record', gets: 'deleted' },
  'PUT /records/others': {
    asks: 'record of another key',
    gets: 'kept',
    serverLearns: 'what a thief of your device would have of that key: a few guesses through the assistant',
  },
  'GET /records/others': { asks: 'my other keys, please', gets: 'their records' },
  'GET /records/fetches': { asks: 'who picked it up?', gets: 'times and addresses' },
  'POST /killed': {
    asks: 'read the list of disabled keys',
    gets: 'read; sessions ended',
    serverLearns: 'from the assistant’s public list, which key is disabled',
  },
  'POST /keys': {
    asks: 'public key',
    gets: 'published',
    serverLearns: 'your public key, and the name under which it can be disabled',
  },
  'POST /notes': {
    asks: 'sealed note',
    gets: 'delivered',
    serverLearns: 'who wrote to whom, when and how much; not what',
  },
};

const PEOPLE: MessageKind = {
  asks: 'public keys of an account',
  gets: 'public keys',
  deviceLearns: 'the other one’s public key',
};
const OTHER: MessageKind = { asks: 'a request', gets: 'an answer' };

/** What kind of message a request is. */
export function classify(server: Server, path: string, method: string, run: Run): MessageKind {
  const key = `${method} ${path.replace(/^\/(api|data)(?=\/)/, '')}`;
  if (server === 'app') return key.startsWith('GET /people/') ? PEOPLE : (APP_KINDS[key] ?? OTHER);
  if (key !== 'POST /assist') return ASSISTANT_KINDS[key] ?? OTHER;
  if (run.title !== CHANGE) return ASSIST[run.scheme];
  // The first request makes a ticket for the new password, the second ends the old one.
  const isSecond = run.steps.some((step) => step.type === 'exchange' && step.kind === ASSIST.reissue);
  return isSecond ? ASSIST.retire : ASSIST.reissue;
}
