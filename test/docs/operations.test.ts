/** What docs/operations.md and its files list, against what there is. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { type AuditEvent, auditLevel } from '../../lib/telemetry/audit-log.ts';
import { prometheusMetrics } from '../../lib/telemetry/metrics.ts';
import { quoted, readPage, root, section, tableRows } from './pages.ts';

const page = readPage('docs/operations.md');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const schema = JSON.parse(read('docs/audit-event.schema.json'));

/** The types of events that a source file declares. */
function typesIn(file: string): string[] {
  return [...read(file).matchAll(/readonly type:([^;}]+)/g)].flatMap(([, union]) =>
    [...(union as string).matchAll(/'(\w+)'/g)].map(([, type]) => type as string),
  );
}

const declared = ['assistant', 'strategy', 'roaming'].flatMap((folder) => typesIn(`lib/${folder}/events.ts`));

describe('the tables of audit events', () => {
  const rows = tableRows(section(page, 'Audit events'));

  it('have every type', () => {
    expect(declared.length).toBeGreaterThan(20);
    const told = rows.map(([type]) => quoted(type)[0]);
    expect(told).toHaveLength(declared.length);
    expect(new Set(told)).toEqual(new Set(declared));
  });

  it('have the members that the schema has, but for what the log changes', () => {
    const changed = ['type', 'part', 'op', 'scheme', 'address', 'errorName', 'errorCode'];
    const spelled: Record<string, string> = {
      failedSinceCount: 'failedSince',
      failedSinceLast: 'failedSince',
    };
    for (const [type, members] of rows) {
      const name = quoted(type)[0] as string;
      const told = quoted(members).filter((member) => !['account', 'error', 'part'].includes(member));
      const written = Object.keys(schema.$defs[name].properties).filter(
        (member) => !changed.includes(member),
      );
      expect(new Set(written.map((member) => spelled[member] ?? member)), name).toEqual(new Set(told));
    }
  });
});

describe('the schema', () => {
  const types = schema.oneOf.map(({ $ref }: { $ref: string }) => $ref.replace('#/$defs/', ''));

  it('has every type, and what errorLog writes', () => {
    expect(new Set(types)).toEqual(new Set([...declared, 'requestFailed', 'leftOut']));
    for (const type of types) expect(schema.$defs[type].properties.type).toEqual({ const: type });
  });

  it('has the levels that the page says', () => {
    const rows = tableRows(section(page, 'The log'));
    const told = new Map(
      rows.flatMap(([level, list]) => quoted(list).map((type) => [type, quoted(level)[0]])),
    );
    expect(new Set(told.keys())).toEqual(new Set(types));
    for (const [type, level] of told) {
      if (type === 'requestFailed' || type === 'leftOut') continue;
      expect(auditLevel({ type, part: 'assistant' } as AuditEvent), type).toBe(level);
    }
  });
});

describe('metrics', async () => {
  const registry = new Registry();
  prometheusMetrics({ registry });
  const exported = await registry.getMetricsAsJSON();
  const names = new Set(exported.map(({ name }) => name));
  /** Metrics that a query names, histograms by their own name. */
  const queried = (text: string) =>
    [...text.matchAll(/\broaming_key_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
  const rows = tableRows(section(page, 'Metrics'));

  it('are in the table of the page, with kind and labels, and it has no others', () => {
    const told = rows.map(([name, kind, labels]) => [quoted(name)[0], kind, quoted(labels)]);
    const there = exported.map(({ name, type }) => {
      const { labelNames } = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
      return [name, `${type}`, labelNames.filter((label) => !['name', 'le'].includes(label))];
    });
    expect(new Set(told)).toEqual(new Set(there));
    expect(told).toHaveLength(there.length);
  });

  it.each(['docs/grafana/roaming-key.json', 'docs/grafana/alerts.yml'])(
    'that %s asks for are exported',
    (file) => {
      const asked = queried(read(file));
      expect(asked.length).toBeGreaterThan(10);
      expect(asked.filter((name) => !names.has(name))).toEqual([]);
    },
  );

  it('are all on the dashboard', () => {
    const shown = new Set(queried(read('docs/grafana/roaming-key.json')));
    expect([...names].filter((name) => !shown.has(name))).toEqual([]);
  });

  it('are asked for by labels that they have', () => {
    const text = read('docs/grafana/roaming-key.json') + read('docs/grafana/alerts.yml');
    const known = new Set([...rows.flatMap(([, , labels]) => quoted(labels)), 'name', 'job', 'le']);
    const grouped = [...text.matchAll(/\bby \(([^)]+)\)/g)].flatMap(([, list]) =>
      (list as string).split(', '),
    );
    expect(grouped.filter((label) => !known.has(label))).toEqual([]);
  });
});

it('the table of alerts has every alert', () => {
  const alerts = [...read('docs/grafana/alerts.yml').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const told = tableRows(section(page, 'Dashboard and alerts')).flatMap(([names]) => quoted(names));
  expect(new Set(told)).toEqual(new Set(alerts));
});

it('the dashboard has no two panels in one place, and none without words', () => {
  const { panels } = JSON.parse(read('docs/grafana/roaming-key.json')) as {
    panels: { type: string; description?: string; gridPos: { x: number; y: number; w: number; h: number } }[];
  };
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  for (const { type, description } of panels) if (type !== 'row') expect(description).toBeTruthy();
});
