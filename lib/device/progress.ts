/** What a device is doing now, for a user who waits. */
export interface Progress {
  /**
   * `generating` a key, `stretching` the password (the slow step: about half a second), `asking` the assistant,
   * `proving` the key to an app.
   */
  readonly phase: 'generating' | 'stretching' | 'asking' | 'proving';
  /** How much of the phase is done, from 0 to 1; only where that can be told. */
  readonly done?: number;
}

export interface ProgressOptions {
  /** Told of each step when it begins, and of how far it is where that can be told. Must not throw. */
  readonly onProgress?: (progress: Progress) => void;
}
