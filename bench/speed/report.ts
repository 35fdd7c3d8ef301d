import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { growthPlot, serverPlot } from './plots.ts';
import type { Measured } from './rounds.ts';
import type { ClientRow } from './sections/clients.ts';
import type { Flood } from './sections/flood.ts';
import type { Growth } from './sections/growth.ts';
import type { OtherRoute } from './sections/other-route.ts';
import type { ProcessesRow } from './sections/processes.ts';
import type { Servers } from './sections/servers.ts';
import type { Spread } from './statistics.ts';
import { TARGETS, type TargetName } from './targets.ts';

/** All that was measured, as bench/results.json holds it. */
export interface Results {
  readonly at: string;
  readonly node: string;
  readonly machine: string;
  readonly rounds: number;
  readonly ratios: Record<TargetName, Spread>;
  readonly servers: Servers;
  readonly otherRoute: Readonly<Record<'rsa' | 'ed25519', OtherRoute>>;
  readonly flood: Flood;
  readonly growth: Growth;
  readonly processes: readonly ProcessesRow[] | undefined;
  readonly clients: readonly ClientRow[] | undefined;
}

/**
 * Prints tables, and draws plots.
 *
 * @param images the folder for plots; `undefined` draws none
 */
export async function report(results: Results, { images }: { images: string | undefined }): Promise<void> {
  const { node, machine, rounds, ratios, servers, otherRoute, flood, growth, processes, clients } = results;
  const lines = [
    `Node ${node}, ${machine}; medians of ${rounds} rounds, quartiles in brackets.`,
    '',
    ...table(
      ['ratio', 'is', 'median', 'at most'],
      Object.entries(TARGETS).map(([name, { is, atMost }]) => [
        `\`${name}\``,
        is,
        withSpread(ratios[name as TargetName], 2),
        String(atMost),
      ]),
    ),
    '',
    ...serverTable('Server, 32 connections', servers.many),
    ...(servers.one.length > 0 ? serverTable('Server, one connection', servers.one) : []),
    ...table(
      ['another route of the app', 'median, ms', '99th percentile, ms'],
      [
        ['idle', otherRoute.rsa.idle] as const,
        ...Object.entries(otherRoute).map(
          ([scheme, { signatures, loaded }]) =>
            [`beside ${signatures.median.toFixed(0)} ${scheme} signatures a second`, loaded] as const,
        ),
      ].map(([when, { median, p99 }]) => [when, withSpread(median, 2), withSpread(p99, 2)]),
    ),
    '',
    ...table(
      ["an owner's unlock", 'median, ms'],
      [
        ['idle', withSpread(flood.idle, 2)],
        [
          `beside ${flood.helped.median.toFixed(0)} answers a second to a stranger`,
          withSpread(flood.flooded, 2),
        ],
      ],
    ),
    '',
    ...table(
      ['store', 'entries', 'unlock with none, ms', 'with all, ms', 'ratio', 'memory', 'disk'],
      growth.rows.map(({ store, what, entries, empty, full, ratio, memory, disk }) => [
        store,
        `${entries.toLocaleString('en')} ${what === 'disabled' ? 'disabled marks' : 'ids with failures'}`,
        withSpread(empty, 2),
        withSpread(full, 2),
        withSpread(ratio, 2),
        bytes(memory),
        bytes(disk),
      ]),
    ),
    ...(processes
      ? [
          '',
          ...table(
            ['processes on one SQLite file', 'CPU of an unlock, µs'],
            processes.map((row) => [String(row.processes), withSpread(row.cpu, 0)]),
          ),
        ]
      : []),
    ...(clients
      ? [
          '',
          ...table(
            ['client', '', 'ms', 'of it Argon2id'],
            clients.map(({ where, what, time, argon2id }) => [
              where,
              what,
              withSpread(time, 1),
              argon2id ? `${(100 * argon2id.median).toFixed(0)} %` : '',
            ]),
          ),
        ]
      : []),
  ];
  console.log(lines.join('\n'));
  if (images === undefined) return;
  mkdirSync(images, { recursive: true });
  writeFileSync(path.join(images, 'bench-server.svg'), serverPlot(servers.many));
  writeFileSync(path.join(images, 'bench-growth.svg'), growthPlot(growth.rows));
}

function serverTable(title: string, measured: readonly Measured[]): string[] {
  const echo = measured.find(({ name }) => name.includes('echo')) as Measured;
  return [
    ...table(
      [title, 'CPU, µs', '÷ echo', 'of it other threads', 'a second', 'median, ms', 'p99, ms'],
      measured.map(({ name, cpu, workerCpu, rate, latency }) => [
        name,
        withSpread(cpu, 0),
        (cpu.median / echo.cpu.median).toFixed(2),
        workerCpu.median.toFixed(0),
        rate.median.toFixed(0),
        latency.median.median.toFixed(2),
        latency.p99.median.toFixed(2),
      ]),
    ),
    '',
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

function withSpread({ median, low, high }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
}

function bytes(count: number | undefined): string {
  return count === undefined ? '' : `${(count / 1e6).toFixed(0)} MB`;
}
