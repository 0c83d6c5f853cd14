-- post_series: post_many for a part (lib/part.lua) of one sample each of many types, each by
-- itself: what a scrape sends. No type is there twice.
--
-- Looks at a type once, not twice as post_many does: the metas are read and written together, and
-- the length that APPEND tells says what is left to do. What may not be there after all is taken
-- back; nobody sees it meanwhile.
-- Cost: about 3 us a group, with a near cache that is told of each.
--#include rate_limit.lua
--#include spans.lua
--#include due.lua
--#include append.lua
--#include part.lua
local answer = part_begin()
if answer then
  return answer
end

local function look_at_new_type(stem, tag)
  call('GET', meta_stem .. tag .. '}') -- MGET gives nothing for keys of another type
  spans_check(stem)
  return (call('ZCARD', types_key) < types_max or call('ZSCORE', types_key, part_name(tag)))
    and stored or types_full
end

local function look_at_opened(stem, tag, hour)
  if not append_may_open(stem, hour, 0, spans_max, due_key) then
    return spans_full
  end
  append_open(stem, hour, part_name(tag), due_key, now)
  return stored
end

local function look_at_full(stem, hour, index)
  local _, closed = append_look(stem, hour, 0)
  if tonumber(closed) == nil then
    return foreign
  end
  append_close(stem, hour, closed, now)
  part_note_closed(index, closed)
  return stored
end

local function try(look, ...)
  local is_ours, status = pcall(look, ...)
  return is_ours and status or foreign
end

local function take_back(raw, length)
  if length == 16 then
    call('DEL', raw)
  else
    call('SET', raw, call('GETRANGE', raw, 0, length - 17))
  end
end

-- Append to the hour's chunk; why not, else `stored`.
local function append(tag, hour, raw, record, index)
  local length = redis.pcall('APPEND', raw, record)
  if type(length) ~= 'number' then
    if length.err:find('WRONGTYPE', 1, true) then
      return foreign
    end
    error(length) -- the first write, and Redis takes none
  end
  local status = stored
  if length == 16 then
    status = try(look_at_opened, type_stem .. tag .. '}:', tag, hour)
  elseif length == append_chunk_bytes then
    status = try(look_at_full, type_stem .. tag .. '}:', hour, index)
  elseif length % 16 ~= 0 or length > append_chunk_bytes then
    status = foreign
  end
  if status ~= stored then
    take_back(raw, length)
  end
  return status
end

local index, moved = 0, {}

-- `count` groups of one hour, from ARGV[from] on.
local function store(hour, from, count)
  local metas, raw_tail = {}, '}:raw:' .. hour
  for i = 1, count do
    metas[i] = meta_stem .. ARGV[from + 2 * i - 2] .. '}'
  end
  metas = call('MGET', unpack(metas))
  for i = 1, count do
    local tag, record, meta, status = ARGV[from + 2 * i - 2], ARGV[from + 2 * i - 1], metas[i], stored
    if not meta then
      status = try(look_at_new_type, type_stem .. tag .. '}:', tag)
    elseif not meta_is_ours(meta) then
      status = meta == 'deleting' and deleting or foreign
    end
    if status == stored then
      status = append(tag, hour, type_stem .. tag .. raw_tail, record, index)
    end
    if status == stored then
      if not meta then
        part_add_type(type_stem .. tag .. '}:', tag)
      end
      local low, high, value = struct.unpack('<I4i4d', record)
      local n = #moved
      moved[n + 1] = meta_stem .. tag .. '}'
      moved[n + 2] = meta_moved(meta, 1, low, high, value, low, high, now)
    else
      part_refuse(index, status)
    end
    index = index + 1
  end
end

local at = part_groups_at
while at <= #ARGV do
  local count = tonumber(ARGV[at + 1])
  store(ARGV[at], at + 2, count)
  at = at + 2 + 2 * count
end
if #moved > 0 then
  call('MSET', unpack(moved))
end
return part_end()
