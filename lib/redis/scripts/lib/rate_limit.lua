-- rate_limit: at most `limit` admissions in any window (now - window, now].
--
--   local rate = rate_read(key, limit, window_us, now)   reads; writes nothing
--   if rate.admitted == 0 then rate_refuse(rate) ...     refused
--   else ... rate_spend(rate) end                        admitted, and it was used
--
-- limit and window_us may be texts; now is in microseconds (rate_now() asks Redis).
-- A script that refuses for reasons of its own calls neither of the last two. The
-- fields rate.admitted (1 or 0), rate.remaining, rate.next_us (until the allowance grows
-- by one; 0: it is whole) and rate.retry_us (when refused: until one is admitted) are
-- true after each step and are, in this order, the first four elements of a reply.
-- limit 0: admitted, nothing is touched.
--
-- Up to 128 the value is the log itself: the admitted instants, 8 bytes each, oldest
-- first. Above, the key with the suffix ":cells" holds an entry (newest instant, count)
-- for each sixtieth of a window in which something was admitted. An entry counts whole
-- until its newest instant leaves: that refuses up to window / 60 early and never
-- admits one too many. A policy that is moved across 128 begins anew.
--
-- An instant in the future (a clock stepped back) counts as now; a refusal writes that
-- down, or its wait would begin anew with every request. No wait exceeds the window.
--
-- A value is SET with a life when it is new or when entries left, else it is written in
-- place. Then its first entry is as old as that SET or older and still counts, so less
-- than a window and a cell have passed: a life of two windows, a cell and a second for
-- the rounding of Redis's own clock outlasts every instant.
--
-- Cost: a GET; a SET or SETRANGE to spend. Reads at most 128 instants or 62 entries.
local RATE_LOG_MAX, RATE_CELLS = 128, 60

local function rate_now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function rate_read_log(rate, now, from)
  local unpack = struct.unpack
  local log = redis.call('GET', rate.key) or ''
  local size, gone, future = #log / 8, 0, 0
  while future < size and unpack('<I8', log, #log - 8 * future - 7) > now do
    future = future + 1
  end
  if future > 0 then
    log = log:sub(1, #log - 8 * future) .. struct.pack('<I8', now):rep(future)
  end
  while gone < size and unpack('<I8', log, 8 * gone + 1) <= from do
    gone = gone + 1
  end
  local live = size - gone
  if live > 0 then
    local leaving = gone + math.max(live - rate.limit, 0)
    rate.next_us = unpack('<I8', log, 8 * leaving + 1) - from
  end
  rate.is_clamped, rate.is_set = future > 0, future > 0 or gone > 0 or size == 0
  rate.bytes = log:sub(8 * gone + 1)
  rate.entry, rate.entry_at = struct.pack('<I8', now), #rate.bytes
  return live
end

local function rate_read_cells(rate, now, from)
  local unpack, pack = struct.unpack, struct.pack
  rate.key = rate.key .. ':cells'
  local cells = redis.call('GET', rate.key) or ''
  local size, gone, live, future, first_future = #cells, 0, 0, 0, nil
  for at = 1, size, 12 do
    local newest, count = unpack('<I8I4', cells, at)
    if newest <= from then
      gone = gone + 12
    else
      live = live + count
      if newest > now then
        first_future = first_future or at
        future = future + count
      end
    end
  end
  if first_future then
    cells = cells:sub(1, first_future - 1) .. pack('<I8I4', now, future)
  end
  rate.is_clamped, rate.is_set = future > 0, future > 0 or gone > 0 or size == 0
  rate.bytes = cells:sub(gone + 1)

  local leaving, excess = 0, math.max(live - rate.limit, 0)
  for at = 1, #rate.bytes, 12 do
    local newest, count = unpack('<I8I4', rate.bytes, at)
    leaving = leaving + count
    if leaving > excess then
      rate.next_us = newest - from
      break
    end
  end

  rate.entry, rate.entry_at = pack('<I8I4', now, 1), #rate.bytes
  if live > 0 then
    local newest, count = unpack('<I8I4', rate.bytes, #rate.bytes - 11)
    local cell = math.ceil(rate.window / RATE_CELLS)
    if math.floor(newest / cell) == math.floor(now / cell) then
      rate.entry, rate.entry_at = pack('<I8I4', now, count + 1), #rate.bytes - 12
    end
  end
  return live
end

local function rate_read(key, limit, window_us, now)
  local rate = {key = key, limit = tonumber(limit), window = tonumber(window_us),
                admitted = 1, remaining = 0, next_us = 0, retry_us = 0}
  if rate.limit > 0 then
    local read = rate.limit <= RATE_LOG_MAX and rate_read_log or rate_read_cells
    local live = read(rate, now, now - rate.window)
    if live < rate.limit then
      rate.remaining = rate.limit - live
    else
      rate.admitted, rate.retry_us = 0, rate.next_us
    end
  end
  return rate
end

local function rate_set(rate, bytes)
  local life_ms = math.ceil(rate.window * (2 + 1 / RATE_CELLS) / 1000) + 1000
  redis.call('SET', rate.key, bytes, 'PX', life_ms)
end

local function rate_refuse(rate)
  if rate.is_clamped then
    rate_set(rate, rate.bytes)
  end
end

local function rate_spend(rate)
  if rate.limit == 0 then
    return
  end
  if rate.is_set then
    rate_set(rate, rate.bytes:sub(1, rate.entry_at) .. rate.entry)
  else
    redis.call('SETRANGE', rate.key, rate.entry_at, rate.entry)
  end
  rate.remaining = rate.remaining - 1
  if rate.entry_at == 0 then
    rate.next_us = rate.window
  end
end
