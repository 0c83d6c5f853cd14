-- summary_put: keep an answer, unless one made from newer data is kept already.
--
-- KEYS[1] meta, KEYS[2] stem of the type's keys, KEYS[3] cached answer
-- ARGV    packed answer, seconds to live
-- returns 1 if kept, 0 if not. A type without samples gets no answer kept.
-- Cost: about 4 us.
--#include untold.lua
local call, version_of = redis.call, function(packed)
  return (struct.unpack('<I8', packed, 9))
end
local meta, kept = untold_read(KEYS[1], KEYS[2]), call('GET', KEYS[3])
if not meta or #meta < 16 then
  return 0
end
if kept and #kept >= 16 and version_of(kept) > version_of(ARGV[1])
    and version_of(kept) <= version_of(meta) + math.floor((#meta - 48) / 16) then
  return 0
end
call('SET', KEYS[3], ARGV[1], 'EX', ARGV[2])
return 1
