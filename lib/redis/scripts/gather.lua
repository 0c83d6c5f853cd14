-- gather: put samples of open chunks, or of spans below, into new chunks of one span.
--
-- KEYS[1] stem of the type's keys
-- ARGV    layout as it was seen; the new chunks' stamp ('': now); level and number of the
--         target; how many closed chunks it was seen to have, and how many of those stay;
--         how many open chunks are taken, and for each its hour, how many closed chunks that
--         hour was seen to have, and how many bytes are taken; how many spans are emptied, and
--         for each level, number and count of closed chunks; then the new chunks, sealed,
--         without stamps
-- returns 1; 0, and nothing is changed, if anything is not as it was seen. An open chunk may
--         have grown: what came later stays.
-- Cost: 37 us for an open chunk of 2,000 samples, 100 us for 24 small ones, 500 us for 32 days,
-- 2 us a chunk where many become one.
--#include spans.lua
local call, stem, at = redis.call, KEYS[1], 0
local chunks = stem .. 'chunks'
local function argument()
  at = at + 1
  return ARGV[at]
end
local function number()
  return tonumber(argument())
end

if call('HGET', chunks, 'layout') ~= argument() then
  return 0
end
local stamp, now = argument(), time_us()
local level, target, had, keep = number(), number(), number(), number()
local name = span_name(level, target)
if spans_count(stem, name) ~= had then
  return 0
end
local tails, emptied = {}, {}
for i = 1, number() do
  tails[i] = {hour = argument(), closed = number(), bytes = number()}
  if spans_count(stem, tails[i].hour) ~= tails[i].closed
      or call('STRLEN', stem .. 'raw:' .. tails[i].hour) < tails[i].bytes then
    return 0
  end
end
for i = 1, number() do
  emptied[i] = {level = number(), number = number(), count = number()}
  if spans_count(stem, span_name(emptied[i].level, emptied[i].number)) ~= emptied[i].count then
    return 0
  end
end

-- What is not of the type that it should be fails here, before anything is changed. A full
-- Redis refuses a script's first write unless that frees memory, as all of this does.
call('ZCARD', stem .. 'open')
spans_check(stem)
call('DEL', stem .. 'blk:' .. name .. ':' .. had)
local count = keep
if stamp == '' then
  stamp = struct.pack('<I8', now)
end
while at < #ARGV do
  spans_put(stem, 'blk:' .. name .. ':' .. count, stamp .. argument())
  count = count + 1
end
for n = count, had - 1 do
  spans_put(stem, 'blk:' .. name .. ':' .. n, nil)
end
spans_note(stem, level, target, count, now)
for _, span in ipairs(emptied) do
  spans_empty(stem, span.level, span.number, span.count, now)
end
for _, tail in ipairs(tails) do
  local raw = stem .. 'raw:' .. tail.hour
  if call('STRLEN', raw) > tail.bytes then
    call('SET', raw, call('GETRANGE', raw, tail.bytes, -1))
  else
    call('DEL', raw)
    call('ZREM', stem .. 'open', tail.hour)
  end
end
-- A day in a month that was looked through: it is to be looked at again (tend_small).
local looked, month = tonumber(call('HGET', chunks, 'months')), span_above(level, target, 3)
if level == 2 and looked and month < looked then
  call('HSET', chunks, 'months', month)
end
spans_moved(stem, now)
return 1
