/** Spans by OpenTelemetry: the entry `passport-roaming-key/tracing`, which needs the peer `@opentelemetry/api`. */

import {
  type Attributes,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { wrongOption } from '../base/options.ts';
import type { Instrument, Outcome, Step } from '../observe/instrument.ts';

export interface TracingOptions {
  /** Whose tracer is asked for. Default: the provider that is registered globally. */
  readonly provider?: TracerProvider;
}

const TRACER = 'passport-roaming-key';

/** The spans' names; part of the interface. Requests have none: the HTTP instrumentation of OpenTelemetry makes those. */
const SPANS: Readonly<Record<Exclude<Step['name'], 'request'>, string>> = {
  assist: 'roaming_key.assist',
  disable: 'roaming_key.disable',
  login: 'roaming_key.login',
  registration: 'roaming_key.registration',
  recordFetch: 'roaming_key.record_fetch',
  recordPut: 'roaming_key.record_put',
  openTicket: 'roaming_key.open_ticket',
  store: 'roaming_key.store',
  exponentiate: 'roaming_key.exponentiate',
};

/**
 * A hook that makes spans: one for each assist, disabling, login, registration, fetch and storing of a record, and below
 * it those for opening the ticket, for each operation of the store, for exponentiating. A span is a child of
 * whatever is active, and active itself while its step runs, so that spans of a database driver become its children.
 *
 * Attributes: `roaming_key.outcome` (`ok` or an error code), `.op`, `.scheme`, `.part`, `.operation`; nothing else, no
 * ids, no errors' messages. Only `unavailable` is an error: all others are answers.
 *
 * @throws TypeError if `provider` is not a tracer provider
 * @example
 * app.use('/assistant', assistant({ keys, store, instrument: openTelemetry() }));
 */
export function openTelemetry({ provider }: TracingOptions = {}): Instrument {
  if (provider !== undefined && typeof provider.getTracer !== 'function')
    throw wrongOption('provider', 'a TracerProvider', provider);
  const tracer: Tracer = (provider ?? trace).getTracer(TRACER);
  return (step, run) => {
    if (step.name === 'request') return run();
    const options = { kind: SpanKind.INTERNAL, attributes: attributesOf(step) };
    return tracer.startActiveSpan(SPANS[step.name], options, async (span) => {
      const outcome = await run();
      end(span, step, outcome);
    });
  };
}

function end(span: Span, step: Step, outcome: Outcome): void {
  span.setAttributes({ ...attributesOf(step), 'roaming_key.outcome': outcome });
  if (outcome === 'unavailable') span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
  span.end();
}

function attributesOf(step: Step): Attributes {
  const { op, scheme, part, operation } = step as Partial<Record<string, string>>;
  return {
    ...(op !== undefined && { 'roaming_key.op': op }),
    ...(scheme !== undefined && { 'roaming_key.scheme': scheme }),
    ...(part !== undefined && { 'roaming_key.part': part }),
    ...(operation !== undefined && { 'roaming_key.operation': operation }),
  };
}
