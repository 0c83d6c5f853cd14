-- summary_put: keep an answer, unless one made from newer data is kept already.
--
-- KEYS[1] meta, KEYS[2] cached answer
-- ARGV    packed answer, seconds to live
-- returns 1 if kept, 0 if not. A type without samples gets no answer kept.
-- Cost: about 4 us.
local call, version_of = redis.call, function(packed)
  return (struct.unpack('<I8', packed, 9))
end
local meta, kept = call('GET', KEYS[1]), call('GET', KEYS[2])
if not meta or #meta < 16 then
  return 0
end
if kept and #kept >= 16 and version_of(kept) > version_of(ARGV[1])
    and version_of(kept) <= version_of(meta) then
  return 0
end
call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return 1
