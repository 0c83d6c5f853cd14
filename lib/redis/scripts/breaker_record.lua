-- breaker_record: how an admitted call ended.
--
-- KEYS[1] the breaker. ARGV: generation and token of the permit (token 0: no probe),
-- outcome (success, failure, neutral), failure_threshold, reset_us, lease_us.
-- Returns breaker_reply with 1, or with 0 when the report came too late to count: it is
-- of another generation or of a probe that was given to somebody else since.
-- Cost: HMGET; HSET or HINCRBY.
--#include breaker.lua
local token, outcome, reset_us = ARGV[2], ARGV[3], ARGV[5]
local b = breaker_read(KEYS[1], reset_us, ARGV[6])
if not b.is_stored or b.generation ~= tonumber(ARGV[1]) then
  return breaker_reply(b, 0)
end

if b.state == 'HALF_OPEN' then
  if b.token ~= token then
    return breaker_reply(b, 0)
  end
  if outcome == 'success' then
    breaker_turn(b, 'CLOSED')
    b.failures, b.successes = 0, 0
    breaker_write(b)
  elseif outcome == 'failure' then
    b.failures = b.failures + 1
    breaker_open(b, reset_us)
  else
    b.token, b.lapses = '', 0
    breaker_write(b)
  end
elseif b.state == 'CLOSED' then
  if outcome == 'success' then
    b.successes = redis.call('HINCRBY', b.key, 'successes', 1)
    if b.failures > 0 then
      b.failures = 0
      redis.call('HSET', b.key, 'failures', 0)
    end
  elseif outcome == 'failure' then
    b.failures = redis.call('HINCRBY', b.key, 'failures', 1)
    if b.failures >= tonumber(ARGV[4]) then
      breaker_open(b, reset_us)
    end
  end
end
return breaker_reply(b, 1)
