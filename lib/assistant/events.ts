import type { Operation, SchemeName } from '../protocol/schemes/index.ts';
import type { FailedSince } from '../store/store.ts';

interface OnTicket {
  /** The ticket's state id: names a counter, neither user nor key. */
  readonly id: string;
  /** The name under which the ticket can be disabled. */
  readonly u: string;
  readonly op: Operation;
  readonly scheme: SchemeName;
  /** Where the request came from, as the app's router saw it. */
  readonly address?: string | undefined;
}

/**
 * What happened, for an audit log. Never holds a secret, a share, a ticket, a password verifier or a result.
 * Times are seconds since the epoch.
 */
export type AssistantEvent =
  /** The password was right and help was given. */
  | ({
      readonly type: 'assisted';
      readonly failedSince: FailedSince;
      /** The last success before this one, if the id was known by it. */
      readonly lastUsed: number | null;
      readonly renewed: boolean;
    } & OnTicket)
  /** The password was compared and wrong. `retryAt` is absent when that stopped the id for good. */
  | ({
      readonly type: 'wrongPassword';
      readonly attemptsLeft: number;
      readonly retryAt?: number | undefined;
    } & OnTicket)
  /** Refused before the password was looked at: too many failures. `retryAt` is absent when for good. */
  | ({ readonly type: 'locked'; readonly retryAt?: number | undefined } & OnTicket)
  /** Refused before the password was looked at. */
  | ({
      readonly type: 'busy' | 'replayed' | 'refusedDisabled' | 'refusedRetired' | 'refusedByPolicy';
    } & OnTicket)
  /** The ticket was reissued under a new password, for the `count`th time. */
  | ({ readonly type: 'reissued'; readonly count: number } & OnTicket)
  /** The request waits for its turn: its id is not known, and the address has made too many of those. */
  | ({ readonly type: 'delayed' } & OnTicket)
  /** A disabling waits for its turn: the address has disabled too many keys. */
  | {
      readonly type: 'disablingDelayed';
      readonly u: string;
      readonly address?: string | undefined;
    }
  /** The owner retired this ticket, after a password change for instance. */
  | ({ readonly type: 'retired' } & OnTicket)
  /** A disabling secret was shown; `isNew` is false where its key was disabled already. */
  | {
      readonly type: 'disabled';
      readonly u: string;
      readonly isNew: boolean;
      readonly address?: string | undefined;
    }
  /**
   * A request that was malformed, stale or not its device's, or that the router refused (`reason` is `method`, `type`,
   * `origin`, `size` or `form`); nothing was counted. `reason` has nothing of the request.
   */
  | {
      readonly type: 'rejected';
      readonly code: string;
      readonly reason: string;
      readonly address?: string | undefined;
    }
  /** No help could be given: store, key or worker pool failed. */
  | {
      readonly type: 'unavailable';
      readonly part: 'assistant';
      readonly error: unknown;
      readonly address?: string | undefined;
    };

/** Takes every event as it happens; what it throws is ignored. */
export type AssistantListener = (event: AssistantEvent) => void;
