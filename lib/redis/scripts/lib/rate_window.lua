-- rate_window: what a limiter's value (rate_limit.lua) says of the window up to now. Each returns how
-- many admissions count, and notes in `rate` what is to be written.
local function rate_read_log(rate, now, from)
  local unpack = struct.unpack
  local log = redis.call('GETRANGE', rate.key, 0, 8 * RATE_LOG_MAX) -- one byte too many
  if #log % 8 ~= 0 then
    log = ''
  end
  local size, gone, future = #log / 8, 0, 0
  while future < size and unpack('<I8', log, #log - 8 * future - 7) > now do
    future = future + 1
  end
  if future > 0 then
    log = log:sub(1, #log - 8 * future) .. struct.pack('<I8', now):rep(future)
  end
  while gone < size and unpack('<I8', log, 8 * gone + 1) <= from do
    gone = gone + 1
  end
  local live = size - gone
  if live > 0 then
    local leaving = gone + math.max(live - rate.limit, 0)
    rate.next_us = unpack('<I8', log, 8 * leaving + 1) - from
  end
  rate.is_clamped, rate.is_set = future > 0, future > 0 or gone > 0 or size == 0
  rate.bytes = log:sub(8 * gone + 1)
  rate.entry, rate.entry_at, rate.first_at = struct.pack('<I8', now), #rate.bytes, 0
  return live
end

local function rate_read_cells(rate, now, from)
  local unpack, pack = struct.unpack, struct.pack
  rate.key = rate.key .. ':cells'
  local cells = redis.call('GETRANGE', rate.key, 0, 8 + 16 * RATE_CELLS_MAX)
  if #cells % 16 ~= 8 then
    cells = pack('<I8', 0)
  end
  local base, first, last = unpack('<I8', cells), 9, #cells - 15
  rate.is_set = last < first
  while first <= last and unpack('<I8', cells, first) <= from do
    base, first, rate.is_set = unpack('<I8', cells, first + 8), first + 16, true
  end

  local total, is_same_cell = base, false
  if first <= last then
    local size = math.ceil(rate.window / RATE_CELLS)
    local cell, newest = math.floor(now / size), nil
    newest, total = unpack('<I8I8', cells, last)
    is_same_cell = math.floor(newest / size) >= cell
    if newest > now then
      rate.is_clamped, rate.is_set = true, true
      while last >= first and math.floor(unpack('<I8', cells, last) / size) >= cell do
        last = last - 16
      end
      cells = cells:sub(1, last + 15) .. pack('<I8I8', now, total)
    end
    local leaving, excess = first, math.max(total - base - rate.limit, 0)
    while unpack('<I8', cells, leaving + 8) - base <= excess do
      leaving = leaving + 16
    end
    rate.next_us = unpack('<I8', cells, leaving) - from
  end
  rate.bytes = rate.is_set and pack('<I8', base) .. cells:sub(first) or cells
  rate.first_at = 8
  rate.entry, rate.entry_at = pack('<I8I8', now, total + 1), #rate.bytes - (is_same_cell and 16 or 0)
  return total - base
end
