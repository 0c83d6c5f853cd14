-- type_size: what is known of some types at once, and what they take. Writes nothing.
--
-- KEYS    for each type (at most 16): meta, stem of the type's keys
-- ARGV    how many of a type's open chunks are looked at
-- returns now in microseconds; then for each type meta and the records that it does not
--         tell (nil for none), and bytes.
-- Bytes are those of sealed chunks and rollups, 65,536 for each chunk that is closed and not
-- sealed yet, and those of the newest open chunks. Keys, indexes and cached answers are not
-- among them, nor what Redis takes to keep them. Cost: about 3 us a type, 0.3 us an open chunk.
--#include untold.lua
--#include open.lua
local call, time = redis.call, redis.call('TIME')
local reply = {time[1] * 1000000 + time[2]}
for i = 1, #KEYS, 2 do
  local stem = KEYS[i + 1]
  local bytes = (call('HGET', stem .. 'chunks', 'bytes') or 0) + 65536 * call('SCARD', stem .. 'unsealed')
  for _, hour in ipairs(call('ZREVRANGE', stem .. 'open', 0, ARGV[1] - 1)) do
    bytes = bytes + call('STRLEN', open_key(stem, hour))
  end
  reply[i + 1], reply[i + 2] = untold_read(KEYS[i], stem), bytes
end
return reply
