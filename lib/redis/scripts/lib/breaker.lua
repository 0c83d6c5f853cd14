-- breaker: the stored state of one circuit breaker, shared by the breaker_* scripts.
--
-- A hash without TTL: state (CLOSED, OPEN, HALF_OPEN), generation (seeded from TIME, so
-- that a lost key never brings an old one back; + 1 at each transition), failures
-- (consecutive), successes (since it closed), opened_at, probe_at (OPEN until then),
-- token and lease_end of the probe under way, lapses (leases that ran out in a row), history.
-- Instants in microseconds. Cost: HMGET; a transition writes all fields.
--
-- An instant further away than it can have been set (a clock stepped back, or the
-- timeout was shortened) counts as set now; the next refusal writes that down, once.
local BREAKER_FIELDS = {'state', 'generation', 'failures', 'successes', 'opened_at', 'probe_at',
                        'lapses', 'lease_end', 'token'}
local BREAKER_LAPSES_MAX = 3

local function breaker_read(key, reset_us, lease_us)
  local time = redis.call('TIME')
  local values = redis.call('HMGET', key, unpack(BREAKER_FIELDS))
  local b = {key = key, now = time[1] * 1000000 + time[2], is_stored = values[1] and true,
             state = values[1] or 'CLOSED', token = values[9] or ''}
  for i = 2, 8 do
    b[BREAKER_FIELDS[i]] = tonumber(values[i] or 0)
  end
  local probe_max, lease_max = b.now + tonumber(reset_us), b.now + tonumber(lease_us)
  b.is_clamped = b.state == 'OPEN' and b.probe_at > probe_max
      or b.state == 'HALF_OPEN' and b.lease_end > lease_max
  b.probe_at, b.lease_end = math.min(b.probe_at, probe_max), math.min(b.lease_end, lease_max)
  return b
end

-- The last transitions, oldest first: the state's letter (C, O, H) and the instant (8 bytes).
local BREAKER_HISTORY_MAX, BREAKER_TURN_BYTES = 32, 9

local function breaker_write(b)
  local written = {}
  for i, field in ipairs(BREAKER_FIELDS) do
    written[2 * i - 1], written[2 * i] = field, b[field]
  end
  if b.history then
    written[#written + 1], written[#written + 2] = 'history', b.history
  end
  redis.call('HSET', b.key, unpack(written))
end

local function breaker_turn(b, state)
  b.state, b.generation, b.token, b.lapses = state, b.generation + 1, '', 0
  local before = b.history or redis.call('HGET', b.key, 'history') or ''
  b.history = (before .. state:sub(1, 1) .. struct.pack('<I8', b.now)):sub(-BREAKER_HISTORY_MAX * BREAKER_TURN_BYTES)
end

local function breaker_open(b, reset_us)
  breaker_turn(b, 'OPEN')
  b.opened_at, b.probe_at = b.now, b.now + tonumber(reset_us)
  breaker_write(b)
end

-- {verdict, state, generation, failures, successes, opened_at, probe_at, now, wait, turned}; wait
-- is the time until a probe may be given out, 0 when CLOSED; turned is 1 where this call was the
-- transition to that state.
local function breaker_reply(b, verdict)
  local wait = 0
  if b.state == 'OPEN' then
    wait = math.max(b.probe_at - b.now, 0)
  elseif b.state == 'HALF_OPEN' and b.token ~= '' then
    wait = math.max(b.lease_end - b.now, 0)
  end
  return {verdict, b.state, b.generation, b.failures, b.successes, b.opened_at, b.probe_at, b.now,
          wait, b.history and 1 or 0}
end
