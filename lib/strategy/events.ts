interface OnKey {
  /** The key's RFC 7638 thumbprint. */
  readonly jkt: string;
  /** The names under which it can be disabled. */
  readonly u: readonly string[];
  /** Where the request came from, as Express saw it. */
  readonly address?: string | undefined;
}

/** A refusal. The key is named only where the proof has shown that it was used: what else it says is hearsay. */
interface Refusal extends Partial<OnKey> {
  /** The code of the error that was answered. */
  readonly code: string;
  /** Why, where the code does not say it: `audience`, `account`, `key`, `algorithm`, `signature`, `session`, `app`, `type`, `size`, `form`, … */
  readonly reason?: string | undefined;
}

/**
 * What happened at a relying party, for an audit log. Names keys, never accounts; never holds a proof, a challenge or a
 * secret.
 */
export type RelyingPartyEvent =
  /** A proof was good, and the app let its user in. */
  | ({ readonly type: 'loggedIn' } & OnKey)
  /** A login was refused. `disabled`, or `refused` with a key named: its holder was there, and may be the thief. */
  | ({ readonly type: 'loginRefused' } & Refusal)
  /** A key was stored for an account. `by`: the key that opened the session in which it was registered. */
  | ({ readonly type: 'registered'; readonly by?: string | undefined } & OnKey)
  /** A registration was refused, by the proof's checks or by the app. */
  | ({ readonly type: 'registrationRefused' } & Refusal)
  /** A session was ended: its key was disabled or suspended, or was taken from the account (`keyGone`; `u` is unknown then). */
  | ({ readonly type: 'sessionEnded'; readonly reason: 'disabled' | 'suspended' | 'keyGone' } & Pick<
      OnKey,
      'jkt'
    > &
      Partial<OnKey>)
  /** A request for a challenge was refused: `reason` is `method`. */
  | {
      readonly type: 'rejected';
      readonly part: 'relyingParty';
      readonly code: string;
      readonly reason: string;
      readonly address?: string | undefined;
    }
  /** A login, a registration or a request in a session could not be answered: store, feed or app failed. */
  | {
      readonly type: 'unavailable';
      readonly part: 'relyingParty';
      readonly error: unknown;
      readonly address?: string | undefined;
    };

/** Takes every event as it happens; what it throws is ignored. */
export type RelyingPartyListener = (event: RelyingPartyEvent) => void;

/** What happened to a list of disabled keys that is being followed. */
export type FeedEvent =
  /** The list was read to its end. `entries`: how many were new. */
  | { readonly type: 'feedRead'; readonly entries: number }
  /** It could not be read. What is known stays known, and after a while counts as stale. */
  | { readonly type: 'feedFailed'; readonly error: unknown };

/** Takes every event as it happens; what it throws is ignored. */
export type FeedListener = (event: FeedEvent) => void;

/** A key as events name it. */
export function keyOf(key: { readonly jkt: string; readonly disablingNames: readonly string[] }): {
  readonly jkt: string;
  readonly u: readonly string[];
} {
  return { jkt: key.jkt, u: key.disablingNames };
}
