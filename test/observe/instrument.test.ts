import { describe, expect, it, vi } from 'vitest';
import { Assistant } from '../../lib/assistant/assistant.ts';
import { KeySet } from '../../lib/assistant/keys.ts';
import { Device } from '../../lib/device/device.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { combineInstruments, type Instrument, observer, type Step } from '../../lib/observe/instrument.ts';
import { combineListeners } from '../../lib/observe/listeners.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { PASSWORD, quickArgon2id, startAssistant } from '../support/world.ts';

const boom = () => {
  throw new Error('a hook that fails');
};

/** Hooks as nobody should write them. */
const bad: Record<string, Instrument> = {
  'throws at once': boom,
  'throws when the step has ended': async (_step, run) => {
    await run();
    boom();
  },
  'throws after it has begun the step': (_step, run) => {
    void run();
    boom();
  },
  'never runs the step': () => {},
  'never ends': () => new Promise(() => {}),
  'runs the step three times': (_step, run) => Promise.all([run(), run(), run()]),
  'runs the step too late': async (_step, run) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await run();
  },
  'answers with something of its own': () => ({ response: 'forged' }),
  'answers with what is nearly a promise': () => Object.create(Promise.prototype),
};

describe.each(Object.entries(bad))('a hook that %s', (_name, instrument) => {
  it('changes nothing of what a request gets, and every step is done once', async () => {
    const store = new MemoryStore();
    const reserve = vi.spyOn(store, 'reserve');
    const world = await startAssistant({ store, instrument: combineInstruments(instrument, instrument) });
    const { record } = await enroll(world.enrolment);
    const device = new Device(record, { assistant: world.url, argon2id: quickArgon2id });
    await device.unlock(PASSWORD);
    expect(reserve).toHaveBeenCalledTimes(1);
    await expect(device.unlock('wrong')).rejects.toMatchObject({ code: 'wrong_password', attemptsLeft: 4 });
    reserve.mockImplementationOnce(() => {
      throw new Error('thrown, not rejected');
    });
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'unavailable' });
    expect(reserve).toHaveBeenCalledTimes(3);
  });
});

describe('several hooks', () => {
  it('lie one in another, and each learns how the step ended', async () => {
    const heard: string[] = [];
    const named =
      (name: string): Instrument =>
      async (step, run) => {
        heard.push(`${name} begins ${step.name}`);
        heard.push(`${name} ends ${await run()}`);
      };
    const observe = observer(combineInstruments(named('one'), boom, named('two')));
    expect(await observe?.({ name: 'disable' }, async () => 7)).toBe(7);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard.slice(0, 2)).toEqual(['one begins disable', 'two begins disable']);
    expect(heard.slice(2).sort()).toEqual(['one ends ok', 'two ends ok']);
  });
});

describe('what a hook gets', () => {
  it('is the step and a code, never a result or an error', async () => {
    const seen: unknown[][] = [];
    const outcomes: unknown[] = [];
    const observe = observer((...args) => {
      seen.push([args[0]]);
      return args[1]().then((outcome) => void outcomes.push(outcome));
    });
    const step: Step = { name: 'openTicket' };
    await observe?.(step, async () => ({ secret: 'c' }));
    await observe?.(step, () => Promise.reject(new Error('secret'))).catch(() => {});
    expect(seen).toEqual([[step], [step]]);
    expect(outcomes).toEqual(['ok', 'unavailable']);
  });
});

describe('without a hook', () => {
  it('a step is only run', async () => {
    const run = vi.fn(async () => 5);
    expect(await observer(undefined)({ name: 'login' }, run)).toBe(5);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('a hook that is no function is refused at construction, by name', async () => {
    const instrument = 'yes' as unknown as Instrument;
    const keys = await KeySet.generate();
    expect(() => new Assistant({ keys, store: new MemoryStore(), instrument })).toThrow(/^instrument must/);
  });
});

describe('several listeners', () => {
  it('all hear, though one throws and one rejects', async () => {
    const heard: string[] = [];
    const tell = combineListeners<string>(
      boom,
      async () => boom(),
      (event) => heard.push(event),
    );
    tell('event');
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual(['event']);
  });
});
