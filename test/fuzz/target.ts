import { isDeepStrictEqual } from 'node:util';
import { toBase64url } from '../../lib/base/bytes.ts';
import { type ErrorCode, isRoamingKeyError } from '../../lib/base/errors.ts';

/** A decoder that meets bytes from outside, and what must hold of it whatever they are. */
export interface FuzzTarget {
  readonly name: string;
  /** Whom the bytes come from. */
  readonly from:
    | 'a device'
    | 'an assistant'
    | 'an app'
    | 'a record service'
    | 'anybody'
    | 'a file'
    | 'a person';
  /** Inputs that are in order, to be bent. Those of one process have the same keys. */
  seeds(): Promise<readonly (string | Uint8Array)[]>;
  /** @throws whatever no input may make it throw */
  run(input: Uint8Array): unknown;
}

/** What a decoder did and may not do. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** @throws Finding unless `holds` */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Finding(what);
}

/**
 * What `run` returns; `undefined` where it refuses with one of the codes that its documentation names.
 *
 * @throws Finding for any other error
 */
export async function unless<T>(
  codes: readonly ErrorCode[],
  run: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (isRoamingKeyError(error, ...codes) && codes.length > 0) return undefined;
    const told = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new Finding(`refused in a way that is not documented: ${told}`, { cause: error });
  }
}

/** As {@link unless}, for what a programmer or an operator is told by an error of a class. */
export async function unlessThrown<T>(
  kind: abstract new (...args: never[]) => Error,
  run: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof kind && (error as Error).constructor === kind) return undefined;
    throw new Finding(`threw ${String(error)} instead of a ${kind.name}`, { cause: error });
  }
}

const decoder = new TextDecoder();

/** Text of any bytes: what is no UTF-8 becomes U+FFFD. */
export function asText(input: Uint8Array): string {
  return decoder.decode(input);
}

/** JSON of any bytes; `undefined` where it is none. */
export function asJson(input: Uint8Array): unknown {
  try {
    return JSON.parse(asText(input));
  } catch {
    return undefined;
  }
}

/** Whether a value that was read says, member by member, what the JSON said that it was read from. */
export function saysTheSame(read: unknown, json: unknown): boolean {
  return isDeepStrictEqual(spelled(read), json);
}

function spelled(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64url(value);
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, spelled(member)]));
}

/** Makes a value once. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
