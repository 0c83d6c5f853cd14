-- tend_small: days that hold few samples, in months that are over.
--
-- KEYS[1] stem of the type's keys
-- ARGV    first month that is not over, below how many samples a day is small, first month to
--         look at ('': the first that may hold one), most days to look at, 64 or more
-- returns the month to go on from ('': all were looked at); then the small days, each of one
--         closed chunk, in order. By score alone, as in tend_open.
--
-- The field `months` of `chunks` is the first month that may hold a small day. It moves on
-- when none is found, so not before what was found has been gathered. Cost: 2.6 us a day.
--#include spans.lua
local call, stem = redis.call, KEYS[1]
local chunks, over = stem .. 'chunks', tonumber(ARGV[1])
local looked = tonumber(call('HGET', chunks, 'months')) or -30000
local from, to = tonumber(ARGV[3]) or looked, over
local days = call('ZRANGEBYSCORE', stem .. 'spans', span_score(2, from * 32),
  '(' .. string.format('%.0f', span_score(2, over * 32)), 'WITHSCORES', 'LIMIT', 0, ARGV[4])
if #days == 2 * ARGV[4] then
  to = math.max(span_above(2, days[#days] - span_score(2, 0), 3), from + 1)
end
local reply, last = {to < over and string.format('%.0f', to) or ''}, nil
for i = 2, #days, 2 do
  local name = span_of_score(math.floor(days[i]))
  local key = stem .. 'blk:' .. name .. ':0'
  if name ~= last and call('HGET', chunks, name) == '1' then
    local head = call('GETRANGE', key, 0, 95)
    if #head == 96 and struct.unpack('<I8', head, 17) < tonumber(ARGV[2])
        and call('STRLEN', key) > 96 + struct.unpack('<I2', head, 11) then
      reply[#reply + 1] = name
    end
  end
  last = name
end
if #reply == 1 and from == looked and to > looked and call('HEXISTS', chunks, 'layout') == 1 then
  call('HDEL', chunks, 'months') -- first: a full Redis takes a write that frees memory
  call('HSET', chunks, 'months', to)
end
return reply
