-- part: what post_many and post_series share: one part of a batch, whose first part decides
-- whether it is admitted.
--
-- KEYS[1] rate limiter's log, KEYS[2] types, KEYS[3] due, KEYS[4] mark of the request ('': none,
--         where the batch is one part and its request has no key)
-- ARGV    limit, window in microseconds, most types, most spans of a type; what stands before
--         `meta:{…}` and `m:{…}`; 1: all of this part or nothing, 0: each group by itself; number
--         of this part, from 0, and of all; how many types may be new in all of it; fingerprint
--         of the request (16 bytes), its arrival (8 bytes), life of the mark in ms. Then the
--         groups, in stretches of one hour: the hour, how many groups; for each group its type as
--         in a key's tag, its records in order of arrival ('': they are
--         stored); where these are several the newest of
--         them, then the instant of the oldest (16 + 8 bytes).
-- returns the limiter's four elements (lib/rate_limit.lua); what became of the part, one of those
--         below; the arrival of the first request of this key; how many groups were refused; for
--         each of these its number in this part, from 0, and why; then for each chunk that was
--         closed: its group, its number.
--
-- A mark (metrics/request_mark.h) says which parts are stored, so that a request that is sent
-- again stores what is missing, once, and is not counted again; and what was refused, so that it is
-- told the same. Without the mark of part 0 nobody stores another one. A part may be taken up again
-- for groups whose types were being deleted.
local stored, types_full, spans_full, deleting, foreign = 0, 1, 2, 3, 4
local stored_before, not_admitted, key_reused, under_way, must_count = 5, 6, 7, 8, 9
local part_mark_head, part_groups_at, part_groups_max = 25, 13, 256
local part_missing, part_whole, part_with_gaps = 48, 49, 50 -- a part's byte in a mark

local call = redis.call
local now = rate_now()
local types_key, due_key, mark_key = KEYS[2], KEYS[3], KEYS[4]
local types_max, spans_max = tonumber(ARGV[3]), tonumber(ARGV[4])
local meta_stem, type_stem = ARGV[5] .. 'meta:{', ARGV[5] .. 'm:{'
local is_all, part, parts = ARGV[6] == '1', tonumber(ARGV[7]), tonumber(ARGV[8])
local fingerprint, arrival = ARGV[10], ARGV[11]
local rate = {admitted = 1, remaining = 0, next_us = 0, retry_us = 0}
local refused, closed_chunks = {}, {}

-- Where the mark has the status of the part's first group, from 0; these, up to the last one that
-- was refused, of a part that was stored before.
local part_gaps_at = part_mark_head + parts + part * part_groups_max
local gaps, is_taken_up = {}, false

local function part_reply(status)
  return {rate.admitted, rate.remaining, rate.next_us, rate.retry_us, status, arrival, 0}
end

-- Of a part that was stored before: what was refused of it then.
local function part_repeat(mark)
  local answer = part_reply(stored_before)
  if mark:byte(part_mark_head + 1 + part) == part_with_gaps then
    gaps = {mark:byte(part_gaps_at + 1, part_gaps_at + part_groups_max)}
    for index, status in ipairs(gaps) do
      if status ~= stored then
        answer[7] = answer[7] + 1
        answer[#answer + 1], answer[#answer + 2] = index - 1, status
      end
    end
  end
  return answer
end

-- The answer, if there is nothing to be stored.
local function part_begin()
  local mark = mark_key ~= '' and call('GET', mark_key)
  if part == 0 and not mark then
    rate = rate_read(KEYS[1], ARGV[1], ARGV[2], now)
    if rate.admitted == 0 then
      rate_refuse(rate)
      return part_reply(not_admitted)
    elseif is_all and parts > 1 and call('ZCARD', types_key) + ARGV[9] > types_max then
      return part_reply(must_count)
    end
  elseif not mark then
    return mark_key ~= '' and part_reply(not_admitted)
  elseif mark:sub(1, part_mark_head - 8) ~= '1' .. fingerprint then
    return part_reply(key_reused)
  else
    local first_arrival = mark:sub(part_mark_head - 7, part_mark_head)
    local is_there = mark:byte(part_mark_head + 1 + part)
    if is_there == part_whole or is_there == part_with_gaps then
      arrival = first_arrival
      return part_repeat(mark)
    end
    return first_arrival ~= arrival and part_reply(under_way)
  end
end

-- Of a part that was stored before: whether there are groups to be tried once more.
local function part_take_up()
  for _, status in ipairs(gaps) do
    is_taken_up = is_taken_up or status == deleting
  end
  return is_taken_up
end

-- Why a group, from 0, is not stored.
local function part_refuse(index, status)
  local n = #refused
  refused[n + 1], refused[n + 2] = index, status
end

-- Whether a part that was taken up has said what became of this group.
local function part_is_settled(index)
  local status = is_taken_up and (gaps[index + 1] or stored)
  if status and status ~= stored and status ~= deleting then
    part_refuse(index, status)
  end
  return status and status ~= deleting
end

-- A group's open chunk was full and is now the hour's chunk `number`.
local function part_note_closed(index, number)
  local n = #closed_chunks
  closed_chunks[n + 1], closed_chunks[n + 2] = index, number
end

-- In the mark: a byte for each group of the part, up to the last one that was refused, at any time.
local function part_note_gaps()
  local statuses = {}
  for i = 1, #refused, 2 do
    while #statuses < refused[i] do
      statuses[#statuses + 1] = string.char(stored)
    end
    statuses[#statuses + 1] = string.char(refused[i + 1])
  end
  while #statuses < #gaps do
    statuses[#statuses + 1] = string.char(stored)
  end
  call('SETRANGE', mark_key, part_gaps_at, table.concat(statuses))
end

local function part_note_stored()
  local byte = string.char(#refused > 0 and part_with_gaps or part_whole)
  if part == 0 and not is_taken_up then
    local others = string.rep(string.char(part_missing), parts - 1)
    call('SET', mark_key, '1' .. fingerprint .. arrival .. byte .. others, 'PX', ARGV[12])
  else
    call('SETRANGE', mark_key, part_mark_head + part, byte)
  end
  if #refused > 0 then
    part_note_gaps()
  end
end

local function part_end()
  if part == 0 and not is_taken_up then
    rate_spend(rate)
  end
  if mark_key ~= '' then
    part_note_stored()
  end
  local answer = part_reply(stored)
  answer[7] = #refused / 2
  for _, list in ipairs({refused, closed_chunks}) do
    for _, value in ipairs(list) do
      answer[#answer + 1] = value
    end
  end
  return answer
end

-- The name of a type as it stands in a key's tag.
local function part_name(tag)
  return (tag:gsub('%%(%x%x)', function(digits) return string.char(tonumber(digits, 16)) end))
end

local function part_add_type(stem, tag)
  call('ZADD', types_key, 0, part_name(tag))
  call('HSET', stem .. 'chunks', 'layout', string.format('%.0f', now))
end
