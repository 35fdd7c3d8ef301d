import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toBase64url, utf8 } from '../../lib/base/bytes.ts';
import {
  readTicket,
  stateId,
  type Ticket,
  type TicketShare,
  ticketPayload,
} from '../../lib/protocol/ticket.ts';
import { random } from '../attacks/support.ts';

const frame = { a: random(32), b: random(32), u: random(32), iat: 5 };
const shares: TicketShare[] = [
  { scheme: 'retrieve', c: random(48) },
  { scheme: 'rsa', n: random(256), d2: random(256) },
  { scheme: 'elgamal', group: 'P-256', x2: random(32) },
];
const read = (payload: object) => readTicket(utf8(JSON.stringify(payload)));

describe.each(shares)('a ticket of scheme $scheme', (share) => {
  it('says what it was made of', () => {
    expect(read(ticketPayload(frame, share))).toEqual({ v: 1, ...frame, ...share });
    expect(read(ticketPayload({ ...frame, exp: 9 }, share))).toMatchObject({ exp: 9 });
  });

  it('is none with a member missing, surplus, or of another size', () => {
    const payload = ticketPayload(frame, share) as Record<string, unknown>;
    for (const name of Object.keys(payload)) {
      expect(read({ ...payload, [name]: undefined })).toBeUndefined();
      if (typeof payload[name] === 'string') expect(read({ ...payload, [name]: '' })).toBeUndefined();
    }
    for (const name of ['a', 'b', 'u']) {
      for (const size of [0, 31, 33, 64]) {
        expect(read({ ...payload, [name]: toBase64url(random(size)) })).toBeUndefined();
      }
    }
    for (const other of shares.filter(({ scheme }) => scheme !== share.scheme)) {
      expect(read({ ...payload, ...ticketPayload(frame, other) })).toBeUndefined();
      expect(read({ ...payload, scheme: other.scheme })).toBeUndefined();
    }
    expect(read({ ...payload, v: 2 })).toBeUndefined();
    expect(read({ ...payload, exp: null })).toBeUndefined();
    expect(read({ ...payload, name: 'ada' })).toBeUndefined();
  });

  it('has an id that depends on a, b, u and its share and on nothing else', () => {
    const ticket = read(ticketPayload(frame, share)) as Ticket;
    const id = stateId(ticket);
    expect(stateId({ ...ticket, iat: 77, exp: 99 })).toBe(id);
    const changed = [
      { ...ticket, a: random(32) },
      { ...ticket, b: random(32) },
      { ...ticket, u: random(32) },
      ...(['c', 'd2', 'x2'] as const)
        .filter((name) => name in ticket)
        .map((name) => ({ ...ticket, [name]: random(32) })),
    ] as Ticket[];
    expect(changed).toHaveLength(4);
    for (const other of changed) expect(stateId(other)).not.toBe(id);
  });
});

it('an id is SHA-256 of label, a, b, u and the share’s bytes', () => {
  const c = random(48);
  const expected = createHash('sha256')
    .update('roaming-key/1 id')
    .update(Buffer.concat([frame.a, frame.b, frame.u, c]))
    .digest('base64url');
  expect(stateId({ v: 1, ...frame, scheme: 'retrieve', c })).toBe(expected);
});

it('masked keys have 1 to 8160 bytes', () => {
  for (const [size, good] of [
    [0, false],
    [1, true],
    [8160, true],
    [8161, false],
  ] as const) {
    expect(read(ticketPayload(frame, { scheme: 'retrieve', c: random(size) })) !== undefined).toBe(good);
  }
});
