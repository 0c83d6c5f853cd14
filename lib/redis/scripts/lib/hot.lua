-- hot: the chunk of a type to which many samples go one by one. Needs meta.lua.
--
-- Samples of many types at once (post_series) go to an open chunk that is hot: it lies at
-- `hot:<hour>` instead of `raw:<hour>`, and that it is there says that the type is, and takes
-- samples. So one append a type is all that is done. Its meta says which hour that is, and how many
-- bytes of the chunk it tells of; the records beyond count as well. Whoever reads a meta reads them,
-- too; who writes to the type in another way makes the chunk an ordinary one first.
--#include untold.lua
local hot_untold_max = 1024 -- bytes; the sooner they are told, the less there is to be read

-- What follows where a type has a hot chunk.
local function hot_place(hour, told)
  return struct.pack('<i4I4', hour, told)
end

-- Where the newest and the oldest of these records begin; of equals the last one, and the first.
local function hot_extremes(records)
  local newest_at, newest_low, newest_high = 1, struct.unpack('<I4i4', records)
  local oldest_at, oldest_low, oldest_high = 1, newest_low, newest_high
  for from = 1, #records, hot_untold_max do
    local count = math.min(#records + 1 - from, hot_untold_max) / 16
    local times = {struct.unpack('<' .. ('I4i4xxxxxxxx'):rep(count), records, from)}
    for i = 1, count do
      local low, high = times[2 * i - 1], times[2 * i]
      if high > newest_high or high == newest_high and low >= newest_low then
        newest_at, newest_low, newest_high = from + 16 * i - 16, low, high
      elseif high < oldest_high or high == oldest_high and low < oldest_low then
        oldest_at, oldest_low, oldest_high = from + 16 * i - 16, low, high
      end
    end
  end
  return newest_at, oldest_at
end

-- `meta` when it tells all, as that of a type without a hot chunk.
local function hot_told(meta, stem)
  local records = untold_records(meta, stem)
  if records == '' then
    return meta:sub(1, meta_bytes)
  end
  local count, newest_at, oldest_at = #records / 16, hot_extremes(records)
  local version = struct.unpack('<I8', meta, 9) + count -- each of them moved it by one
  return meta_moved(meta, count, records:sub(newest_at, newest_at + 15), records:sub(oldest_at, oldest_at + 15),
    version)
end

-- From now on the type has no hot chunk. Returns meta.
local function hot_cool(key, meta, stem)
  local hour = untold_place(meta)
  if not hour then
    return meta
  end
  local told = hot_told(meta, stem)
  redis.pcall('RENAME', stem .. 'hot:' .. hour, stem .. 'raw:' .. hour)
  redis.call('SET', key, told)
  return told
end
