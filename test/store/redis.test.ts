import { createClient } from 'redis';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { storeContract } from '../../lib/store/contract.ts';
import { RedisStore } from '../../lib/store/redis.ts';
import { redisAvailable, startRedis, type TestRedis } from '../support/redis.ts';

/** Moves every time that the store holds into the past: the server's clock cannot be set. */
const SHIFT = `
local by = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', ARGV[2])) do
  local expiry = redis.call('EXPIRETIME', key)
  local kind = redis.call('TYPE', key).ok
  if string.find(key, ':guesses:', 1, true) then
    local tally = cjson.decode(redis.call('GET', key))
    if tally.l > 0 then tally.l = tally.l - by end
    for i, at in ipairs(tally.r) do tally.r[i] = at - by end
    for _, one in ipairs(tally.o) do one[2] = one[2] - by end
    redis.call('SET', key, cjson.encode(tally))
  elseif string.find(key, ':seen:', 1, true) then
    local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #all, 2 do redis.call('ZADD', key, all[i + 1] - by, all[i]) end
  end
  if expiry > 0 then redis.call('EXPIREAT', key, expiry - by) end
end
return 1`;

const client = ({ url }: TestRedis) => createClient({ url: url.includes(':') ? url : `unix://${url}` });

describe.skipIf(!redisAvailable && !process.env['CI'])('RedisStore keeps the contract', () => {
  let redis: TestRedis;
  let shared: ReturnType<typeof client>;
  let opened = 0;

  beforeAll(async () => {
    redis = await startRedis();
    shared = client(redis);
    await shared.connect();
  });

  afterAll(async () => {
    await shared?.close();
    await redis?.stop();
  });

  const open = async () => {
    opened += 1;
    const prefix = `test-${process.pid}-${opened}`;
    const others: RedisStore[] = [];
    return {
      store: new RedisStore({ client: shared, prefix, strict: true }),
      async another() {
        const store = new RedisStore({ client: client(redis), prefix, owned: true });
        others.push(store);
        return store;
      },
      async advance(seconds: number) {
        await shared.eval(SHIFT, { arguments: [`${seconds}`, `{${prefix}}*`] });
      },
      async close() {
        for (const store of others) await store.close();
      },
    };
  };

  for (const { name, run } of storeContract({ open })) it(name, run);
});
