-- summary_get: all that answers a question for a summary, at one instant. Writes nothing.
--
-- KEYS[1] meta, KEYS[2] external data, KEYS[3] cached answer, for a question that may have one
-- returns meta, cached answer and external data (nil for what is not there), how many
--         milliseconds the external data live (-1: for ever), now in microseconds.
-- Cost: about 4 us.
local call = redis.call
local time = call('TIME')
local external = call('GET', KEYS[2])
return {call('GET', KEYS[1]), KEYS[3] and call('GET', KEYS[3]) or false, external,
  external and call('PTTL', KEYS[2]) or 0, time[1] * 1000000 + time[2]}
