/** What an operator sees of a whole life of keys: enough, well-formed, and no secret. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { root } from '../docs/pages.ts';
import { bytesOf, hay, holds, type Secret, text } from '../support/secrets.ts';
import { type Life, live, placesOf } from './life.ts';

const schema = JSON.parse(readFileSync(path.join(root, 'docs/audit-event.schema.json'), 'utf8'));
const validate = new Ajv2020({ strict: true, allErrors: true }).compile(schema);
const errorsOf = (record: unknown) =>
  validate(record) ? [] : validate.errors?.map((e) => `${e.instancePath} ${e.message}`);

describe('a whole life of keys in all schemes', () => {
  let life: Life;
  let places: Map<string, ReturnType<typeof hay>>;
  const leaks = (among: readonly Secret[], where: Iterable<[string, ReturnType<typeof hay>]>) =>
    [...where].flatMap(([place, seen]) =>
      among.filter(([, value]) => holds(seen, value)).map(([name]) => `${name} in ${place}`),
    );

  // One life for all questions: it takes seconds.
  it('is lived', async () => {
    life = await live();
    places = new Map(Object.entries(placesOf(life)).map(([place, seen]) => [place, hay(seen)]));
    expect(life.secrets.length).toBeGreaterThan(150);
    expect(life.spans.length).toBeGreaterThan(150);
  });

  it('leaves no secret, account, ticket, challenge or proof in log, metrics, spans or console', () => {
    expect(leaks(life.secrets, places)).toEqual([]);
  });

  it('would be found out if it did, in any of them and in any spelling', () => {
    for (const [place, seen] of Object.entries(placesOf(life))) {
      for (const code of ['latin1', 'base64', 'base64url', 'hex'] as const) {
        const spelled = life.secrets.map(([, value]) => Buffer.from(bytesOf(value)).toString(code));
        const planted = hay(
          Buffer.concat([seen, Buffer.from(`{"x":"${spelled.join('","y":"')}"}`, 'latin1')]),
        );
        const missed = life.secrets.filter(([, value]) => !holds(planted, value)).map(([name]) => name);
        expect(missed, `${code} in ${place}`).toEqual([]);
      }
    }
  });

  it('finds accounts in the events themselves, which name them', () => {
    const accounts = life.secrets.filter(([name]) => name === 'account');
    expect(leaks(accounts, [['events', hay(text(life.events))]])).toHaveLength(2);
  });

  it('writes a record of the schema for every event, of every type that there is', () => {
    for (const { record } of life.log) expect([record, errorsOf(record)]).toEqual([record, []]);
    const types = new Set(life.log.map(({ record }) => record['type']));
    const known = schema.oneOf.map((one: { $ref: string }) => one.$ref.split('/').at(-1));
    expect(types).toEqual(new Set(known));
  });

  it('counts in metrics what the events and spans tell', () => {
    const { metrics } = life;
    const sum = (name: string, labels: Record<string, string> = {}) =>
      metrics
        .filter((metric) => metric.name === `roaming_key_${name}`)
        .flatMap(({ values }) => values as { value: number; labels: Record<string, string> }[])
        .filter((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value))
        .reduce((total, { value }) => total + value, 0);
    const events = (type: string) => life.events.filter((event) => event.type === type).length;
    const spans = (name: string, outcome?: string) =>
      life.spans.filter(
        ({ name: found, attributes }) =>
          found === `roaming_key.${name}` && [undefined, attributes['roaming_key.outcome']].includes(outcome),
      ).length;
    const ok = { outcome: 'ok' };
    expect(sum('requests_total', { route: 'assist' })).toBe(spans('assist'));
    expect(sum('requests_total', { route: 'assist', ...ok })).toBe(events('assisted'));
    expect(sum('requests_total', { outcome: 'replayed' })).toBe(1);
    expect(sum('wrong_passwords_total')).toBe(events('wrongPassword'));
    expect(sum('locks_total')).toBe(1);
    expect(sum('disables_total')).toBe(events('disabled'));
    expect(sum('logins_total', ok)).toBe(events('loggedIn'));
    expect(sum('logins_total', { outcome: 'disabled' })).toBe(1);
    expect(sum('registrations_total', ok)).toBe(events('registered'));
    expect(sum('sessions_ended_total')).toBe(2);
    expect(sum('rejected_total')).toBe(events('rejected'));
    expect(sum('rejected_total', { part: 'assistant', reason: 'method' })).toBe(70);
    expect(sum('rejected_total', { part: 'records', reason: 'type' })).toBe(1);
    expect(sum('record_fetches_total')).toBe(events('fetched') + events('limited'));
    expect(sum('unavailable_total')).toBe(events('unavailable'));
    expect(sum('feed_readings_total')).toBe(events('feedRead') + events('feedFailed'));
    expect(sum('exponentiation_duration_seconds')).toBeGreaterThan(0);
    expect([sum('workers'), sum('store_up'), sum('feed_stale')]).toEqual([1, 1, 0]);
    for (const name of ['assist', 'disable', 'login', 'registration'])
      expect(spans(name, 'unavailable')).toBe(name === 'assist' ? 2 : 1);
  });

  it('has no more series than there are operations, schemes and codes', () => {
    const labels = [...(life.scrapes.at(-1) ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(
      ([, label, value]) => `${label}=${value}`,
    );
    for (const label of new Set(labels))
      expect(label).toMatch(/^(le=[\d.+Inf]+|status=\d{3}|\w+=[a-zA-Z_\d]{1,15})$/);
  });

  it('makes a signature one span, with the steps of it below', () => {
    const { spans } = life;
    const outcome = (span: ReadableSpan) => span.attributes['roaming_key.outcome'];
    const signing = spans.find(
      (span) => span.attributes['roaming_key.op'] === 'sign' && outcome(span) === 'ok',
    ) as ReadableSpan;
    expect(signing).toMatchObject({
      name: 'roaming_key.assist',
      attributes: { 'roaming_key.scheme': 'rsa' },
      status: { code: SpanStatusCode.UNSET },
    });
    const below = spans.filter(
      ({ parentSpanContext }) => parentSpanContext?.spanId === signing.spanContext().spanId,
    );
    expect(below.map(({ name, attributes }) => [name, attributes['roaming_key.operation']])).toEqual([
      ['roaming_key.open_ticket', undefined],
      ['roaming_key.store', 'reserve'],
      ['roaming_key.exponentiate', undefined],
      ['roaming_key.store', 'settle'],
      // The key's first use: its id is kept from now on.
      ['roaming_key.store', 'count'],
    ]);
  });

  it('calls an answer that is no help no error, and what could not be answered one', () => {
    const codes = (outcome: string) =>
      new Set(
        life.spans
          .filter(({ attributes }) => attributes['roaming_key.outcome'] === outcome)
          .map(({ status }) => status.code),
      );
    expect([...codes('wrong_password')]).toEqual([SpanStatusCode.UNSET]);
    expect([...codes('unavailable')]).toEqual([SpanStatusCode.ERROR]);
    expect(life.spans.flatMap(({ events, links }) => [...events, ...links])).toEqual([]);
  });

  it('writes wrong passwords and refusals as warnings, and what could not be answered as errors', () => {
    const levels = new Map(life.log.map(({ record, level }) => [record['type'], level]));
    expect(Object.fromEntries(levels)).toMatchObject({
      assisted: 'info',
      wrongPassword: 'warn',
      locked: 'warn',
      loginRefused: 'warn',
      unavailable: 'error',
      requestFailed: 'error',
      feedRead: 'debug',
    });
  });

  it('names the key of a refused login where its holder was there, and else nothing', () => {
    const refused = life.events.filter((event) => event.type === 'loginRefused');
    expect(refused.map((event) => [event.code, event.jkt !== undefined])).toEqual([
      ['refused', false],
      ['disabled', true],
      ['invalid_request', false],
    ]);
  });
});
