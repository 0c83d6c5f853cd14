-- due: when a type next needs tending, in the sorted set `due` (Unix seconds).
--
-- An open chunk is closed a minute after its hour is over; one that late samples opened
-- after that, a quarter of an hour after it was opened, so that it can gather some. So is one
-- of an hour that is far ahead, neither of this day nor the next hour: samples expire by their
-- arrival, which an open chunk does not tell, so none may stay open for more than a day.
local due_grace, due_settle = 60, 900

-- What stands in `open` beyond these is no hour (metrics/span.h).
local due_first_hour, due_last_hour = -17500000, 70500000

-- The first hour that is far ahead of this one.
local function due_far(hour)
  return math.max((math.floor(hour / 24) + 1) * 24, hour + 2)
end

local function due_note_open(key, type, hour, now_us)
  local now, due = now_us / 1000000, (hour + 1) * 3600 + due_grace
  if tonumber(hour) >= due_far(math.floor((now - due_grace) / 3600)) then
    due = now
  end
  redis.call('ZADD', key, 'LT', math.ceil(math.max(due, now + due_settle)), type)
end
