-- rollup_put: keep a rollup, if the chunks that it was made from are still the same.
--
-- KEYS[1] stem of the type's keys
-- ARGV    name of the span, stamp as it was seen (if that was lost: less than a whole one),
--         packed aggregate
-- returns 1 if kept, 0 if not. Cost: about 3 us.
--#include spans.lua
local key, stamp = 'agg:' .. ARGV[1], ARGV[2]
if redis.call('GETRANGE', KEYS[1] .. key, 0, 7) ~= stamp
    or not redis.call('ZSCORE', KEYS[1] .. 'spans', ARGV[1]) then
  return 0
end
spans_check(KEYS[1])
if #stamp < 8 then
  stamp = struct.pack('<I8', time_us())
end
spans_put(KEYS[1], key, stamp .. ARGV[3])
return 1
