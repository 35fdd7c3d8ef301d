import { vi } from 'vitest';

/** Longer than anything takes on a busy machine: it ends what hangs. */
const PATIENCE = { timeout: 60_000, interval: 20 };

/** Tries until it throws no more, and resolves with what it returns. */
export const eventually = <T>(act: () => T | Promise<T>): Promise<T> => vi.waitFor(act, PATIENCE);

/** Asks until it is so. */
export const until = (ask: () => boolean | Promise<boolean>): Promise<boolean> => vi.waitUntil(ask, PATIENCE);
