-- chunk_seal: put a closed chunk's sealed form into its place.
--
-- KEYS[1] stem of the type's keys
-- ARGV    hour, number of the chunk, sealed form without its stamp, the records that it was
--         made from
-- returns 1 if it was put; 0 if the chunk is not there any more, or is another one: that of a
--         type of the same name that came after a deletion.
-- The same samples as before, so no rollup changes. Cost: about 20 us, half of it for the
-- comparison.
--#include spans.lua
local call, stem, name = redis.call, KEYS[1], ARGV[1] .. ':' .. ARGV[2]
local raw = stem .. 'raw:' .. name
if call('GET', raw) ~= ARGV[4] then
  return 0
end
spans_check(stem)
call('SREM', stem .. 'unsealed', name) -- first: a full Redis takes what begins by freeing memory
spans_put(stem, 'blk:' .. name, struct.pack('<I8', time_us()) .. ARGV[3])
call('DEL', raw)
return 1
