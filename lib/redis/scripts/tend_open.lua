-- tend_open: the open chunks whose hour is over.
--
-- KEYS[1] stem of the type's keys
-- ARGV    seconds of grace, first hour that counts, most chunks
-- returns the hour that it is now; then three elements a chunk, in order of time: its hour,
--         how many closed chunks that hour has, its bytes. Cost: about 1 us a chunk.
local call, stem = redis.call, KEYS[1]
local hour = math.floor((call('TIME')[1] - ARGV[1]) / 3600)
local reply = {hour}
for _, name in ipairs(call('ZRANGEBYSCORE', stem .. 'open', ARGV[2], hour - 1, 'LIMIT', 0, ARGV[3])) do
  local at = #reply
  reply[at + 1] = name
  reply[at + 2] = tonumber(call('HGET', stem .. 'chunks', name) or 0)
  reply[at + 3] = call('STRLEN', stem .. 'raw:' .. name)
end
return reply
