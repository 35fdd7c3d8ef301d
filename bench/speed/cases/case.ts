import type { Cost, MeasuredServer, Prepared } from '../measured-server.ts';

/** Sends requests; what they cost counts. What happens between two calls does not. */
export type Send = (requests: readonly Prepared[]) => Promise<Pick<Cost, 'answers'>>;

/** Something that a server does again and again, ready to be measured. */
export interface RunningCase {
  readonly server: MeasuredServer;
  /** Does the operation `count` times, each of its requests through `send`. */
  readonly run: (count: number, send: Send) => Promise<void>;
}

export interface Case {
  readonly name: string;
  /** How often the operation is done in one round. */
  readonly batch: number;
  readonly start: () => Promise<RunningCase>;
}

/** `count` values, made one after the other. */
export async function many<T>(count: number, make: (i: number) => T | Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let i = 0; i < count; i++) made.push(await make(i));
  return made;
}

export function prepared(path: string, body: object): Prepared {
  return { path, body: JSON.stringify(body) };
}
