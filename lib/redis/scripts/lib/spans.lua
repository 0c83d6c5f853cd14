-- spans: where closed chunks lie.
--
-- An hour, a day of 24, a month of 32 days, numbered from 1970 (metrics/span.h): level 1, 2,
-- 3. The sorted set `spans` holds every span in or below which a chunk is closed, by level
-- and number; the hash `chunks` how many closed chunks a span has of its own, and in its
-- field `layout` how often chunks were moved or lost their samples, so that whoever goes by
-- several replies notices. `layout` begins with the instant of the type's first sample; a
-- type that is not there, or is being deleted, has none, and nothing may be moved in it.
local span_hours, span_letter = {1, 24, 768}, {'', 'd', 'm'}

local function span_name(level, number)
  return span_letter[level] .. string.format('%.0f', number)
end

local function span_score(level, number)
  return level * 4294967296 + number
end

-- The name of what has this score; nil for none.
local function span_of_score(score)
  local level = math.floor(score / 4294967296 + 0.5)
  return span_hours[level] and span_name(level, score - level * 4294967296)
end

local function span_above(level, number, above)
  return math.floor(number * span_hours[level] / span_hours[above])
end

-- How many closed chunks a span has of its own; nil if what stands there is no such number: 2^31
-- are 14 years of 20,000 samples a second into one hour.
local function spans_count(stem, name)
  local text = redis.call('HGET', stem .. 'chunks', name) or '0'
  local count = tonumber(text)
  if count and count >= 0 and count < 2147483648 and string.format('%.0f', count) == text then
    return count
  end
end

local function time_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Never the same twice for one key, whatever the clock does.
local function next_stamp(key, now)
  local old = redis.pcall('GETRANGE', key, 0, 7)
  if type(old) == 'string' and #old == 8 then
    now = math.max(now, struct.unpack('<I8', old) + 1)
  end
  return struct.pack('<I8', now)
end

-- Fails, before anything is written, where `chunks` or `spans` is of another type. Whatever else
-- is not as it should be is written over by what follows.
local function spans_check(stem)
  redis.call('HLEN', stem .. 'chunks')
  redis.call('ZCARD', stem .. 'spans')
end

local function spans_add(stem, field, amount, otherwise)
  if type(redis.pcall('HINCRBY', stem .. 'chunks', field, amount)) ~= 'number' then
    redis.call('HSET', stem .. 'chunks', field, otherwise)
  end
end

-- A sealed chunk or a rollup, nil for none; the field `bytes` of `chunks` holds their sizes.
local function spans_put(stem, key, value)
  local held = redis.pcall('STRLEN', stem .. key)
  local change = #(value or '') - (type(held) == 'number' and held or 0)
  if value then
    redis.call('SET', stem .. key, value)
  else
    redis.call('DEL', stem .. key)
  end
  spans_add(stem, 'bytes', change, math.max(change, 0)) -- never -0, which is no integer
end

-- Chunks were moved, or lost their samples.
local function spans_moved(stem, now)
  spans_add(stem, 'layout', 1, string.format('%.0f', now))
end

-- A span's closed chunks are now `count`, other than they were: the rollups of it and of
-- what is above it are out of date. An hour's only chunk needs no rollup.
local function spans_note(stem, level, number, count, now)
  redis.call('HSET', stem .. 'chunks', span_name(level, number), count)
  for above = level, 3 do
    local name = span_name(above, span_above(level, number, above))
    redis.call('ZADD', stem .. 'spans', span_score(above, span_above(level, number, above)), name)
    if above > 1 or count > 1 then
      spans_put(stem, 'agg:' .. name, next_stamp(stem .. 'agg:' .. name, now))
    else
      spans_put(stem, 'agg:' .. name, nil)
    end
  end
end

-- A span loses all its `count` closed chunks, and its place unless spans below it have some.
local function spans_empty(stem, level, number, count, now)
  local name = span_name(level, number)
  for n = 0, count - 1 do
    spans_put(stem, 'blk:' .. name .. ':' .. n, nil)
  end
  redis.call('HDEL', stem .. 'chunks', name)
  for above = level, 3 do
    local at = span_above(level, number, above)
    local low, high = span_above(above, at, 1), span_above(above, at, 1) + span_hours[above] - 1
    local held, above_name = redis.call('HEXISTS', stem .. 'chunks', span_name(above, at)), span_name(above, at)
    for below = 1, above - 1 do
      held = held + redis.call('ZCOUNT', stem .. 'spans', span_score(below, span_above(1, low, below)),
        span_score(below, span_above(1, high, below)))
    end
    if held == 0 then
      redis.call('ZREM', stem .. 'spans', above_name)
      spans_put(stem, 'agg:' .. above_name, nil)
    elseif above > 1 then
      spans_put(stem, 'agg:' .. above_name, next_stamp(stem .. 'agg:' .. above_name, now))
    end
  end
end
