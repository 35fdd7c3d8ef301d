import { classify } from './message-kinds.ts';
import type { Exchange, Part, Run, Server } from './runs.ts';

const run: Run = { title: 'A login, as an example', scheme: 'retrieve', at: 0, steps: [], outcome: 'ok' };

function exchange(
  server: Server,
  method: string,
  path: string,
  parts: readonly Part[],
  answer: readonly Part[],
): Exchange {
  const size = (of: readonly Part[]) => of.reduce((sum, { name, bytes }) => sum + name.length + bytes + 6, 2);
  return {
    type: 'exchange',
    kind: classify(server, path, method, run),
    server,
    bytes: parts.length > 0 ? size(parts) : 0,
    parts,
    status: 200,
    answerBytes: size(answer),
    answerParts: answer,
  };
}

run.steps.push(
  { type: 'local', phase: 'stretching', ms: 410 },
  exchange('assistant', 'GET', '/keys', [], [{ name: 'keys', bytes: 190 }]),
  exchange(
    'assistant',
    'POST',
    '/assist',
    [
      { name: 'ticket', bytes: 640 },
      { name: 'request', bytes: 560 },
      { name: 'mac', bytes: 43 },
    ],
    [{ name: 'response', bytes: 390 }],
  ),
  exchange('app', 'POST', '/login/challenge', [], [{ name: 'challenge', bytes: 90 }]),
  exchange('app', 'POST', '/login', [{ name: 'proof', bytes: 520 }], [{ name: 'account', bytes: 5 }]),
);

/** What a login looks like, for those who have not made one in this tab. */
export const SAMPLE = run;
