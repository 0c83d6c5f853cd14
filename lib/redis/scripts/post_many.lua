-- post_many: decide whether a request is admitted, and store its samples, as one step.
--
-- KEYS[1] rate limiter's log, KEYS[2] types, KEYS[3] due; then for each type: meta, stem of the
--         type's keys
-- ARGV    limit, window in microseconds, most types, most spans of a type; then for each type:
--         its name, its newest record (16 bytes), the instant of its oldest (8 bytes), how many
--         hours; and for each of these: the hour, its records in order of arrival
-- returns the limiter's four elements (lib/rate_limit.lua); 0 stored, 1 refused: a type too many,
--         2 refused: a span too many, 3 a type is being deleted; which type that is, from 0;
--         then for each chunk that was closed: its type, from 0, its hour, its number.
--
-- All or nothing: every key is looked at by a command of its type before the first write, as in
-- post. The caller bounds how many types, hours and records there are.
--#include rate_limit.lua
--#include spans.lua
--#include due.lua
--#include append.lua
local call = redis.call
local now = rate_now()
local rate = rate_read(KEYS[1], ARGV[1], ARGV[2], now)
local types_key, due_key = KEYS[2], KEYS[3]
local types_max, spans_max = tonumber(ARGV[3]), tonumber(ARGV[4])

local function reply(status, type)
  return {rate.admitted, rate.remaining, rate.next_us, rate.retry_us, status, type}
end

if rate.admitted == 0 then
  rate_refuse(rate)
  return reply(0, 0)
end

local types, at, new_types = {}, 5, 0
for k = 4, #KEYS, 2 do
  local index = (k - 4) / 2
  local type = {meta_key = KEYS[k], stem = KEYS[k + 1], name = ARGV[at], newest = ARGV[at + 1],
                oldest = ARGV[at + 2], hours = {}}
  local meta, opened, hours = call('GET', type.meta_key), 0, tonumber(ARGV[at + 3])
  if not meta then
    spans_check(type.stem)
    if not call('ZSCORE', types_key, type.name) then
      new_types = new_types + 1
      if call('ZCARD', types_key) + new_types > types_max then
        return reply(1, index)
      end
    end
  elseif meta == 'deleting' then
    return reply(3, index)
  elseif #meta ~= 48 or meta:byte(1) ~= 2 then
    return redis.error_reply('ERR meta of an unknown layout')
  end
  type.meta = meta
  for h = at + 4, at + 2 + 2 * hours, 2 do
    local hour, records = ARGV[h], ARGV[h + 1]
    local length, closed = append_look(type.stem, hour, #records)
    if tonumber(closed) == nil then
      return redis.error_reply(closed)
    end
    if length == 0 then
      if not append_may_open(type.stem, hour, opened, spans_max, due_key) then
        return reply(2, index)
      end
      opened = opened + 1
    end
    type.hours[#type.hours + 1] = {hour = hour, records = records, length = length, closed = closed}
  end
  types[#types + 1] = type
  at = at + 4 + 2 * hours
end

local answer = reply(0, 0)
for i, type in ipairs(types) do
  local count = 0
  for _, h in ipairs(type.hours) do
    local from, length, closed = 1, h.length, h.closed
    count = count + #h.records / 16
    repeat
      if length == 0 then
        append_open(type.stem, h.hour, type.name, due_key, now)
      end
      local to = math.min(#h.records, from - 1 + append_chunk_bytes - length)
      call('APPEND', type.stem .. 'raw:' .. h.hour, h.records:sub(from, to))
      length, from = length + to - from + 1, to + 1
      if length == append_chunk_bytes then
        append_close(type.stem, h.hour, closed, now)
        local n = #answer
        answer[n + 1], answer[n + 2], answer[n + 3] = i - 1, tonumber(h.hour), closed
        length, closed = 0, closed + 1
      end
    until from > #h.records
  end
  if not type.meta then
    call('ZADD', types_key, 0, type.name)
    call('HSET', type.stem .. 'chunks', 'layout', string.format('%.0f', now))
  end
  local low, high, value = struct.unpack('<I4i4d', type.newest)
  local first_low, first_high = struct.unpack('<I4i4', type.oldest)
  meta_write(type.meta_key, type.meta, count, low, high, value, first_low, first_high, now)
end
rate_spend(rate)
for i, value in ipairs({rate.admitted, rate.remaining, rate.next_us, rate.retry_us}) do
  answer[i] = value
end
return answer
