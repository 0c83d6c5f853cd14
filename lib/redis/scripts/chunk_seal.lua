-- chunk_seal: put a closed chunk's sealed form into its place.
--
-- KEYS[1] stem of the type's keys
-- ARGV    hour, number of the chunk, sealed form without its stamp, `layout` of the type as it was
--         before the chunk was read
-- returns 1 if it was put; 0 if the chunk is not there any more, or may be another one: chunks were
--         moved since, or the type is being deleted, or is one that came after a deletion. Of one
--         layout a closed chunk never changes.
-- The same samples as before, so no rollup changes. Cost: about 45 us, most of it the sealed form's.
--#include spans.lua
local call, stem, name = redis.call, KEYS[1], ARGV[1] .. ':' .. ARGV[2]
local raw = stem .. 'raw:' .. name
if call('STRLEN', raw) == 0 or call('HGET', stem .. 'chunks', 'layout') ~= ARGV[4] then
  return 0
end
spans_check(stem)
call('SREM', stem .. 'unsealed', name) -- first: a full Redis takes what begins by freeing memory
spans_put(stem, 'blk:' .. name, struct.pack('<I8', time_us()) .. ARGV[3])
call('DEL', raw)
return 1
