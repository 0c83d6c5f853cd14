-- tend_done: when a type next needs tending.
--
-- KEYS[1] stem of the type's keys, KEYS[2] due
-- ARGV    name of the type, seconds of grace, the hour that it was when its open chunks were
--         looked at, 1 if something is left to be done, seconds until whoever holds anything is
--         looked at again; and, if all was looked through for what has expired, the earliest
--         stamps of what it left (tend_expire)
-- returns 1 if it will be tended again. Cost: 11 us.
--#include due.lua
local call, stem, grace = redis.call, KEYS[1], ARGV[2]
local now, due = tonumber(call('TIME')[1]), nil
local function at(seconds)
  due = math.min(due or seconds, seconds)
end
if call('EXISTS', stem .. 'gone:chunks') == 1 then -- being deleted
  at(now)
end
if ARGV[4] == '1' or call('EXISTS', stem .. 'unsealed') == 1 then
  at(now + 15)
end
local function first_open(from, to)
  return tonumber(call('ZRANGEBYSCORE', stem .. 'open', from, to, 'WITHSCORES', 'LIMIT', 0, 1)[2])
end
local over, running = first_open(due_first_hour, '(' .. ARGV[3]), first_open(ARGV[3], due_last_hour)
if over then -- and is open still: it waits for the end of its day
  at(math.max((math.floor(over / 24) + 1) * 86400 + grace, now + due_settle))
end
if running then
  at(math.max((running + 1) * 3600 + grace, now + 60))
end
if call('ZCOUNT', stem .. 'open', due_far(tonumber(ARGV[3])), due_last_hour) > 0 then -- it came meanwhile
  at(now + due_settle)
end
-- Days wait for the end of their month, samples expire, or will when that is asked for.
if call('EXISTS', stem .. 'spans', stem .. 'open') > 0 then
  at(now + ARGV[5])
end
call('ZREM', KEYS[2], ARGV[1]) -- first: a full Redis takes a write that frees memory
if ARGV[6] and call('HEXISTS', stem .. 'chunks', 'layout') == 1 then
  call('HSET', stem .. 'chunks', 'oldest_samples', ARGV[6], 'oldest', ARGV[7])
end
if not due then
  return 0
end
call('ZADD', KEYS[2], due, ARGV[1])
return 1
