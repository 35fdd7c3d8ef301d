/** The benchmark: what this package costs beside its floor and its peers. `npm run bench -- --help` */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { pinClient } from './measured-server.ts';
import { type Results, report } from './report.ts';
import { measureClients } from './sections/clients.ts';
import { measureFlood } from './sections/flood.ts';
import { measureGrowth } from './sections/growth.ts';
import { measureOtherRoute } from './sections/other-route.ts';
import { measureProcesses } from './sections/processes.ts';
import { measureServers } from './sections/servers.ts';

const HELP = `npm run bench -- [options]

Measures with the other core to itself; let nothing else run meanwhile. Prints tables, writes bench/results.json and draws
plots into docs/images/.

  --json         only what the targets are about, as one JSON object on stdout; no plots
  --rounds <n>   default 9
  --quick        next to nothing of everything, to see that it runs
  --help`;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '9' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const { json, quick } = values;
const rounds = quick ? 1 : Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  console.error(HELP);
  process.exit(2);
}

const root = path.resolve(import.meta.dirname, '../../../..');
const say = (what: string) => console.error(`[${new Date().toISOString().slice(11, 19)}] ${what}`);
if (!pinClient()) say('servers and client share all cores, for want of taskset: figures are worth less');

const scale = quick ? 0.01 : 1;
const servers = await measureServers({ rounds, scale, all: !json, say });
const underLoad = (scheme: 'rsa' | 'ed25519') =>
  measureOtherRoute({
    rounds: quick ? 1 : Math.min(rounds, 7),
    milliseconds: quick ? 300 : 6000,
    scheme,
    say,
  });
const otherRoute = { rsa: await underLoad('rsa'), ed25519: await underLoad('ed25519') };
const flood = await measureFlood({
  rounds: quick ? 1 : Math.min(rounds, 5),
  milliseconds: quick ? 300 : 5000,
  say,
});
const growth = await measureGrowth({ rounds, entries: quick ? 2000 : 1_000_000, all: !json, scale, say });
// No ratio needs these.
const processes = json ? undefined : await measureProcesses({ rounds, scale, say });
const clients = json ? undefined : await measureClients({ rounds: quick ? 1 : Math.min(rounds, 5), say });

const ratios = {
  ...servers.ratios,
  route_p99_under_rsa: otherRoute.rsa.ratio,
  route_p99_under_ed25519: otherRoute.ed25519.ratio,
  flood_owner: flood.flood_owner,
  growth_disabled_1M: growth.growth_disabled_1M,
};
const results: Results = {
  at: new Date().toISOString(),
  node: process.version,
  machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
  rounds,
  ratios,
  servers,
  otherRoute,
  flood,
  growth,
  processes,
  clients,
};
writeFileSync(path.join(root, 'bench/results.json'), `${JSON.stringify(results, null, 2)}\n`);
if (json) {
  const medians = Object.entries(ratios).map(([name, { median }]) => [name, Number(median.toFixed(3))]);
  console.log(JSON.stringify(Object.fromEntries(medians)));
} else {
  await report(results, { images: quick ? undefined : path.join(root, 'docs/images') });
}
process.exit(0);
