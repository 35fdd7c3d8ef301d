import { RedisDatabase, type RedisOptions, type Script, script } from '../../databases/redis.ts';
import { noteBacking } from '../../store/backing.ts';
import {
  FETCHES_KEPT,
  type FetchRequest,
  type FoundRecord,
  type PutRequest,
  type RecordFetch,
  type RecordStore,
  type StoredRecord,
} from './record-store.ts';

/** `prefix` is `roaming-records` by default. */
export interface RedisRecordStoreOptions extends RedisOptions {}

/**
 * What every script begins with. A record is a hash under `record:` and its owner; `key:` leads from a key to an owner;
 * `names` has `u owner`, by the order of bytes. All keys share one hash tag, so that scripts may reach
 * those that they find the names of on the way.
 */
const PRELUDE = `
local tag, arg = KEYS[1], ARGV
local function at(kind, name) return tag .. ':' .. kind .. ':' .. name end
local names = tag .. ':names'
local function remove(owner)
  local old = redis.call('HMGET', at('record', owner), 'key', 'u')
  if not old[1] then return false end
  redis.call('DEL', at('record', owner), at('key', old[1]))
  redis.call('ZREM', names, old[2] .. ' ' .. owner)
  return true
end
`;

const PUT = `
local owner, key, u, kid, record, keep_key, start = arg[1], arg[2], arg[3], arg[4], arg[5], arg[6] == '1', arg[7]
local old = redis.call('HMGET', at('record', owner), 'key', 'record')
if start and string.sub(old[2] or '', 1, #start) ~= start then return 'absent' end
local keeps = keep_key and old[1]
if keeps then key = old[1] end
local holder = redis.call('GET', at('key', key))
if holder and holder ~= owner then return 'taken' end
-- The first write is one that a server out of memory refuses: after any other it would let all further ones pass.
redis.call('SET', at('key', key), owner)
remove(owner)
redis.call('SET', at('key', key), owner)
redis.call('HSET', at('record', owner), 'key', key, 'u', u, 'kid', kid, 'record', record,
  'at', redis.call('TIME')[1])
redis.call('ZADD', names, 0, u .. ' ' .. owner)
return keeps and 'kept' or 'stored'
`;

const FETCH = `
local key, otherwise, stranger, address = arg[1], arg[2], arg[3], arg[4]
local found = redis.call('EXISTS', at('key', key)) == 1 and key or otherwise
local owner = redis.call('GET', at('key', found))
if not owner then return false end
local noted_for = found == key and owner or stranger
redis.call('LPUSH', at('fetches', noted_for), redis.call('TIME')[1] .. ' ' .. address)
redis.call('LTRIM', at('fetches', noted_for), 0, ${FETCHES_KEPT - 1})
return redis.call('HMGET', at('record', owner), 'key', 'u', 'record')
`;

const FIND = `return redis.call('HMGET', at('record', arg[1]), 'u', 'kid', 'at', 'record')`;

const FETCHES = `return redis.call('LRANGE', at('fetches', arg[1]), 0, -1)`;

const DELETE = `
redis.call('DEL', at('fetches', arg[1]))
return remove(arg[1]) and 1 or 0
`;

const DELETE_NAMED = `
local sum = 0
for _, member in ipairs(redis.call('ZRANGEBYLEX', names, '[' .. arg[1] .. ' ', '(' .. arg[1] .. '!')) do
  local owner = string.sub(member, #arg[1] + 2)
  redis.call('DEL', at('fetches', owner))
  if remove(owner) then sum = sum + 1 end
end
return sum
`;

/** \`!\` follows the blank, and no \`u\` has either. */
const NAMES = `
local found, from = {}, '(' .. arg[1] .. '!'
if arg[1] == '' then from = '-' end
while #found < tonumber(arg[2]) do
  local member = redis.call('ZRANGEBYLEX', names, from, '+', 'LIMIT', 0, 1)[1]
  if not member then break end
  local u = string.sub(member, 1, string.find(member, ' ', 1, true) - 1)
  found[#found + 1] = u
  from = '(' .. u .. '!'
end
return found
`;

const HEALTH = `redis.call('SET', at('health', ''), '', 'EX', 60) return 1`;

const withPrelude = (body: string) => script(PRELUDE + body);

const SCRIPTS = {
  put: withPrelude(PUT),
  fetch: withPrelude(FETCH),
  find: withPrelude(FIND),
  fetches: withPrelude(FETCHES),
  delete: withPrelude(DELETE),
  deleteNamed: withPrelude(DELETE_NAMED),
  names: withPrelude(NAMES),
  health: withPrelude(HEALTH),
};

/**
 * Keeps records in Redis 6.2 or later, or Valkey: one script an operation, by the server's clock. The client may be
 * that of another store of the same app, but not of the assistant's.
 *
 * A record outlives a power cut where the server writes its log before it answers (`appendonly yes`,
 * `appendfsync always`), and what was deleted stays in that log until the server rewrites it.
 *
 * @throws TypeError naming the option that is wrong
 * @example
 * const records = new RedisRecordStore({ client: createClient({ url: 'redis://localhost' }) })
 */
export class RedisRecordStore implements RecordStore {
  readonly #database: RedisDatabase;

  constructor(options: RedisRecordStoreOptions) {
    this.#database = new RedisDatabase(options, 'roaming-records', async () => []);
    noteBacking(this, options.client);
  }

  async init(): Promise<void> {
    await this.#database.init();
    await this.health();
  }

  async put(request: PutRequest) {
    const { owner, key, u, kid, record, keepKey = false, replaces } = request;
    const flags = [keepKey ? '1' : '0', ...(replaces === undefined ? [] : [replaces])];
    return (await this.#run(SCRIPTS.put, owner, key, u, kid, record, ...flags)) as
      | 'absent'
      | 'taken'
      | 'kept'
      | 'stored';
  }

  async fetch({ key, otherwise, stranger, address }: FetchRequest): Promise<FoundRecord | undefined> {
    const found = (await this.#run(SCRIPTS.fetch, key, otherwise, stranger, address)) as
      | [string, string, string]
      | null;
    return found ? { key: found[0], u: found[1], record: found[2] } : undefined;
  }

  async find(owner: string): Promise<StoredRecord | undefined> {
    const [u, kid, at, record] = (await this.#run(SCRIPTS.find, owner)) as (string | null)[];
    return u ? { u, kid: kid as string, at: Number(at), record: record as string } : undefined;
  }

  async fetches(owner: string): Promise<readonly RecordFetch[]> {
    const lines = (await this.#run(SCRIPTS.fetches, owner)) as string[];
    return lines.map((line) => {
      const blank = line.indexOf(' ');
      return { at: Number(line.slice(0, blank)), address: line.slice(blank + 1) };
    });
  }

  async delete(owner: string): Promise<boolean> {
    return (await this.#run(SCRIPTS.delete, owner)) === 1;
  }

  async deleteNamed(u: string): Promise<number> {
    return Number(await this.#run(SCRIPTS.deleteNamed, u));
  }

  async names({ after, limit }: { readonly after: string; readonly limit: number }) {
    return (await this.#run(SCRIPTS.names, after, `${limit}`)) as string[];
  }

  async health(): Promise<void> {
    await this.#run(SCRIPTS.health);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  #run(script: Script, ...args: string[]): Promise<unknown> {
    return this.#database.run(script, [this.#database.tag], args);
  }
}
