-- tend_target: where samples that are gathered into a span will lie.
--
-- KEYS[1] stem of the type's keys
-- ARGV    name of the span
-- returns layout, how many closed chunks the span has, and the last of them (empty for none).
-- Cost: 4 us, and the copying.
local call, stem = redis.call, KEYS[1]
local count = tonumber(call('HGET', stem .. 'chunks', ARGV[1]) or 0)
return {call('HGET', stem .. 'chunks', 'layout') or '0', count,
  call('GET', stem .. 'blk:' .. ARGV[1] .. ':' .. (count - 1)) or ''}
