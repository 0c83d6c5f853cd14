-- tend_freeze: drop the samples of sealed chunks; their aggregates stay.
--
-- KEYS[1] stem of the type's keys
-- ARGV    layout as it was seen; then for each chunk its span, its number, and its head, which
--         is what stays of it: stamp, as it was seen, and aggregate
-- returns 1; 0, and nothing is changed, if chunks were moved or any is not as it was seen.
-- Cost: 6 us a chunk.
--#include spans.lua
local call, stem = redis.call, KEYS[1]
if call('HGET', stem .. 'chunks', 'layout') ~= ARGV[1] then
  return 0
end
local keys = {}
for i = 2, #ARGV, 3 do
  keys[i] = 'blk:' .. ARGV[i] .. ':' .. ARGV[i + 1]
  if call('GETRANGE', stem .. keys[i], 0, 7) ~= ARGV[i + 2]:sub(1, 8) then
    return 0
  end
end
spans_check(stem)
for i = 2, #ARGV, 3 do
  spans_put(stem, keys[i], nil) -- first: a full Redis takes a write that frees memory
  spans_put(stem, keys[i], ARGV[i + 2])
end
spans_moved(stem, time_us())
return 1
