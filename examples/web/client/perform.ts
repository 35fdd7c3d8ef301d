import { explain } from './errors.ts';
import { showNotice } from './notice.ts';
import { showProgress } from './progress.ts';
import { record, type Scheme } from './runs.ts';

export interface Action<T> {
  /** What the picture of it is called. */
  readonly title: string;
  readonly scheme: Scheme;
  readonly act: () => Promise<T>;
  /** Where its progress is shown. Default `#progress`. */
  readonly progress?: HTMLElement | null;
  /** Told of a failure before the user is. */
  readonly onFailure?: (error: unknown) => void;
}

/** Does what the user asked for: shows progress, keeps a picture, and explains what goes wrong. */
export async function perform<T>(action: Action<T>): Promise<T | undefined> {
  const { title, scheme, act, progress = document.getElementById('progress'), onFailure } = action;
  showNotice(undefined);
  const shown = progress ? showProgress(progress) : undefined;
  try {
    return await record({ title, scheme, ...(shown && { onProgress: shown.on }) }, act);
  } catch (error) {
    onFailure?.(error);
    showNotice(explain(error));
    return undefined;
  } finally {
    shown?.end();
  }
}
