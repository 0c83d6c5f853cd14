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
-- first. Above, the key with the suffix ":cells" holds a base and then an entry (newest
-- instant, total) for each sixtieth of a window in which something was admitted: the total
-- is the base and all that was admitted up to there, so that a difference counts without a
-- walk. An entry counts whole until its newest instant leaves: that refuses up to
-- window / 60 early and never admits one too many. A policy that is moved across 128
-- begins anew, and so does one whose value is of a length that none of ours has.
--
-- An instant in the future (a clock stepped back) counts as now; a refusal writes that
-- down, or its wait would begin anew with every request. No wait exceeds the window.
--
-- A value is SET with a life when it is new or when entries left, else it is written in
-- place. Then its first entry is as old as that SET or older and still counts, so less
-- than a window and a cell have passed: a life of two windows, a cell and a second for
-- the rounding of Redis's own clock outlasts every instant.
--
-- Cost: a read of 1,024 bytes at most; a SET or SETRANGE to spend. Looks at what has left since
-- the last SET and at one more: at most 128 instants or 62 entries.
local RATE_LOG_MAX, RATE_CELLS, RATE_CELLS_MAX = 128, 60, 256

local function rate_now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function rate_read(key, limit, window_us, now)
  local rate = {key = key, limit = tonumber(limit), window = tonumber(window_us),
                admitted = 1, remaining = 0, next_us = 0, retry_us = 0}
  if rate.limit > 0 then
    --#include rate_window.lua
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
  if rate.entry_at == rate.first_at then
    rate.next_us = rate.window
  end
end
