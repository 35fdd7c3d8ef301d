/** What an operator sees of a whole life of keys: enough, well-formed, and no secret. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it, vi } from 'vitest';
import { root } from '../docs/pages.ts';
import { bytesOf, hay, holds, type Secret, text } from '../support/secrets.ts';
import { type Life, live, placesOf } from './life.ts';

vi.setConfig({ testTimeout: 60_000 });

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
    expect([...types].sort()).toEqual([...known].sort());
  });
});
