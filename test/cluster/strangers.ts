import { statSync } from 'node:fs';
import { storeFromUrl } from '../../lib/store/url.ts';
import { flood } from '../attacks/flood.ts';
import type { Engine } from './engines.ts';
import { type Finding, Findings } from './finding.ts';

/** A hundred thousand wrong passwords of strangers, while an owner behind one of their addresses uses her key. */
export async function strangers(options: {
  readonly engine: Engine;
  readonly guesses: number;
}): Promise<Finding> {
  const { engine, guesses } = options;
  const findings = new Findings();
  const store = await storeFromUrl(engine.url, { onWarning: () => {} });
  await store.init();
  const file = engine.url.replace(/^sqlite:/, '');
  const sizeOf = () =>
    ['', '-wal'].reduce((sum, end) => sum + (statSync(file + end, { throwIfNoEntry: false })?.size ?? 0), 0);
  const found = await flood({ store, guesses, lasts: 3_600_000, sizeOf });
  await store.close();
  findings.equal('answers of another kind', Object.keys(found.codes).join(), 'wrong_password');
  findings.equal('the owner was answered', [...new Set(found.owner)].join(), 'ok');
  findings.equal('a first use elsewhere', found.elsewhere, 'ok');
  findings.equal('a first use behind the flooded address', found.behind, 'ok');
  findings.within('the owner waited, ms', found.slowestOwner, 0, 2000);
  if (engine.name === 'sqlite') findings.within('bytes for a guess', found.bytesPerGuess, 1, 2000);
  const size = engine.name === 'sqlite' ? `, ${found.bytesPerGuess} bytes each` : '';
  return findings.close(
    engine.name,
    'strangers',
    `${found.guesses} wrong passwords${size}; the owner ${found.owner.length} times, at most ${found.slowestOwner} ms; a newcomer behind the same address after ${found.behindAfter} ms`,
  );
}
