-- rate_check: spend one unit of a subject, for routes that write nothing else.
--
-- KEYS[1] the subject's log. ARGV: limit, window_us; and now_us, by which tests run in
-- a time of their own instead of the server's.
-- Returns {admitted, remaining, next_us, retry_us}. Cost: see lib/rate_limit.lua.
--#include rate_limit.lua
local rate = rate_read(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]) or rate_now())
if rate.admitted == 1 then
  rate_spend(rate)
else
  rate_refuse(rate)
end
return {rate.admitted, rate.remaining, rate.next_us, rate.retry_us}
