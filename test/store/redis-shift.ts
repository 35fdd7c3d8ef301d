/** Moves every time that the store holds into the past: the server's clock cannot be set. */
export const SHIFT = `
local by = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', ARGV[2])) do
  local expiry = redis.call('EXPIRETIME', key)
  if string.find(key, ':guesses:', 1, true) then
    local tally = cjson.decode(redis.call('GET', key))
    if tally.l > 0 then tally.l = tally.l - by end
    for _, name in ipairs({ 'u', 'k', 'i' }) do if tally[name] > 0 then tally[name] = tally[name] - by end end
    for i, at in ipairs(tally.r) do tally.r[i] = at - by end
    for _, one in ipairs(tally.o) do one[2] = one[2] - by end
    redis.call('SET', key, cjson.encode(tally))
  elseif string.find(key, ':count:', 1, true) then
    local count, ends = string.match(redis.call('GET', key), '^(%d+) (%d+)$')
    redis.call('SET', key, count .. ' ' .. string.format('%d', ends - by))
  elseif string.find(key, ':seen:', 1, true) then
    local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #all, 2 do redis.call('ZADD', key, all[i + 1] - by, all[i]) end
  end
  if expiry > 0 then redis.call('EXPIREAT', key, expiry - by) end
end
return 1`;
