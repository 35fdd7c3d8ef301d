/**
 * Instrumentation hook: servers report each step here; metrics and tracing are built on it. A hook learns which step it was
 * and how it ended, never what went in or came out.
 */

import { isRoamingKeyError, isWireErrorCode, type WireErrorCode } from '../base/errors.ts';
import { checkFunction } from '../base/options.ts';
import type { Operation, SchemeName } from '../protocol/schemes/index.ts';

/** Which of the three servers something belongs to. */
export type Part = 'assistant' | 'relyingParty' | 'records';

/** `POST assist`. What was asked for is found out under way: it is known when the step ends, if it ever is. */
export interface AssistStep {
  readonly name: 'assist';
  op?: Operation;
  scheme?: SchemeName;
}

/** One operation of a store. */
export interface StoreStep {
  readonly name: 'store';
  readonly part: Part;
  /** The store's method. */
  readonly operation: string;
}

/** An HTTP request, from its routing until its connection is done with the answer. */
export interface RequestStep {
  readonly name: 'request';
  readonly part: Part;
  /** What the route is called here, never a URL: `assist`, say. */
  readonly route: string;
  /** The answer's status; absent before it, and where the client went away before. */
  status?: number;
}

/**
 * Something that takes time. `openTicket`, `store` and `exponentiate` are parts of what a server was asked for, `request`
 * is the HTTP around it; the others are what it was asked for.
 */
export type Step =
  | AssistStep
  | { readonly name: 'disable' | 'login' | 'registration' | 'recordFetch' | 'recordPut' }
  | RequestStep
  | { readonly name: 'openTicket' }
  | StoreStep
  | { readonly name: 'exponentiate'; readonly scheme: 'rsa' | 'elgamal' };

/** How a step ended: well, or with the code of the error that is answered. */
export type Outcome = 'ok' | WireErrorCode;

/**
 * Runs a step. Calls `run` once, before it returns, in the context in which the step's own parts are to run; `run` does
 * not reject. What the hook throws is ignored, and if it does not call `run` the step runs all the same.
 *
 * @example
 * const instrument = async (step, run) => {
 *   const started = performance.now();
 *   const outcome = await run();
 *   console.log(step.name, outcome, performance.now() - started);
 * };
 */
export type Instrument = (step: Step, run: () => Promise<Outcome>) => unknown;

/** Runs a step within the hook and resolves, or rejects, as the step does. */
export type Observe = <T>(step: Step, run: () => Promise<T>, outcomeOf?: (value: T) => Outcome) => Promise<T>;

/**
 * Makes a hook harmless. Without one, steps are only run.
 *
 * @throws TypeError for a hook that is not a function
 */
export function observer(instrument: Instrument | undefined): Observe {
  if (instrument === undefined) return (_step, run) => run();
  checkFunction('instrument', instrument);
  return <T>(step: Step, run: () => Promise<T>, outcomeOf: (value: T) => Outcome = () => 'ok') => {
    let work: Promise<T> | undefined;
    void runWithin(instrument, step, () => {
      // A step that throws before its first await rejects, or it would be run once more.
      work = (async () => run())();
      return work.then(outcomeOf, failureOf);
    });
    return work as unknown as Promise<T>;
  };
}

/**
 * Several hooks as one; the first is the outermost.
 *
 * @example
 * assistant({ keys, store, instrument: combineInstruments(openTelemetry(), metrics.instrument) });
 */
export function combineInstruments(...instruments: readonly Instrument[]): Instrument {
  return (step, run) =>
    instruments.reduceRight<() => Promise<Outcome>>(
      (inner, instrument) => () => runWithin(instrument, step, inner),
      run,
    )();
}

/** Runs `run` once, within the hook if the hook cares to. */
function runWithin(instrument: Instrument, step: Step, run: () => Promise<Outcome>): Promise<Outcome> {
  let running: Promise<Outcome> | undefined;
  const once = () => {
    running ??= run();
    return running;
  };
  callSafely(() => instrument(step, once));
  return once();
}

/** Calls what is not ours; whatever it throws, now or later, is ignored. */
export function callSafely(call: () => unknown): void {
  try {
    const late = call();
    if (typeof late === 'object' && late !== null) Promise.resolve(late).catch(() => {});
  } catch {
    // What watches a request must not change what the request gets.
  }
}

/** The code that an error is answered with. */
export function failureOf(error: unknown): WireErrorCode {
  return isRoamingKeyError(error) && isWireErrorCode(error.code) ? error.code : 'unavailable';
}

/** The named operations of something, each reported as a step. */
export function observed<T extends object, S extends Partial<Record<keyof T, Step>>>(
  target: T,
  steps: S,
  observe: Observe,
): Pick<T, keyof T & keyof S> {
  const methods = target as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const wrapped = Object.entries<Step>(steps as Record<string, Step>).map(([name, step]) => [
    name,
    (...args: unknown[]) => observe({ ...step }, async () => methods[name]?.(...args)),
  ]);
  return Object.fromEntries(wrapped) as Pick<T, keyof T & keyof S>;
}

/** Store steps by operation. */
export function storeSteps<K extends string>(part: Part, ...operations: readonly K[]): Record<K, StoreStep> {
  const entries = operations.map((operation) => [operation, { name: 'store', part, operation }]);
  return Object.fromEntries(entries) as Record<K, StoreStep>;
}
