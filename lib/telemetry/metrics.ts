/** Prometheus metrics: the entry `passport-roaming-key/metrics`, which needs the peer `prom-client`. */

import { Counter, Gauge, Histogram, type Registry, type RegistryContentType } from 'prom-client';
import type { Assistant } from '../assistant/assistant.ts';
import { wrongOption } from '../base/options.ts';
import type { Instrument, Outcome, Step } from '../observe/instrument.ts';
import { SCHEME_NAMES } from '../protocol/schemes/index.ts';
import type { DisabledFeed } from '../strategy/disabled-feed.ts';
import type { AuditEvent } from './audit-log.ts';

export interface MetricsOptions {
  /** Where the metrics are registered; yours to serve. */
  readonly registry: Registry<RegistryContentType>;
  /** The label `name` of all that is counted here, so that one process may hold several servers. Default `default`. */
  readonly name?: string;
}

/** What fills the metrics. */
export interface Metrics {
  /** To be given as `instrument` to an assistant, a relying party and a record service. */
  readonly instrument: Instrument;
  /** To be given as `onEvent` to the same, and to a feed. */
  readonly onEvent: (event: AuditEvent) => void;
  /** Has an assistant's workers and store looked at by every scrape. Returns what ends that. */
  readonly watchAssistant: (assistant: Pick<Assistant, 'health' | 'workers'>) => () => void;
  /** Likewise for a feed: reports its age. */
  readonly watchFeed: (feed: Pick<DisabledFeed, 'status'>) => () => void;
}

type Watched<T> = Map<T, string>;
type WatchedAssistant = Parameters<Metrics['watchAssistant']>[0];
type WatchedFeed = Parameters<Metrics['watchFeed']>[0];

/** Reasons of routers; of other refusals the code is counted. */
const WORDS: ReadonlySet<string> = new Set([
  'method',
  'type',
  'origin',
  'size',
  'form',
  'busy',
  'account',
  'session',
]);
const NONE = 'none';
/** For how long, in seconds, a scrape waits for a store before it counts as down; Prometheus gives up after 10. */
const STORE_TIMEOUT = 2;
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Makes metrics and registers them. Called again with the same registry it adds to them, under another `name`.
 *
 * No label holds anything that a stranger chose: there are as many series as there are operations, schemes and error
 * codes, however many keys are in use.
 *
 * @throws TypeError naming the option that is wrong
 * @example
 * const metrics = prometheusMetrics({ registry });
 * const router = assistant({ keys, store, instrument: metrics.instrument, onEvent: metrics.onEvent });
 * metrics.watchAssistant(router.assistant);
 */
export function prometheusMetrics({ registry, name = 'default' }: MetricsOptions): Metrics {
  if (typeof registry?.registerMetric !== 'function') throw wrongOption('registry', 'a Registry', registry);
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name))
    throw new TypeError('name must be 1 to 64 letters, digits, dots and dashes');
  const known = registered.get(registry) ?? register(registry);
  registered.set(registry, known);
  known.begin(name);
  return {
    instrument: async (step, run) => {
      const started = performance.now();
      const outcome = await run();
      known.count(step, outcome, (performance.now() - started) / 1000, name);
    },
    onEvent: (event) => known.tell(event, name),
    watchAssistant: (assistant) => watch(known.assistants, assistant, name),
    watchFeed: (feed) => watch(known.feeds, feed, name),
  };
}

interface Registered {
  /** Makes the rare series, so that their first increase is seen as one. */
  begin(name: string): void;
  count(step: Step, outcome: Outcome, seconds: number, name: string): void;
  tell(event: AuditEvent, name: string): void;
  readonly assistants: Watched<WatchedAssistant>;
  readonly feeds: Watched<WatchedFeed>;
}

const registered = new WeakMap<object, Registered>();

function register(registry: MetricsOptions['registry']): Registered {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labels: readonly L[]) =>
    new Counter({ registers, name: `roaming_key_${name}`, help, labelNames: ['name', ...labels] });
  const histogram = <L extends string>(name: string, help: string, ...labels: readonly L[]) =>
    new Histogram({
      registers,
      name: `roaming_key_${name}`,
      help,
      labelNames: ['name', ...labels],
      buckets: SECONDS,
    });
  const gauge = (name: string, help: string, collect: (this: Gauge<'name'>) => void | Promise<void>) =>
    new Gauge({ registers, name: `roaming_key_${name}`, help, labelNames: ['name'], collect });

  const requests = counter(
    'requests_total',
    'What assistants were asked for and how it ended',
    'route',
    'op',
    'scheme',
    'outcome',
  );
  const responses = counter(
    'http_responses_total',
    'Answers over HTTP, those included that no server behind the routes was asked for',
    'part',
    'route',
    'status',
  );
  const wrongPasswords = counter('wrong_passwords_total', 'Passwords that were compared and wrong', 'scheme');
  const locks = counter(
    'locks_total',
    'Wrong passwords after which further ones are not answered at once: for a time, or until the operator unlocks',
    'until',
  );
  const disables = counter('disables_total', 'Disabling secrets that were shown', 'new');
  const logins = counter('logins_total', 'Logins by outcome', 'outcome');
  const registrations = counter('registrations_total', 'Registrations of keys by outcome', 'outcome');
  const rejected = counter(
    'rejected_total',
    'Requests that were refused unread, or because of what they are',
    'part',
    'reason',
  );
  const sessionsEnded = counter('sessions_ended_total', 'Sessions that ended with their key', 'reason');
  const fetches = counter('record_fetches_total', 'Fetches of records by outcome', 'outcome');
  const stored = counter('records_stored_total', 'Records that were stored');
  const deleted = counter('records_deleted_total', 'Records that were deleted, by whom', 'by');
  const readings = counter('feed_readings_total', 'Readings of the list of disabled keys', 'outcome');
  const unavailable = counter('unavailable_total', 'What could not be answered or done', 'part');
  const assist = histogram('assist_duration_seconds', 'Time to answer an assist request', 'op');
  const storing = histogram(
    'store_operation_duration_seconds',
    'Time that operations of stores took',
    'part',
    'operation',
    'outcome',
  );
  const powers = histogram(
    'exponentiation_duration_seconds',
    'Time that exponentiations took, waiting included',
    'scheme',
  );

  const assistants: Watched<WatchedAssistant> = new Map();
  const feeds: Watched<WatchedFeed> = new Map();
  const pools = (value: (status: WatchedAssistant['workers']) => number) =>
    function collect(this: Gauge<'name'>) {
      this.reset();
      for (const [{ workers }, name] of assistants) this.inc({ name }, value(workers));
    };
  gauge(
    'workers',
    'Worker threads that are alive',
    pools(({ workers }) => workers),
  );
  gauge(
    'worker_jobs_running',
    'Exponentiations that are under way',
    pools(({ running }) => running),
  );
  gauge(
    'worker_jobs_waiting',
    'Exponentiations that wait for a worker',
    pools(({ waiting }) => waiting),
  );
  gauge('worker_constant_time', 'Whether all workers exponentiate in constant time', function collect() {
    this.reset();
    const slow = new Set<string>();
    for (const [{ workers }, name] of assistants) if (!workers.constantTime) slow.add(name);
    for (const name of assistants.values()) this.set({ name }, slow.has(name) ? 0 : 1);
  });
  gauge('store_up', "Whether assistants' stores answer", async function collect() {
    const answers = await Promise.all(
      [...assistants].map(async ([one, name]) => [name, await isUp(one)] as const),
    );
    this.reset();
    for (const [name] of answers)
      this.set({ name }, answers.every(([other, up]) => other !== name || up) ? 1 : 0);
  });
  gauge(
    'feed_last_read_timestamp_seconds',
    'When the last complete reading of the list of disabled keys began',
    function collect() {
      this.reset();
      for (const [{ status }, name] of feeds)
        if (status.readAt !== undefined) this.set({ name }, status.readAt);
    },
  );
  gauge('feed_stale', 'Whether that is too long ago, or was never', function collect() {
    this.reset();
    for (const [{ status }, name] of feeds) this.inc({ name }, status.isStale ? 1 : 0);
  });

  return {
    assistants,
    feeds,
    begin(name) {
      for (const scheme of SCHEME_NAMES) wrongPasswords.inc({ name, scheme }, 0);
      for (const until of ['time', 'operator']) locks.inc({ name, until }, 0);
      for (const isNew of ['true', 'false']) disables.inc({ name, new: isNew }, 0);
      for (const outcome of ['ok', 'failed']) readings.inc({ name, outcome }, 0);
      for (const part of ['assistant', 'relyingParty', 'records']) unavailable.inc({ name, part }, 0);
    },
    count(step, outcome, seconds, name) {
      switch (step.name) {
        case 'assist': {
          const { op = NONE, scheme = NONE } = step;
          requests.inc({ name, route: 'assist', op, scheme, outcome });
          assist.observe({ name, op }, seconds);
          break;
        }
        case 'disable':
          requests.inc({ name, route: 'disable', op: NONE, scheme: NONE, outcome });
          break;
        case 'request': {
          const { part, route, status } = step;
          responses.inc({ name, part, route, status: status === undefined ? NONE : `${status}` });
          break;
        }
        case 'login':
          logins.inc({ name, outcome });
          break;
        case 'registration':
          registrations.inc({ name, outcome });
          break;
        case 'recordFetch':
          // Those that succeed are two kinds, which the events tell apart.
          if (outcome !== 'ok') fetches.inc({ name, outcome });
          break;
        case 'store': {
          const { part, operation } = step;
          storing.observe({ name, part, operation, outcome: outcome === 'ok' ? 'ok' : 'failed' }, seconds);
          break;
        }
        case 'exponentiate':
          powers.observe({ name, scheme: step.scheme }, seconds);
          break;
      }
    },
    tell(event, name) {
      switch (event.type) {
        case 'wrongPassword': {
          const { scheme, attemptsLeft, retryAt } = event;
          wrongPasswords.inc({ name, scheme });
          if (attemptsLeft === 0) locks.inc({ name, until: retryAt === undefined ? 'operator' : 'time' });
          break;
        }
        case 'rejected': {
          const { part = 'assistant', reason, code } = { part: undefined, ...event };
          rejected.inc({ name, part, reason: WORDS.has(reason) ? reason : code });
          break;
        }
        case 'disabled':
          disables.inc({ name, new: `${event.isNew}` });
          break;
        case 'sessionEnded':
          sessionsEnded.inc({ name, reason: event.reason });
          break;
        case 'fetched':
          fetches.inc({ name, outcome: event.matched ? 'matched' : 'decoy' });
          break;
        case 'stored':
          stored.inc({ name });
          break;
        case 'deleted':
          deleted.inc({ name, by: 'owner' });
          break;
        case 'deletedDisabled':
          deleted.inc({ name, by: 'disabling' }, event.records);
          break;
        case 'feedRead':
          readings.inc({ name, outcome: 'ok' });
          break;
        case 'feedFailed':
          readings.inc({ name, outcome: 'failed' });
          break;
        case 'unavailable':
          unavailable.inc({ name, part: event.part });
          break;
      }
    },
  };
}

function watch<T>(watched: Watched<T>, one: T, name: string): () => void {
  watched.set(one, name);
  return () => void watched.delete(one);
}

/** A store that hangs must not keep a scrape from telling that it does. */
async function isUp(assistant: WatchedAssistant): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), STORE_TIMEOUT * 1000);
  });
  const health = assistant.health().then(
    ({ store }) => store === 'ok',
    () => false,
  );
  try {
    return await Promise.race([health, late]);
  } finally {
    clearTimeout(timer);
  }
}
