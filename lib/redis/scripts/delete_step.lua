-- delete_step: remove some of what is left of a type that is being deleted.
--
-- KEYS[1] meta, KEYS[2] stem of the type's keys, KEYS[3] due
-- ARGV    name of the type, most chunks
-- returns 1 when nothing is left, else 0. Cost: 1.4 us a chunk.
-- Where no number says how many chunks a span has, some are looked for.
--#include spans.lua
local call, stem, left, some = redis.call, KEYS[2], tonumber(ARGV[2]), 65536
if call('GET', KEYS[1]) ~= 'deleting' then
  return 1
end
local spans, chunks, open = stem .. 'gone:spans', stem .. 'gone:chunks', stem .. 'gone:open'
while left > 0 do
  local name = call('ZRANGE', spans, 0, 0)[1]
  if not name then
    break
  end
  local count = spans_count(stem .. 'gone:', name) or some
  local stay = math.max(count - left, 0)
  for n = stay, count - 1 do
    call('DEL', stem .. 'blk:' .. name .. ':' .. n, stem .. 'raw:' .. name .. ':' .. n)
  end
  left = left - (count - stay) - 1
  if stay > 0 then
    call('HSET', chunks, name, stay)
  else
    call('DEL', stem .. 'agg:' .. name)
    call('ZREM', spans, name)
  end
end
if left > 0 then
  local hours = call('ZPOPMIN', open, left)
  for i = 1, #hours, 2 do
    call('DEL', stem .. 'raw:' .. hours[i], stem .. 'hot:' .. hours[i])
  end
end
if call('EXISTS', spans, open) > 0 then
  return 0
end
call('UNLINK', chunks, stem .. 'chunks', KEYS[1]) -- a field for each span: freed beside other work
call('ZREM', KEYS[3], ARGV[1])
return 1
