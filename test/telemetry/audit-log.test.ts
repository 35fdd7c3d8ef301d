import { describe, expect, it } from 'vitest';
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
