-- due: when a type next needs tending, in the sorted set `due` (Unix seconds).
--
-- An open chunk is closed a minute after its hour is over; one that late samples opened
-- after that, a quarter of an hour after it was opened, so that it can gather some.
local due_grace, due_settle = 60, 900

local function due_note_open(key, type, hour, now_us)
  local due = math.max((hour + 1) * 3600 + due_grace, now_us / 1000000 + due_settle)
  redis.call('ZADD', key, 'LT', math.ceil(due), type)
end
