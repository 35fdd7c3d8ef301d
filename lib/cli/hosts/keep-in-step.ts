/** Keeping a file in step with the list of disabled keys. */
import { setTimeout as delay } from 'node:timers/promises';
import { writeOutput } from '../files.ts';
import { note, toText } from '../output.ts';

export interface InStepOptions {
  readonly file: string;
  /** Seconds between two looks. */
  readonly every: number;
  /** What the file should hold, and a name for it that changes whenever it does. */
  readonly make: () => Promise<{ readonly state: string; readonly data: string | Uint8Array }>;
  /** What it should hold where that cannot be found out. */
  readonly closed: () => Promise<string | Uint8Array>;
  readonly stopped: Promise<void>;
}

/** Writes the file, each time as one step, until `stopped`. */
export async function keepInStep({ file, every, make, closed, stopped }: InStepOptions): Promise<void> {
  const end = new AbortController();
  void stopped.then(() => end.abort());
  let written: string | undefined;
  const close = async () => {
    try {
      await writeOutput(file, await closed(), { force: true, isPublic: true });
      written = CLOSED;
    } catch (error) {
      note(`${file} cannot be written: ${toText(error)}`, {});
    }
  };
  while (!end.signal.aborted) {
    try {
      const { state, data } = await make();
      if (state !== written) await writeOutput(file, data, { force: true, isPublic: true });
      written = state;
    } catch (error) {
      note(`${file} lets no key in now: ${toText(error)}`, {});
      if (written !== CLOSED) await close();
    }
    await delay(every * 1000, undefined, { signal: end.signal }).catch(() => {});
  }
}

const CLOSED = 'closed';
