-- delete_begin: from now on a type has no samples and takes none; they go by delete_step.
--
-- KEYS[1] meta, KEYS[2] stem of the type's keys, KEYS[3] types, KEYS[4] due, KEYS[5] external data
-- ARGV    name of the type
-- returns 1; 0 if there is no such type. Cost: about 10 us.
--#include meta.lua
--#include hot.lua
local call, meta, stem = redis.call, KEYS[1], KEYS[2]
local state = call('GET', meta)
if not state then
  return 0
end
call('ZREM', KEYS[3], ARGV[1]) -- first: a full Redis takes a write that frees memory
call('ZADD', KEYS[4], 0, ARGV[1])
if state == 'deleting' then
  return 1
end
if #state == meta_hot_bytes then
  hot_cool(meta, state, stem)
end
call('SET', meta, 'deleting')
for _, index in ipairs({'open', 'spans', 'chunks'}) do
  if call('EXISTS', stem .. index) == 1 then
    call('RENAME', stem .. index, stem .. 'gone:' .. index)
  end
end
-- However many were unsealed, they are freed beside other work.
call('UNLINK', stem .. 'unsealed', stem .. 'blk:base', KEYS[5], stem .. 'sum:all', stem .. 'sum:daily',
  stem .. 'sum:hourly')
return 1
