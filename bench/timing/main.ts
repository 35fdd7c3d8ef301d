/**
 * Looks for time that tells a secret.
 *
 *     npm run bench:timing -- [comparisons|exponentiations|logins|openings|roaming …] [--quick]
 *
 * Two classes of inputs in random order, and tests of whether their times differ ({@link largestT}). |t| above 4.5, twice
 * in fresh measurements, is a leak that was found. Below, none was found with that many measurements, which is no proof.
 * Each group has a positive control, which leaks; where it is not found out, as on a busy machine, the group shows nothing.
 * Ends with 1 where there is a leak or a control that was not found out. For a machine that does nothing else.
 */
import { parseArgs } from 'node:util';
import { comparisons } from './comparisons.ts';
import { exponentiations } from './exponentiations.ts';
import { logins } from './logins.ts';
import { judge, type TimingGroup, type Verdict } from './measure.ts';
import { openings } from './openings.ts';
import { roaming } from './roaming.ts';

const TOPICS: Readonly<Record<string, () => readonly TimingGroup[] | Promise<readonly TimingGroup[]>>> = {
  comparisons,
  exponentiations,
  logins,
  openings,
  roaming,
};
/** Which part of the measurements a quick run makes: enough for the controls. */
const QUICK = 0.1;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const topics = positionals.length > 0 ? positionals : Object.keys(TOPICS);
if (!topics.every((topic) => Object.hasOwn(TOPICS, topic))) {
  console.error(`usage: npm run bench:timing -- [${Object.keys(TOPICS).join('|')} …] [--quick]`);
  process.exit(2);
}

function line({ name, measurements, ts, medians, isFound }: Verdict, word: string): void {
  const t = ts.map((one) => one.toFixed(1)).join(', ');
  const both = medians.map((one) => one.toPrecision(4)).join(' / ');
  const figures = `${String(measurements).padStart(6)}  ${both.padStart(15)} µs  |t| = ${t.padStart(12)}`;
  console.log(`  ${name.padEnd(56)} ${figures}  ${isFound ? word : 'none found'}`);
}

const share = values.quick ? QUICK : 1;
let leaks = 0;
let blind = 0;
for (const topic of topics) {
  for (const group of await (TOPICS[topic] as () => Promise<readonly TimingGroup[]>)()) {
    console.log(`${topic}: ${group.name}`);
    const control = await judge(group.control, share);
    line(control, 'found out');
    if (!control.isFound) {
      blind += 1;
      console.log('  THE CONTROL WAS NOT FOUND OUT: this group shows nothing');
    }
    for (const timing of group.cases) {
      const verdict = await judge(timing, share);
      if (verdict.isFound) leaks += 1;
      line(verdict, 'LEAK');
    }
    group.close?.();
  }
}
console.log(`${leaks} leaks, ${blind} controls not found out`);
process.exit(leaks + blind > 0 ? 1 : 0);
