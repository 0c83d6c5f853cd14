-- tend_due: which types need tending. One asker at a time gets an answer.
--
-- KEYS[1] lease, KEYS[2] due
-- ARGV    how long the lease holds (ms), most types, seconds
-- returns names of types; none while somebody else holds the lease. Those are due again after
--         so many seconds, unless tend_done says otherwise: nobody else is given them, and
--         what fails is not in the way of what is due later. Cost: 2 us a type.
local call = redis.call
call('ZREM', KEYS[2], '') -- a full Redis takes what begins with a write that frees memory
if not call('SET', KEYS[1], '', 'NX', 'PX', ARGV[1]) then
  return {}
end
local now = call('TIME')[1]
local types = call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, type in ipairs(types) do
  call('ZADD', KEYS[2], now + ARGV[3], type)
end
return types
