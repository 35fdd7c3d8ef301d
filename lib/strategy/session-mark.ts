/**
 * Which key opened a session, in Passport's own terms of user and login.
 *
 * The mark in the session names the key, and the login that set it: a session may go on to another user (a login with
 * `keepSessionInfo`), and apps copy sessions. Passport's own slot of the session says that a mark belongs here, so a
 * session that lost its mark is not mistaken for one that no key opened.
 */
import { createHash } from 'node:crypto';
import type { Request } from 'express';

/** Which key opened a session: `req.session.roamingKey`. */
export interface SessionKey {
  readonly account: string;
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly jkt: string;
  /** Hash of the user as Passport serialized it. */
  readonly user: string;
  /** Hash of that user and the session's id. */
  readonly login: string;
}

interface Slot {
  user?: unknown;
  roamingKey?: true;
}
interface Session {
  roamingKey?: SessionKey;
  save?(done: (error?: unknown) => void): void;
  [slot: string]: unknown;
}
/** What Passport and the session middleware add to a request. */
interface PassportRequest {
  readonly session?: Session;
  readonly sessionID?: string;
  readonly user?: unknown;
  readonly isAuthenticated?: () => boolean;
  readonly logout?: (done: (error?: unknown) => void) => void;
  readonly _userProperty?: string;
  readonly _sessionManager?: { readonly _key?: string };
}

/** What opened the session of a request. */
export type Opening =
  /** The request has no session. */
  | { readonly by: 'none' }
  /** Another login than by key. */
  | { readonly by: 'other' }
  /** A key. `isSameLogin` is false where the same user has logged in once more, or the app has copied the session. */
  | { readonly by: 'key'; readonly key: SessionKey; readonly isSameLogin: boolean }
  /** A key, but the mark is missing or not of this form. */
  | { readonly by: 'unknown' };

/** Reads what opened the session of a request. */
export function openingOf(req: Request): Opening {
  const { session, user, isAuthenticated } = view(req);
  const slot = slotOf(req);
  const hasUser =
    user ||
    userOf(req) ||
    isAuthenticated?.call(req) ||
    // Passport has not looked at the session yet: the app mounted things in another order.
    (slot?.user !== undefined && slot.user !== null);
  if (!hasUser) return { by: 'none' };
  const mark: unknown = session?.roamingKey;
  if (mark === undefined) return { by: slot?.roamingKey === undefined ? 'other' : 'unknown' };
  if (!isMark(mark)) return { by: 'unknown' };
  const binding = bindingOf(req);
  if (mark.user !== binding.user) return { by: 'other' };
  return { by: 'key', key: mark, isSameLogin: mark.login === binding.login };
}

/** Writes into the session, if there is one, which key has just opened it, and saves it. */
export async function markSession(req: Request, key: Pick<SessionKey, 'account' | 'jkt'>): Promise<void> {
  const { session } = view(req);
  if (!session) return;
  session.roamingKey = { ...key, ...bindingOf(req) };
  const slot = slotOf(req);
  if (slot) slot.roamingKey = true;
  // Saved before anything is answered: the browser's next request may be faster than the store.
  await new Promise<void>((resolve, reject) => {
    if (session.save) session.save((error) => (error ? reject(error) : resolve()));
    else resolve();
  });
}

/** Logs out, where Passport is there to do it. */
export function endSession(req: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    const { logout } = view(req);
    if (logout) logout.call(req, (error) => (error ? reject(error) : resolve()));
    else resolve();
  });
}

const view = (req: Request) => req as unknown as PassportRequest;

/** Apps may have Passport put the user elsewhere than `req.user`. */
const userOf = (req: Request) =>
  (req as unknown as Record<string, unknown>)[view(req)._userProperty ?? 'user'];

function slotOf(req: Request): Slot | undefined {
  const { session, _sessionManager } = view(req);
  const slot = session?.[_sessionManager?._key ?? 'passport'];
  return typeof slot === 'object' && slot !== null ? slot : undefined;
}

function bindingOf(req: Request): Pick<SessionKey, 'user' | 'login'> {
  const user = digest(slotOf(req)?.user);
  return { user, login: digest([user, view(req).sessionID]) };
}

/** Databases may order the members of an object anew, so they are sorted. */
function digest(value: unknown): string {
  const text = JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
  return createHash('sha256')
    .update(text ?? '')
    .digest('base64url');
}

function isMark(mark: unknown): mark is SessionKey {
  const { account, jkt, user, login } = Object(mark) as Record<string, unknown>;
  return [account, jkt, user, login].every((member) => typeof member === 'string');
}
