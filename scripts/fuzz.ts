/**
 * Bends what comes from outside, guided by coverage, and sees whether every decoder keeps its promises.
 *
 *     npm run fuzz -- [target …] [--seconds 30] [--seed 1] [--list]
 *     npm run fuzz -- target --input .fuzz/broken-…
 *
 * What was worth keeping lies in `.fuzz/` and is where the next run begins; so does what broke a promise. Ends with 1
 * where something did.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { campaign } from '../test/fuzz/campaign.ts';
import { failure, shownAs } from '../test/fuzz/explore.ts';
import { targets } from '../test/fuzz/targets.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    input: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
const known = targets.map(({ name }) => name);
const names = positionals.length > 0 ? positionals : known;
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
if (!names.every((name) => known.includes(name)) || !(seconds > 0) || !Number.isSafeInteger(seed)) {
  console.error(
    `usage: npm run fuzz -- [target …] [--seconds 30] [--seed 1] [--input file] [--list]\ntargets: ${known.join(' ')}`,
  );
  process.exit(2);
}

if (values.list) {
  for (const { name, from } of targets) console.log(`${name.padEnd(22)} from ${from}`);
} else if (values.input !== undefined) {
  const input = new Uint8Array(readFileSync(values.input));
  let broken = 0;
  for (const target of targets.filter(({ name }) => names.includes(name))) {
    const what = await failure(target, input.slice());
    if (what !== undefined) broken += 1;
    console.log(`${target.name.padEnd(22)} ${what ?? 'keeps its promises'}`);
  }
  process.exit(broken > 0 ? 1 : 0);
} else {
  console.log(`seed ${seed}, ${seconds} s each`);
  let broken = 0;
  const module = path.join(import.meta.dirname, '../test/fuzz/targets.ts');
  for await (const report of campaign(names, { module, seconds, seed, keep: true })) {
    const { name, executions, shapes, corpus, slowest, finding, file } = report;
    const kept = `${corpus.length} kept, ${shapes} shapes, slowest ${slowest.toFixed(0)} ms`;
    console.log(`${name.padEnd(22)} ${String(executions).padStart(9)} inputs, ${kept}`);
    if (!finding) continue;
    broken += 1;
    console.log(
      `  BROKEN ${finding.what}\n  by ${shownAs(finding.input)}\n  in ${path.relative('.', file ?? '')}`,
    );
  }
  console.log(`${names.length} targets, ${broken} broken`);
  process.exit(broken > 0 ? 1 : 0);
}
