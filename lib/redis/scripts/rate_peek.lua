-- rate_peek: how a subject stands; reads only.
--
-- KEYS and ARGV as rate_check.
-- Returns {admitted, remaining, next_us, retry_us}. Cost: see lib/rate_limit.lua.
--#include rate_limit.lua
local rate = rate_read(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]) or rate_now())
return {rate.admitted, rate.remaining, rate.next_us, rate.retry_us}
