-- breaker_allow: may a call be made?
--
-- KEYS[1] the breaker. ARGV: token (a nonce, for the case of a probe), reset_us, lease_us.
-- Returns breaker_reply with 0 refused, 1 admitted, 2 admitted as the probe that holds
-- `token`. A refusal writes nothing. Cost: HMGET; HSET for a probe.
--#include breaker.lua
local token, reset_us, lease_us = ARGV[1], ARGV[2], ARGV[3]
local b = breaker_read(KEYS[1], reset_us, lease_us)
if not b.is_stored then
  b.generation = b.now
  breaker_write(b)
end
if b.state == 'CLOSED' then
  return breaker_reply(b, 1)
end

local is_taken = b.state == 'HALF_OPEN' and b.token ~= ''
if b.state == 'OPEN' and b.now < b.probe_at or is_taken and b.now < b.lease_end then
  if b.is_clamped then
    breaker_write(b)
  end
  return breaker_reply(b, 0)
end

if b.state == 'OPEN' then
  breaker_turn(b, 'HALF_OPEN')
elseif is_taken then
  b.lapses = b.lapses + 1
  if b.lapses == BREAKER_LAPSES_MAX then
    breaker_open(b, reset_us)
    return breaker_reply(b, 0)
  end
end
b.token, b.lease_end = token, b.now + tonumber(lease_us)
breaker_write(b)
return breaker_reply(b, 2)
