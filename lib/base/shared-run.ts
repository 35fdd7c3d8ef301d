/**
 * Lets calls that come while a run is in flight share it.
 *
 * @param keep whether a success is kept, so that only a failure leads to another run
 */
export function sharedRun<T>(act: () => Promise<T>, { keep = false } = {}): () => Promise<T> {
  let run: Promise<T> | undefined;
  return () => {
    if (run) return run;
    const mine = act();
    run = mine;
    const forget = () => {
      if (run === mine) run = undefined;
    };
    mine.then(keep ? () => {} : forget, forget);
    return mine;
  };
}
