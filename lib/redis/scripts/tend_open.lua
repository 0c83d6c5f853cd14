-- tend_open: the open chunks whose hour is over, then those whose hour is far ahead.
--
-- KEYS[1] stem of the type's keys
-- ARGV    seconds of grace, first hour that counts, most chunks
-- returns the hour that it is now; then three elements a chunk, in order of time: its hour,
--         how many closed chunks that hour has, its bytes. Where the former is no such number,
--         or the latter are more than a chunk can have, -1 stands for the former.
-- Cost: about 1 us a chunk.
--#include due.lua
--#include spans.lua
local call, stem, bytes_max = redis.call, KEYS[1], 65536
local hour = math.floor((call('TIME')[1] - ARGV[1]) / 3600)
local reply = {hour}
local function tell(name)
  local at, bytes = #reply, call('STRLEN', stem .. 'raw:' .. name)
  reply[at + 1] = name
  reply[at + 2] = bytes <= bytes_max and spans_count(stem, name) or -1
  reply[at + 3] = bytes
end

local over = call('ZRANGEBYSCORE', stem .. 'open', ARGV[2], hour - 1, 'LIMIT', 0, ARGV[3])
local ahead = call('ZRANGEBYSCORE', stem .. 'open', math.max(ARGV[2], due_far(hour)), '+inf', 'LIMIT', 0,
  ARGV[3] - #over)
for _, name in ipairs(over) do
  tell(name)
end
for _, name in ipairs(ahead) do
  tell(name)
end
return reply
