/**
 * Requests of the SSH agent protocol (draft-ietf-sshm-ssh-agent; PROTOCOL.agent of OpenSSH), decoded once and strictly.
 */
import { Reader } from '../../crypto/ssh/openssh-key.ts';

/** Limits under which a key was added. */
export interface Constraints {
  /** Seconds until the key is removed. */
  readonly lifetime?: number;
  /** Ask the user before each use. */
  readonly confirm: boolean;
}

/** A private key that `ssh-add` hands over: its fields as they were sent. */
export interface AddedKey {
  readonly type: string;
  readonly fields: readonly Uint8Array[];
  readonly comment: string;
}

/** A session that the asking `ssh` has proven, by its host key's signature over the session id. */
export interface Bind {
  readonly hostKey: Uint8Array;
  readonly session: Uint8Array;
  readonly signature: Uint8Array;
  readonly isForwarded: boolean;
}

export type AgentRequest =
  | { readonly type: 'list' | 'removeAll' }
  | { readonly type: 'sign'; readonly key: Uint8Array; readonly data: Uint8Array; readonly flags: number }
  | { readonly type: 'add'; readonly key: AddedKey; readonly constraints: Constraints }
  | { readonly type: 'remove'; readonly key: Uint8Array }
  | { readonly type: 'lock' | 'unlock'; readonly passphrase: Uint8Array }
  | ({ readonly type: 'bind' } & Bind);

const LIST = 11;
const SIGN = 13;
const ADD = 17;
const REMOVE = 18;
const REMOVE_ALL = 19;
const LOCK = 22;
const UNLOCK = 23;
const ADD_CONSTRAINED = 25;
const EXTENSION = 27;

/** How many strings a key of each type has between its type and its comment. */
const FIELDS: Readonly<Record<string, number>> = {
  'ssh-ed25519': 2,
  'ssh-rsa': 6,
  'ecdsa-sha2-nistp256': 3,
  'ecdsa-sha2-nistp384': 3,
  'ecdsa-sha2-nistp521': 3,
  'ssh-ed25519-cert-v01@openssh.com': 3,
  'ssh-rsa-cert-v01@openssh.com': 5,
  'ecdsa-sha2-nistp256-cert-v01@openssh.com': 2,
  'ecdsa-sha2-nistp384-cert-v01@openssh.com': 2,
  'ecdsa-sha2-nistp521-cert-v01@openssh.com': 2,
};
const MAX_COMMENT = 1024;

/** Reads a request; `undefined` where it is malformed or of a kind that this agent does not serve. */
export function readRequest(message: Uint8Array): AgentRequest | undefined {
  const from = new Reader(message.subarray(1));
  const request = readBody(message[0], from);
  return from.failed || from.rest > 0 ? undefined : request;
}

function readBody(type: number | undefined, from: Reader): AgentRequest | undefined {
  switch (type) {
    case LIST:
      return { type: 'list' };
    case SIGN:
      return { type: 'sign', key: from.string(), data: from.string(), flags: from.uint32() };
    case ADD:
    case ADD_CONSTRAINED:
      return readAdd(from, type === ADD_CONSTRAINED);
    case REMOVE:
      return { type: 'remove', key: from.string() };
    case REMOVE_ALL:
      return { type: 'removeAll' };
    case LOCK:
    case UNLOCK:
      return { type: type === LOCK ? 'lock' : 'unlock', passphrase: from.string() };
    case EXTENSION:
      return from.text() === 'session-bind@openssh.com' ? readBind(from) : undefined;
    default:
      return undefined;
  }
}

function readBind(from: Reader): AgentRequest {
  const [hostKey, session, signature] = [from.string(), from.string(), from.string()];
  return { type: 'bind', hostKey, session, signature, isForwarded: from.byte() !== 0 };
}

function readAdd(from: Reader, isConstrained: boolean): AgentRequest | undefined {
  const type = from.text();
  const count = Object.hasOwn(FIELDS, type) ? (FIELDS[type] as number) : undefined;
  if (count === undefined) return undefined;
  const fields = Array.from({ length: count }, () => from.string());
  const comment = new TextDecoder().decode(from.string().subarray(0, MAX_COMMENT));
  const constraints = isConstrained ? readConstraints(from) : { confirm: false };
  return constraints && { type: 'add', key: { type, fields, comment }, constraints };
}

/** `undefined` for a limit that this agent could not keep, such as OpenSSH's `restrict-destination`. */
function readConstraints(from: Reader): Constraints | undefined {
  let lifetime: number | undefined;
  let confirm = false;
  while (from.rest > 0 && !from.failed) {
    const type = from.byte();
    if (type === 1) lifetime = from.uint32();
    else if (type === 2) confirm = true;
    else return undefined;
  }
  return { confirm, ...(lifetime !== undefined && { lifetime }) };
}
