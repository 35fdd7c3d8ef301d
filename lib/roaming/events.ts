/** An event at a record service, for an audit log. It never holds a record, a code or a secret. */
export type RecordEvent =
  /** A record was stored. `isNewCode` is false where the pickup code stayed. */
  | {
      readonly type: 'stored';
      readonly account: string;
      readonly u: string;
      readonly kid: string;
      readonly isNewCode: boolean;
      readonly address?: string | undefined;
    }
  /**
   * A record was asked for. `matched` is false where the answer was a decoy; `account` is then the name as it was typed,
   * normalised.
   */
  | {
      readonly type: 'fetched';
      readonly account: string;
      readonly matched: boolean;
      readonly address?: string | undefined;
    }
  /** Records of an account's other keys were given to a session of the account. */
  | { readonly type: 'othersFetched'; readonly account: string; readonly address?: string | undefined }
  /** A fetch was refused: too many wrong ones for this account name, from this address or from all of them. */
  | {
      readonly type: 'limited';
      readonly account: string;
      readonly by: 'address' | 'all';
      readonly address?: string | undefined;
    }
  /**
   * The router refused a request before the service saw it. `reason` is `type`, `origin`, `size`, `form`, `busy` for too many
   * requests, or why the request is for no account; it has nothing of the request.
   */
  | {
      readonly type: 'rejected';
      readonly part: 'records';
      readonly code: string;
      readonly reason: string;
      readonly address?: string | undefined;
    }
  /** A record was deleted by its owner. */
  | { readonly type: 'deleted'; readonly account: string; readonly address?: string | undefined }
  /** Records were deleted because the key is disabled. */
  | { readonly type: 'deletedDisabled'; readonly u: string; readonly records: number }
  /** A request could not be answered, or something in the background failed: store, feed or the assistant's key list. */
  | { readonly type: 'unavailable'; readonly part: 'records'; readonly error: unknown };

/** Called with every event as it happens; what it throws is ignored. */
export type RecordListener = (event: RecordEvent) => void;
