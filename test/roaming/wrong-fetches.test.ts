import { describe, expect, it } from 'vitest';
import { ServiceSecret } from '../../lib/roaming/service-secret.ts';
import { WrongFetches } from '../../lib/roaming/wrong-fetches.ts';
import { SECRET } from './support.ts';

function start(perAddress = 10) {
  const clock = { now: 1_800_000_000 };
  const wrong = new WrongFetches({
    secret: new ServiceSecret(SECRET),
    perAddress,
    perAccount: 1000,
    now: () => clock.now,
  });
  const take = (name: string, address: string) => {
    try {
      return wrong.take(name, address, () => {});
    } catch {
      return undefined;
    }
  };
  return { clock, take };
}

describe('a flood of wrong fetches', () => {
  it('over 150,000 pairs of name and address refuses no other owner', () => {
    // As a flood of 750,000 does with the default of ten, but quicker.
    const { take } = start(2);
    for (let i = 0; i < 150_000; i++) take(`name ${i}`, `address ${i % 700}`);
    const owners = Array.from({ length: 2000 }, (_, i) => take(`owner ${i}`, `home ${i}`));
    expect(owners.filter((answer) => answer === undefined)).toEqual([]);
    // A pair that has used up its attempts stays refused.
    take('name 0', 'address 0');
    expect(take('name 0', 'address 0')).toBeUndefined();
  });

  it('of one name from one address leaves the name to all others', () => {
    const { take } = start();
    for (let i = 0; i < 50_000; i++) take('ada', '192.0.2.1');
    expect(take('ada', '192.0.2.1')).toBeUndefined();
    expect(take('ada', '192.0.2.2')).toBeTypeOf('function');
    expect(take('bob', '192.0.2.1')).toBeTypeOf('function');
  });

  it('costs nothing who is right, however often', () => {
    const { take } = start();
    for (let i = 0; i < 5000; i++) take('ada', '192.0.2.1')?.();
    for (let i = 0; i < 10; i++) expect(take('ada', '192.0.2.1')).toBeTypeOf('function');
    expect(take('ada', '192.0.2.1')).toBeUndefined();
  });
});
