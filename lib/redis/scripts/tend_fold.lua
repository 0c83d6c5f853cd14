-- tend_fold: a span's only chunk, an aggregate that has expired, goes into that of all before.
--
-- KEYS[1] stem of the type's keys
-- ARGV    layout as it was seen, stamp of the base as it was seen, level and number of the
--         span, how long aggregates are kept (us), the base's new aggregate, packed
-- returns 1; 0, and nothing is changed, if anything is not as it was seen or the chunk has not
--         expired; 2, and neither is anything, while spans above it have chunks: those arrived
--         before. Cost: 32 us.
--#include spans.lua
local call, stem, now = redis.call, KEYS[1], time_us()
local chunks, base = stem .. 'chunks', stem .. 'blk:base'
local level, number = tonumber(ARGV[3]), tonumber(ARGV[4])
local name = span_name(level, number)
if call('HGET', chunks, 'layout') ~= ARGV[1] or call('GETRANGE', base, 0, 7) ~= ARGV[2]
    or call('HGET', chunks, name) ~= '1' then
  return 0
end
local stamp = call('GETRANGE', stem .. 'blk:' .. name .. ':0', 0, 7)
if #stamp < 8 or struct.unpack('<I8', stamp) > now - ARGV[5] then
  return 0
end
for above = level + 1, 3 do
  if call('HEXISTS', chunks, span_name(above, span_above(level, number, above))) == 1 then
    return 2
  end
end
spans_check(stem)
spans_empty(stem, level, number, 1, now)
spans_put(stem, 'blk:base', next_stamp(base, now) .. ARGV[6])
spans_moved(stem, now)
return 1
