-- external_put: keep the external service's data, if the type still has samples.
--
-- KEYS[1] meta, KEYS[2] external data
-- ARGV    the data, seconds to live
-- returns 1 if kept, 0 if not. Cost: about 3 us.
local call, meta = redis.call, redis.call('GET', KEYS[1])
if not meta or meta == 'deleting' then
  return 0
end
call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return 1
