-- scan: what is closed and what is open of one type within some hours, at one instant.
--
-- KEYS[1] stem of the type's keys
-- ARGV    first hour, last hour; first and last of those that lie wholly in the window;
--         highest level of rollups wanted (0: none); direction (1 or -1); whether this is
--         the walk's first page (1 or 0); which chunk it begins with (-1: its first hour's first);
--         whether histograms are wanted (1 or 0); most pieces; most bytes of open chunks
-- returns layout; where the next page begins: hour ('': this was the last), chunk (-1: its first,
--         else four times the chunk's number and the level of its span); then four elements a
--         piece: kind, name of the span, number, bytes.
--
-- Forward, pieces come in order of time, a span's own chunks before those of the spans below
-- it, which arrived later, and open chunks last: so samples of one instant come in order of
-- arrival. Backward, open chunks come first, then pieces against the order of time, but again
-- a span's own chunks before those below it: what is left when a page ends is of earlier hours.
-- Kinds: "b" the base, what is left of all that was before, told in any window before all that
-- is closed; "c" head of a sealed chunk (empty where nothing is left of it), "r" a closed chunk
-- that is not sealed yet, "a" a rollup, "<" (with the stamp) and ">" around a span whose rollup
-- is missing, "o" an open chunk (empty where it is lost). A page ends between two spans or two
-- chunks of a span. An open chunk may close between two pages: forward, the page that completes
-- an hour holds it, backward, the one that enters the hour. No rollups backward.
--
-- What others wrote under our names does not make a page longer: spans are read a few at a time
-- and counted, an index that counts more chunks than are there is believed for missing_max of
-- them in a row. Where no number says how many there are, one is told as lost: "c" without bytes.
-- Of an open chunk no more than one byte too many is told.
-- Cost: about 4 us a piece, as much for each of as many spans that have none, and the copying.
--#include spans.lua
--#include open.lua
local call, stem = redis.call, KEYS[1]
local first, last = tonumber(ARGV[1]), tonumber(ARGV[2])
local inside_first, inside_last = tonumber(ARGV[3]), tonumber(ARGV[4])
local rollups, forward, is_start = tonumber(ARGV[5]), ARGV[6] == '1', ARGV[7] == '1'
local from_chunk, has_histograms = tonumber(ARGV[8]), ARGV[9] == '1'
local pieces_max, open_max = tonumber(ARGV[10]), tonumber(ARGV[11])
local missing_max, spans_at_once, raw_max = 16, 64, 65536

local step = forward and 1 or -1
local range = forward and 'ZRANGEBYSCORE' or 'ZREVRANGEBYSCORE'
local from_level = from_chunk >= 0 and from_chunk % 4 or 0
local closed, visited, next_hour, next_chunk = {}, 0, '', -1

local function emit(pieces, kind, name, number, bytes)
  local at = #pieces
  pieces[at + 1], pieces[at + 2], pieces[at + 3], pieces[at + 4] = kind, name, number, bytes
end

-- A span has a piece of its own, or one below it has.
local function is_full()
  return #closed >= 4 * pieces_max or visited >= 4 * pieces_max
end

-- Stamp and aggregate.
local function head_of(key)
  if not has_histograms then
    return call('GETRANGE', key, 0, 95)
  end
  local head = call('GETRANGE', key, 0, 511)
  if #head < 96 then
    return head
  end
  local length = 96 + struct.unpack('<I2', head, 11)
  if length <= #head then
    return head:sub(1, length)
  end
  return call('GETRANGE', key, 0, length - 1)
end

-- The hours whose open chunks fit into the page: it goes no further.
local open_last = last
if not forward and from_level == 1 then
  open_last = last - 1 -- that of the hour was told before
end
local low_score, high_score = first, '(' .. span_name(1, open_last + 1)
local found = call(range, stem .. 'open', forward and low_score or high_score,
  forward and high_score or low_score, 'WITHSCORES', 'LIMIT', 0, pieces_max)
local open = {}
for i = 2, #found, 2 do
  local hour = math.floor(found[i])
  if hour ~= open[#open] then
    open[#open + 1] = hour
  end
end
local open_bytes, open_count = 0, 0
local stop
for i, hour in ipairs(open) do
  open_bytes = open_bytes + call('STRLEN', open_key(stem, span_name(1, hour)))
  if i > 1 and open_bytes > open_max then
    stop = hour
    break
  end
  open_count = i
end
if not stop and #found == 2 * pieces_max then
  stop = open[open_count]
  if open_count > 1 then
    open_count = open_count - 1
  else
    stop = stop + step
  end
end
if stop and forward then
  last, inside_last = stop - 1, math.min(inside_last, stop - 1)
elseif stop then
  first, inside_first = stop + 1, math.max(inside_first, stop + 1)
end

-- A span's own chunks belong to the page in which the walk enters it. Where that begins within
-- a span, what is above it was entered before, and what is below it was not.
local function owns(level, low, high)
  if is_start or level < from_level then
    return true
  elseif forward then
    return low > first or low == first and from_level == 0
  end
  return high < last or high == last and from_level == 0
end

-- False: the page is full.
local function emit_own(level, name, low_hour, high_hour, from)
  local count = spans_count(stem, name)
  if not count then
    emit(closed, 'c', name, 0, '')
    return true
  end
  local low, high, missing = from or 0, count - 1, 0
  if not forward then
    low, high = from or count - 1, 0
  end
  for n = low, high, step do
    if missing == missing_max then
      return true
    elseif n ~= low and missing == 0 and is_full() then
      next_hour = span_name(1, forward and math.max(low_hour, first) or math.min(high_hour, last))
      next_chunk = 4 * n + level
      return false
    end
    local head = head_of(stem .. 'blk:' .. name .. ':' .. n)
    missing = head == '' and missing + 1 or 0
    if head == '' and call('EXISTS', stem .. 'raw:' .. name .. ':' .. n) == 1 then
      missing = 0
      emit(closed, 'r', name, n, '')
    else
      emit(closed, 'c', name, n, head)
    end
  end
  return true
end

-- True when a rollup was told. One that is missing is announced; its end follows.
local function try_rollup(level, name, low, high)
  if level > rollups or low < inside_first or high > inside_last then
    return false
  end
  local rollup = head_of(stem .. 'agg:' .. name)
  if #rollup > 8 then
    emit(closed, 'a', name, 0, rollup)
    return true
  end
  if level > 1 or rollup ~= '' then
    emit(closed, '<', name, 0, rollup)
  end
  return false
end

local visit

-- The spans right below one. False: the page is full.
local function visit_below(level, low, high)
  local base, hours = level * 4294967296, span_hours[level]
  local at, to = math.floor(math.max(low, first) / hours), math.floor(math.min(high, last) / hours)
  if not forward then
    at, to = to, at
  end
  repeat
    local spans = call(range, stem .. 'spans', base + at, base + to, 'WITHSCORES', 'LIMIT', 0,
      spans_at_once)
    for i = 2, #spans, 2 do
      local number = math.floor(spans[i] - base)
      if (number - at) * step >= 0 then
        if not visit(level, number, low, high) then
          return false
        end
        at = number + step
      end
    end
  until #spans < 2 * spans_at_once
  return true
end

local function visit_forward(level, name, low, high, from)
  if from or owns(level, low, high) then
    if not from and try_rollup(level, name, low, high) then
      return true
    end
    if not emit_own(level, name, low, high, from) then
      return false
    end
  end
  if level > 1 and not visit_below(level - 1, low, high) then
    return false
  end
  if level <= rollups and low >= inside_first and high <= inside_last then
    emit(closed, '>', name, 0, '')
  end
  return true
end

local function visit_backward(level, name, low, high, from)
  if (from or owns(level, low, high)) and not emit_own(level, name, low, high, from) then
    return false
  end
  return level == 1 or visit_below(level - 1, low, high)
end

-- The page may end before a span, but not where the span above it, or the page, has just begun:
-- the next one could not tell what of them was told.
local function may_end_before(low, high, low_above, high_above)
  if forward then
    return low > first and low > low_above
  end
  return high < last and high < high_above
end

function visit(level, number, low_above, high_above)
  local name, from = span_name(level, number), nil
  local low = number * span_hours[level]
  local high = low + span_hours[level] - 1
  if is_full() and may_end_before(low, high, low_above, high_above) then
    next_hour = span_name(1, forward and low or high)
    return false
  end
  visited = visited + 1
  if level == from_level and number == math.floor((forward and first or last) / span_hours[level]) then
    from = math.floor(from_chunk / 4)
  end
  return (forward and visit_forward or visit_backward)(level, name, low, high, from)
end

if is_start then
  local base = head_of(stem .. 'blk:base')
  if base ~= '' then
    emit(closed, 'b', '0', 0, base)
  end
end
if visit_below(3, first, last) and stop then
  next_hour = span_name(1, stop)
end

local border, opened = tonumber(next_hour), {}
if border and not forward and next_chunk >= 0 and next_chunk % 4 == 1 then
  border = border - 1
end
for i = 1, open_count do
  local hour, name = open[i], span_name(1, open[i])
  if border and (forward and hour >= border or not forward and hour <= border) then
    break
  end
  emit(opened, 'o', name, spans_count(stem, name) or 0,
    call('GETRANGE', open_key(stem, name), 0, raw_max))
end

local reply = {call('HGET', stem .. 'chunks', 'layout') or '0', next_hour, next_chunk}
local before, after = closed, opened
if not forward then
  before, after = opened, closed
end
for i = 1, #before do
  reply[3 + i] = before[i]
end
for i = 1, #after do
  reply[3 + #before + i] = after[i]
end
return reply
