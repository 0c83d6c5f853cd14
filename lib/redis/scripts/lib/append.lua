-- append: records to the open chunk of an hour.
--
-- The first record of a chunk opens it, the 4,096th closes it: then it is renamed and its
-- samples never change again. What can fail on foreign data does so in the functions that look,
-- which all come before the first one that writes.
local append_chunk_bytes = 65536

-- The bytes of an hour's open chunk, and how many of its chunks are closed (needed if this many
-- more close one). A second value of no number: what is wrong.
local function append_look(stem, hour, more)
  local length = redis.call('STRLEN', stem .. 'raw:' .. hour)
  if length % 16 ~= 0 then -- what follows would be read askew
    return length, 'ERR an open chunk of a broken length'
  end
  if length + more < append_chunk_bytes then
    return length, 0
  end
  --#include spans.lua
  spans_check(stem)
  redis.call('ZCARD', stem .. 'open')
  redis.call('SCARD', stem .. 'unsealed')
  return length, spans_count(stem, hour) or 'ERR an unknown number of chunks'
end

-- Whether one more hour may be opened. Looks, too, at what opening it changes.
local function append_may_open(stem, hour, opened, spans_max, due_key)
  local spans = stem .. 'spans'
  redis.call('ZCARD', due_key)
  return redis.call('ZCARD', stem .. 'open') + redis.call('ZCARD', spans) + opened < spans_max
    or redis.call('ZSCORE', spans, hour)
end

local function append_open(stem, hour, type, due_key, now)
  --#include due.lua
  redis.call('ZADD', stem .. 'open', hour, hour)
  due_note_open(due_key, type, hour, now)
end

-- An open chunk that is full becomes the hour's chunk `number`.
local function append_close(stem, hour, number, now)
  --#include spans.lua
  local raw = stem .. 'raw:' .. hour
  redis.call('RENAME', raw, raw .. ':' .. number)
  redis.call('ZREM', stem .. 'open', hour)
  redis.call('SADD', stem .. 'unsealed', hour .. ':' .. number)
  spans_note(stem, 1, tonumber(hour), number + 1, now)
end
