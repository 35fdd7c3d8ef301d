import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RoamingKeyError } from '../../lib/base/errors.ts';
import {
  type AuditEvent,
  type AuditLogger,
  auditLevel,
  auditLog,
  auditRecord,
  errorLog,
} from '../../lib/telemetry/audit-log.ts';

const u = 'u'.repeat(43);
const written: unknown[][] = [];
const take = (...args: unknown[]) => void written.push(args);
const logger: AuditLogger = { debug: take, info: take, warn: take, error: take };

describe('a record', () => {
  it('leaves out the account, and whatever else it does not know', () => {
    const event = {
      type: 'fetched',
      account: 'ada',
      matched: false,
      address: '192.0.2.1',
      later: 'addition',
    } as AuditEvent;
    expect(auditRecord(event)).toEqual({
      type: 'fetched',
      part: 'records',
      matched: false,
      address: '192.0.2.1',
    });
  });

  it('is flat', () => {
    const event: AuditEvent = { type: 'loggedIn', jkt: u, u: [u, u] };
    expect(auditRecord(event)).toEqual({ type: 'loggedIn', part: 'relyingParty', jkt: u, u: `${u} ${u}` });
  });

  it.each([
    [
      'its name and code',
      Object.assign(new Error('password'), { code: 'ECONNREFUSED' }),
      { errorName: 'Error', errorCode: 'ECONNREFUSED' },
    ],
    [
      'what caused it',
      new RoamingKeyError('unavailable', 'x', {
        cause: new TypeError('y', { cause: Object.assign(new Error('z'), { code: 'SQLITE_FULL' }) }),
      }),
      { errorName: 'Error', errorCode: 'SQLITE_FULL' },
    ],
    [
      'a number',
      Object.assign(new RangeError('x'), { code: 11 }),
      { errorName: 'RangeError', errorCode: '11' },
    ],
    [
      'no code that is none',
      Object.assign(new Error('x'), { code: 'the password is horse' }),
      { errorName: 'Error' },
    ],
    ['no code of the size of a secret', Object.assign(new Error('x'), { code: u }), { errorName: 'Error' }],
    [
      'no name that is none',
      Object.assign(new Error('x'), { name: 'ada@accounts.example' }),
      { errorName: 'Error' },
    ],
    ['nothing of what is no error', 'a text that was thrown', { errorName: 'Error' }],
    ['nothing of nothing', undefined, { errorName: 'Error' }],
  ])('tells of an error %s', (_what, error, told) => {
    const event: AuditEvent = { type: 'unavailable', part: 'assistant', error };
    expect(auditRecord(event)).toEqual({ type: 'unavailable', part: 'assistant', ...told });
    expect(auditLevel(event)).toBe('error');
    errorLog(logger)(error);
    expect(written.at(-1)).toEqual([{ type: 'requestFailed', ...told }, expect.any(String)]);
  });

  it('ends with an error that caused itself', () => {
    const error: Error & { cause?: unknown } = new Error('x');
    error.cause = error;
    expect(auditRecord({ type: 'feedFailed', error })).toMatchObject({ errorName: 'Error' });
  });
});

it.each(['debug', 'info', 'warn', 'error'] as const)(
  'a logger without %s is refused at construction',
  (level) => {
    const { [level]: _, ...less } = logger;
    for (const make of [auditLog, errorLog])
      expect(() => make(less as AuditLogger)).toThrow(`logger must have ${level}`);
  },
);

describe('a flood', () => {
  let clock = 1_800_000_000;
  const now = () => clock;
  const refused = (address: string, type = 'rejected') =>
    ({ type, code: 'invalid_request', reason: 'form', address }) as AuditEvent;
  const lines = () => written.map(([record]) => record as Record<string, unknown>);
  beforeEach(() => {
    written.length = 0;
    clock += 600;
  });

  it('of one address, of whatever refusals, gets so many lines in a minute, and one that counts the rest', () => {
    const log = auditLog(logger, { linesPerMinute: 20, now });
    for (let i = 0; i < 5000; i++) log(refused('192.0.2.1', ['rejected', 'busy', 'replayed'][i % 3]));
    log(refused('192.0.2.2'));
    expect(written).toHaveLength(21);
    clock += 60;
    log(refused('192.0.2.3'));
    expect(lines().slice(21)).toEqual([
      { type: 'leftOut', types: 'busy rejected replayed', count: 4980, address: '192.0.2.1' },
      expect.objectContaining({ type: 'rejected', address: '192.0.2.3' }),
    ]);
    log(refused('192.0.2.1'));
    expect(written).toHaveLength(24);
  });

  it('hides no wrong password, no login and no disabled key of the same address', () => {
    const log = auditLog(logger, { linesPerMinute: 20, now });
    for (let i = 0; i < 100; i++) log(refused('192.0.2.1'));
    for (const type of ['wrongPassword', 'loggedIn', 'disabled', 'assisted'])
      log({ type, failedSince: { count: 0 }, address: '192.0.2.1' } as AuditEvent);
    expect(
      lines()
        .slice(20)
        .map(({ type }) => type),
    ).toEqual(['wrongPassword', 'loggedIn', 'disabled', 'assisted']);
  });

  it('hides nothing about a key behind uses of other keys from the same address', () => {
    const log = auditLog(logger, { linesPerMinute: 20, now });
    const use = (type: string, id: string) =>
      log({ type, id, failedSince: { count: 0 }, address: '192.0.2.1' } as AuditEvent);
    for (let i = 0; i < 5000; i++) use('assisted', 'of the thief');
    use('assisted', 'stolen');
    use('reissued', 'stolen');
    expect(written.length).toBeLessThan(220);
    expect(lines().slice(-2)).toMatchObject([{ type: 'assisted' }, { type: 'reissued' }]);
    expect(lines().at(-2)).toMatchObject({ id: 'stolen' });
  });

  it('is told although nothing follows it, by a logger that may throw', () => {
    vi.useFakeTimers();
    try {
      const log = auditLog(logger, { linesPerMinute: 1, now });
      for (let i = 0; i < 3; i++) log(refused('192.0.2.1'));
      vi.advanceTimersByTime(60_000);
      expect(lines().at(-1)).toMatchObject({ type: 'leftOut', count: 2 });
      // From a timer, what a logger throws would end the process.
      const full = { ...logger, warn: vi.fn() };
      const other = auditLog(full, { linesPerMinute: 1, now });
      for (let i = 0; i < 3; i++) other(refused('192.0.2.1'));
      full.warn.mockImplementation(() => {
        throw new Error('ENOSPC');
      });
      vi.advanceTimersByTime(60_000);
      expect(full.warn).toHaveBeenCalledTimes(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('of a hundred thousand addresses takes bounded memory and bounded lines', () => {
    const log = auditLog(logger, { linesPerMinute: 1, now });
    for (let i = 0; i < 100_000; i++) log(refused(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`));
    expect(written).toHaveLength(20_000);
    clock += 60;
    log(refused('192.0.2.1'));
    expect(lines().at(-2)).toEqual({ type: 'leftOut', types: 'rejected', count: 80_000, address: 'others' });
  });

  it('of answers that fail is thinned by address, too', () => {
    const write = errorLog(logger, { linesPerMinute: 3, now });
    for (let i = 0; i < 50; i++) write(new Error('x'), { ip: '192.0.2.1' });
    write(new Error('x'), { ip: '192.0.2.2' });
    expect(written).toHaveLength(4);
  });

  it('is limited by a number that is one', () => {
    for (const linesPerMinute of [0, 1.5, Number.NaN])
      expect(() => auditLog(logger, { linesPerMinute })).toThrow('linesPerMinute');
  });
});
