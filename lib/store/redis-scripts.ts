import { script } from '../databases/redis.ts';
import { type GuessPolicy, waitAfter } from './guess-policy.ts';

/**
 * What every script begins with: the server's clock and the tally of `ledger.ts`, step for step, since a script cannot
 * call it; a test holds the two against each other on random histories. The waits come from `waitAfter`, as a table.
 *
 * A tally is JSON: f failures, l last failure (0: none), s stopped, r recent failures, o open reservations [jti, deadline],
 * u last success (0: none) and k until when it is known, c reissues and i the last of them.
 */
const PRELUDE = `
local now = tonumber(redis.call('TIME')[1])
local policy = ARGV[1] ~= '' and cjson.decode(ARGV[1])

local function later_than(times, limit)
  local kept = {}
  for _, at in ipairs(times) do if at > limit then kept[#kept + 1] = at end end
  return kept
end

local function without(open, jti)
  local kept, found = {}, false
  for _, one in ipairs(open) do
    if one[1] == jti then found = true else kept[#kept + 1] = one end
  end
  return kept, found
end

local function is_stopped(tally)
  return tally.s or tally.f >= policy.limit or #tally.r >= policy.limit
end

local function add_failure(tally, at)
  tally.r = later_than(tally.r, at - policy.window)
  tally.r[#tally.r + 1] = at
  tally.f = tally.f + 1
  tally.l = math.max(tally.l, at)
  tally.s = is_stopped(tally)
end

local function load(key)
  local kept = redis.call('GET', key)
  local tally = kept and cjson.decode(kept)
  -- Tallies of earlier versions lack these.
  for _, name in ipairs(tally and { 'u', 'k', 'c', 'i' } or {}) do tally[name] = tally[name] or 0 end
  return tally
end

local function current(key)
  local tally = load(key)
  if not tally then return { f = 0, l = 0, s = false, r = {}, o = {}, u = 0, k = 0, c = 0, i = 0 } end
  local open, lapsed = {}, {}
  for _, one in ipairs(tally.o) do
    if one[2] <= now then lapsed[#lapsed + 1] = one[2] else open[#open + 1] = one end
  end
  table.sort(lapsed)
  tally.o = open
  for _, deadline in ipairs(lapsed) do add_failure(tally, deadline) end
  tally.r = later_than(tally.r, now - policy.window)
  if tally.k <= now then tally.u, tally.k = 0, 0 end
  return tally
end

local function is_clean(tally)
  return tally.f == 0 and not tally.s and #tally.r == 0
end

local function is_unknown(tally)
  return is_clean(tally) and #tally.o == 0 and tally.u == 0
end

local function keep(key, tally)
  if is_unknown(tally) and tally.c == 0 then
    redis.call('DEL', key)
    return
  end
  redis.call('SET', key, cjson.encode(tally))
  if tally.f == 0 and not tally.s and #tally.o == 0 and tally.c == 0 then
    local ends = tally.k
    for _, at in ipairs(tally.r) do ends = math.max(ends, at + policy.window) end
    redis.call('EXPIREAT', key, ends)
  end
end

local function wait_after(failures)
  if failures < policy.free then return 0 end
  return policy.waits[math.min(failures - policy.free + 1, #policy.waits)]
end
`;

/** A write that changes nothing: a replica, whose data may be old, refuses it. */
const PRIMARY = `redis.call('PERSIST', KEYS[1])`;

const RESERVE = `
local disabled, retired, seen, guesses = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local u, id, jti, until_, admit_new = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6] == '1'
if until_ <= now then return redis.error_reply('CLOCK the clocks of the store and of the assistant differ too much') end

local function answer(name, retry_at)
  return cjson.encode({ answer = name, now = now, retryAt = retry_at })
end
local score = tonumber(redis.call('ZSCORE', seen, jti) or 0)
local tally = current(guesses)
local _, is_open = without(tally.o, jti)
local refused = redis.call('HEXISTS', disabled, u) == 1 and 'disabled'
  or redis.call('ZSCORE', retired, id) and 'retired'
  or (score > now or is_open) and 'replayed'
if not refused and not admit_new and is_unknown(tally) then return answer('new') end

-- The first write is one that a server out of memory refuses: after any other it would let all further ones pass.
redis.call('ZADD', seen, math.max(score, until_), jti)
redis.call('ZREMRANGEBYSCORE', seen, '-inf', now)
redis.call('EXPIREAT', seen, redis.call('ZREVRANGE', seen, 0, 0, 'WITHSCORES')[2])

if refused then return answer(refused) end
if is_stopped(tally) then return answer('locked') end
local retry_at = tally.l + wait_after(tally.f)
if tally.f >= policy.free and now < retry_at then return answer('locked', retry_at) end
local has_room = #tally.o < 1
if tally.f < policy.free then has_room = tally.f + #tally.o < policy.free end
if not has_room or tally.f + #tally.o >= policy.limit or #tally.r + #tally.o >= policy.limit then
  return answer('busy', now + 1)
end
tally.o[#tally.o + 1] = { jti, now + policy.timeout }
keep(guesses, tally)
return answer('reserved')
`;

const FAIL = `
local tally = current(KEYS[1])
local open, was_open = without(tally.o, ARGV[2])
local is_new = was_open and tally.f == 0 and #tally.r == 0
if was_open then
  tally.o = open
  add_failure(tally, now)
  keep(KEYS[1], tally)
end
local answer = { now = now, attemptsLeft = 0, isNew = is_new }
if not is_stopped(tally) then
  answer.attemptsLeft = math.max(0, math.min(policy.free - tally.f, policy.limit - #tally.r))
  answer.retryAt = math.max(now, (tally.l > 0 and tally.l or now) + wait_after(tally.f))
end
return cjson.encode(answer)
`;

const SETTLE = `
local disabled, retired, guesses = KEYS[1], KEYS[2], KEYS[3]
local u, id, jti, retire, reissue, remember = ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1', ARGV[6] == '1', ARGV[7] == '1'
local tally = current(guesses)
tally.o = without(tally.o, jti)
local marked = redis.call('HEXISTS', disabled, u) == 1 and 'disabled' or redis.call('ZSCORE', retired, id) and 'retired'
if marked then
  keep(guesses, tally)
  return cjson.encode({ answer = marked, now = now })
end
local is_remembered = policy.known > 0 and not retire and (remember or tally.u > 0)
local answer = {
  answer = 'settled',
  now = now,
  failedSince = { count = tally.f, last = tally.f > 0 and tally.l or cjson.null },
  lastUsed = tally.u > 0 and tally.u or cjson.null,
  reissues = tally.c > 0 and { count = tally.c, last = tally.i } or nil,
  isNew = is_clean(tally) and tally.u == 0 and (is_remembered or reissue and tally.c == 0),
}
tally.f = 0
if is_remembered then tally.u, tally.k = now, now + policy.known end
if reissue then tally.c, tally.i = tally.c + 1, now end
keep(guesses, tally)
if retire then redis.call('ZADD', retired, now, id) end
return cjson.encode(answer)
`;

const RELEASE = `
local tally = current(KEYS[1])
local open, was_open = without(tally.o, ARGV[2])
if was_open then
  tally.o = open
  keep(KEYS[1], tally)
end
return 1
`;

const DISABLE = `
if redis.call('HSETNX', KEYS[1], ARGV[2], 1) == 0 then return 0 end
local at = ARGV[5] == '' and now or ARGV[5]
redis.call('RPUSH', KEYS[2], cjson.encode({ u = ARGV[2], t = ARGV[3], tag = ARGV[4], at = tonumber(at) }))
return 1
`;

const RETIRE = `return redis.call('ZADD', KEYS[1], 'NX', ARGV[3], ARGV[2])`;

const IS_DISABLED = `
${PRIMARY}
for i = 2, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then return 1 end
end
return 0
`;

const FEED = `
${PRIMARY}
local after = tonumber(ARGV[2])
if ARGV[3] ~= '' then
  local entry = redis.call('LINDEX', KEYS[1], after - 1)
  if not entry or cjson.decode(entry).tag ~= ARGV[3] then after = 0 end
end
return { after, redis.call('LRANGE', KEYS[1], after, after + tonumber(ARGV[4]) - 1) }
`;

const RETIRED = `
${PRIMARY}
return redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[2] + ARGV[3] - 1, 'WITHSCORES')
`;

const CLAIM = `
local expires = tonumber(ARGV[2])
if expires <= now or redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], 1)
redis.call('EXPIREAT', KEYS[1], expires)
return 1
`;

// Kept as the count and the end of the window, since servers before Redis 7 do not tell when a key expires.
const COUNT = `
local seconds, by, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local before, ends = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
before, ends = tonumber(before or 0), tonumber(ends or 0)
if ends <= now then before, ends = 0, now + seconds end
local count = math.min(most, math.max(0, before + by))
ends = math.min(ends, now + seconds)
if count == 0 then
  if before > 0 then redis.call('DEL', KEYS[1]) end
  return { now, 0, now }
end
if by ~= 0 then
  redis.call('SET', KEYS[1], string.format('%d %d', count, ends))
  redis.call('EXPIREAT', KEYS[1], ends)
end
return { now, count, ends }
`;

const UNLOCK = `
local kept = load(KEYS[1])
if not kept then return 0 end
local open = {}
for _, one in ipairs(kept.o) do if one[2] > now then open[#open + 1] = one end end
keep(KEYS[1], { f = 0, l = 0, s = false, r = {}, o = open, u = kept.u, k = kept.k, c = kept.c, i = kept.i })
return 1
`;

const FORGET = `return redis.call('DEL', KEYS[1], KEYS[2])`;

const HEALTH = `redis.call('SET', KEYS[1], now, 'EX', 60) return 1`;

const INFO = `return redis.call('INFO', ARGV[2])`;

const withPrelude = (body: string) => script(PRELUDE + body);

/** One script an operation. The first argument is always the policy, or empty. */
export const SCRIPTS = {
  reserve: withPrelude(RESERVE),
  fail: withPrelude(FAIL),
  settle: withPrelude(SETTLE),
  release: withPrelude(RELEASE),
  disable: withPrelude(DISABLE),
  retire: withPrelude(RETIRE),
  isDisabled: withPrelude(IS_DISABLED),
  feed: withPrelude(FEED),
  retired: withPrelude(RETIRED),
  claim: withPrelude(CLAIM),
  count: withPrelude(COUNT),
  unlock: withPrelude(UNLOCK),
  forget: withPrelude(FORGET),
  health: withPrelude(HEALTH),
  info: withPrelude(INFO),
};

const spelled = new WeakMap<GuessPolicy, string>();

/** A policy as the scripts read it: the wait of every count of failures from `free` on; the last one holds for all further counts. */
export function spellPolicy(policy: GuessPolicy): string {
  let text = spelled.get(policy);
  if (text === undefined) {
    const waits: number[] = [];
    for (let n = policy.free; waits.at(-1) !== policy.maxWait; n++) waits.push(waitAfter(n, policy));
    const { free, limit, window, reservationTimeout: timeout, knownFor: known } = policy;
    text = JSON.stringify({ free, limit, window, timeout, known, waits });
    spelled.set(policy, text);
  }
  return text;
}
