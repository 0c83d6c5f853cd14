-- summary_get: all that answers a question for a summary, at one instant. Writes nothing.
--
-- KEYS[1] meta, KEYS[2] stem of the type's keys, KEYS[3] external data, KEYS[4] cached answer, for a
-- question that may have one
-- returns meta and the records that it does not tell, cached answer and external data (nil for what
--         is not there), how many milliseconds the external data live (-1: for ever), now in
--         microseconds.
-- Cost: about 4 us.
--#include untold.lua
local call = redis.call
local time = call('TIME')
local external = call('GET', KEYS[3])
return {untold_read(KEYS[1], KEYS[2]), KEYS[4] and call('GET', KEYS[4]) or false, external,
  external and call('PTTL', KEYS[3]) or 0, time[1] * 1000000 + time[2]}
