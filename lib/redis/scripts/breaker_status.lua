-- breaker_status: what is stored; reads only.
--
-- KEYS[1] the breaker. ARGV: reset_us, lease_us.
-- Returns breaker_reply with 1, or 0 when nothing is stored, then of each of the
-- last transitions, oldest first, its state and its instant. Cost: HMGET, HGET.
--#include breaker.lua
local b = breaker_read(KEYS[1], ARGV[1], ARGV[2])
local reply = breaker_reply(b, b.is_stored and 1 or 0)
local history, states = redis.call('HGET', KEYS[1], 'history') or '', {C = 'CLOSED', O = 'OPEN', H = 'HALF_OPEN'}
for at = 1, #history - 8, 9 do
  reply[#reply + 1], reply[#reply + 2] = states[history:sub(at, at)], struct.unpack('<I8', history, at + 1)
end
return reply
