/** Detects that this machine or process was suspended: another person may have opened the lid. */

export interface SuspendWatchOptions {
  /** Milliseconds of a clock that goes on while the machine sleeps. */
  readonly wall?: () => number;
  /** Milliseconds between two looks. */
  readonly every?: number;
  /** Milliseconds that a look may come late on a busy machine. */
  readonly tolerance?: number;
}

/**
 * Calls back after the process stood still, be it by suspend, hibernation or SIGSTOP. It cannot be called before: what
 * is held stays in memory while the machine sleeps.
 *
 * @returns ends the watch
 */
export function watchForSuspend(
  onResume: () => void,
  { wall = Date.now, every = 1000, tolerance = 15_000 }: SuspendWatchOptions = {},
): () => void {
  let last = wall();
  const timer = setInterval(() => {
    const now = wall();
    // A clock that was set back tells nothing of the time between, so take it for a pause as well.
    const isPause = now - last > every + tolerance || now < last - tolerance;
    last = now;
    if (isPause) onResume();
  }, every).unref();
  return () => clearInterval(timer);
}
