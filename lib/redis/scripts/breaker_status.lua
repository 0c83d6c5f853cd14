-- breaker_status: what is stored; reads only.
--
-- KEYS[1] the breaker. ARGV: reset_us, lease_us.
-- Returns breaker_reply with 1, or 0 when nothing is stored. Cost: HMGET.
--#include breaker.lua
local b = breaker_read(KEYS[1], ARGV[1], ARGV[2])
return breaker_reply(b, b.is_stored and 1 or 0)
