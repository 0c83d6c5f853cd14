-- tend_open: the open chunks whose hour is over, then those whose hour is far ahead.
--
-- KEYS[1] stem of the type's keys, KEYS[2] meta
-- ARGV    seconds of grace, first hour that counts, most chunks
-- returns the hour that it is now, and the first that counts next ('': none); then three elements
--         a chunk, in order of time: its hour, how many closed chunks that hour has, its bytes.
--         Where the former is no such number, or the latter are more than a chunk can have, -1
--         stands for the former; where there are no bytes, the chunk is lost.
--
-- What stands in `open` without a chunk is told this once and taken out: nothing would ever
-- come of it. By score alone: whatever others wrote beside an hour is passed over. One that is
-- hot is an ordinary one from then on.
-- Cost: about 1 us a chunk.
--#include due.lua
--#include spans.lua
--#include meta.lua
--#include hot.lua
local call, stem, bytes_max = redis.call, KEYS[1], 65536
local open, first, most = stem .. 'open', tonumber(ARGV[2]), tonumber(ARGV[3])
local hour = math.floor((call('TIME')[1] - ARGV[1]) / 3600)
local reply, last = {hour, ''}, nil

local meta = redis.pcall('GET', KEYS[2])
if type(meta) == 'string' and meta_is_ours(meta) and (untold_place(meta) or hour) ~= hour then
  hot_cool(KEYS[2], meta, stem)
end

-- How many there are.
local function tell(from, to, limit)
  local found = call('ZRANGEBYSCORE', open, from, to, 'WITHSCORES', 'LIMIT', 0, limit)
  for i = 2, #found, 2 do
    local at, name = #reply, span_name(1, math.floor(found[i]))
    if call('STRLEN', stem .. 'raw:' .. found[i - 1]) == 0 then
      call('ZREM', open, found[i - 1])
    end
    if name ~= last then
      local bytes = call('STRLEN', stem .. 'raw:' .. name)
      reply[at + 1] = name
      reply[at + 2] = bytes <= bytes_max and spans_count(stem, name) or -1
      reply[at + 3] = bytes
      last = name
    end
  end
  return #found / 2
end

local left = most - tell(first, hour - 1, most)
left = left - tell(math.max(first, due_far(hour)), due_last_hour, left)
if left == 0 then
  reply[2] = span_name(1, last + 1)
end
return reply
