/** What the page of a kit says has happened, by what the app and the assistant have answered. */
import { describe, expect, it } from 'vitest';
import { enroll } from '../../lib/device/enroll.ts';
import { memoryRecords } from '../../lib/device/records.ts';
import { disablingCode } from '../../lib/protocol/disabling.ts';
import { type KilledKey, lostFlow } from '../../lib/ui/flows/lost.ts';
import { startAssistant } from '../support/world.ts';

const DOWN = 'the app is down';
const ON: KilledKey = { isKnown: true, isDisabled: false };
const OFF: KilledKey = { isKnown: true, isDisabled: true };
const UNKNOWN: KilledKey = { isKnown: false, isDisabled: false };
type Answer = readonly KilledKey[] | null | typeof DOWN;

/** Switches a key off while the app gives one answer after the other; `undefined` where it has no such route. */
async function switchOff(answers: readonly Answer[] | undefined) {
  const assistant = await startAssistant();
  const { kit, record } = await enroll(assistant.enrolment);
  const left = [...(answers ?? [])];
  const flow = lostFlow({
    assistant: assistant.url,
    app: { login: 'http://app.localhost/login', ...(answers && { killed: 'http://app.localhost/killed' }) },
    records: memoryRecords(),
    site: 'Notebook',
    fetch: async (url, init) => {
      if (!(url as string).endsWith('/killed')) return fetch(url, init);
      const answer = left.shift() as Answer;
      if (answer === DOWN) throw new TypeError(DOWN);
      return Response.json({ keys: answer });
    },
  });
  await flow.look({ code: disablingCode(kit) });
  const announced = flow.state.verdicts[0]?.title ?? '';
  await flow.confirm();
  expect(await assistant.store.isDisabled([record.u])).toBe(true);
  const { verdicts, isOurs, step } = flow.state;
  expect([step, verdicts.length]).toEqual(['done', 1]);
  flow.end();
  const { tone, title = '', text } = verdicts[0] ?? {};
  return { announced, tone, said: `${title} ${text}`, isOurs };
}

describe('the page of a kit', () => {
  it.each<[string, readonly Answer[] | undefined]>([
    ['does not answer', [DOWN, DOWN]],
    ['cannot look keys up', [null, null]],
    ['answers for no code', [[], []]],
    ['has no route for it', undefined],
    ['cannot look keys up, and then does not answer', [null, DOWN]],
  ])('says in amber that the app could not tell whose key it is: the app %s', async (_what, answers) => {
    const { announced, tone, said, isOurs } = await switchOff(answers);
    expect(announced).not.toMatch(/has no key/);
    expect([tone, isOurs]).toEqual(['warn', false]);
    expect(said).toMatch(/Noted by the assistant at 127\.0\.0\.1:\d+, but Notebook could not say whether/);
    expect(said).not.toMatch(/has no key|may still work/);
  });

  it.each<[string, readonly Answer[]]>([
    ['before and after', [[UNKNOWN], [UNKNOWN]]],
    ['before', [[UNKNOWN], DOWN]],
    ['after', [DOWN, [UNKNOWN]]],
  ])('says in amber that the app has no such key, where it has said so %s', async (_when, answers) => {
    const { tone, said, isOurs } = await switchOff(answers);
    expect([tone, isOurs]).toEqual(['warn', false]);
    expect(said).toMatch(/has no key with this code/);
  });

  it.each<[string, readonly Answer[], string, RegExp]>([
    ['that the key is off', [[{ ...ON, account: 'ada' }], [OFF]], 'done', /“ada” is off/],
    ['that the app will hear of it', [[{ ...ON, account: 'ada' }], DOWN], 'wait', /has not heard of it yet/],
    ['that a key without a name is off', [[ON], [OFF]], 'done', /key with this code is off/],
    ['that the key is off, by the second answer alone', [DOWN, [OFF]], 'done', /key with this code is off/],
    ['that it was off already', [[OFF], [OFF]], 'done', /off already/],
  ])('says %s', async (_what, answers, tone, text) => {
    const verdict = await switchOff(answers);
    expect(verdict).toMatchObject({ tone, isOurs: true });
    expect(verdict.said).toMatch(text);
  });
});
