/** What a device is doing now, for a user who waits. */
export interface Progress {
  /**
   * `generating` a key, `stretching` the password (the slow step: about half a second), `asking` the assistant,
   * `proving` the key to an app.
   */
  readonly phase: 'generating' | 'stretching' | 'asking' | 'proving';
  /** How much of the phase is done, from 0 to 1; only where that is known. */
  readonly done?: number;
}

export interface ProgressOptions {
  /** Called when a step begins, and with its progress where that is known. Must not throw. */
  readonly onProgress?: (progress: Progress) => void;
}
