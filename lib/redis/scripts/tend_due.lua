-- tend_due: which types need tending. One asker at a time gets an answer.
--
-- KEYS[1] lease, KEYS[2] due, KEYS[3] types
-- ARGV    how long the lease holds (ms), most types, seconds, where a walk over all types stands
--         that makes those due of which nobody knows when they are ('0' at first, '' nowhere)
-- returns where that walk stands now ('' at its end); then names of types; none while somebody
--         else holds the lease. Those are due again after so many seconds, unless tend_done says
--         otherwise: nobody else is given them, and what fails is not in the way of what is due
--         later. Cost: 2 us a type, 350 us a step of the walk.
local call, cursor, walk_types = redis.call, ARGV[4], 128
call('ZREM', KEYS[2], '') -- a full Redis takes what begins with a write that frees memory
if not call('SET', KEYS[1], '', 'NX', 'PX', ARGV[1]) then
  return {cursor}
end
local now = call('TIME')[1]
if cursor ~= '' then
  local step = call('ZSCAN', KEYS[3], cursor, 'COUNT', walk_types)
  cursor = step[1] == '0' and '' or step[1]
  for i = 1, #step[2], 2 do
    call('ZADD', KEYS[2], 'NX', now, step[2][i])
  end
end
local reply = {cursor}
for i, type in ipairs(call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  call('ZADD', KEYS[2], now + ARGV[3], type)
  reply[1 + i] = type
end
return reply
