-- post_series: post_many for a part (lib/part.lua) of one sample each of many types, each by
-- itself: what a scrape sends. No type is there twice.
--
-- Each type gets a hot chunk for the hour (lib/hot.lua). Where it has one, the length that APPEND
-- tells says that this was all; what else it says is looked at. Of late hours there are none.
-- Cost: about 1 us a group, 8 where a chunk is opened.
--#include rate_limit.lua
--#include append.lua
--#include meta.lua
--#include hot.lua
--#include part.lua
local answer = part_begin()
if answer then
  return answer
end

local function look_at_new_type(stem, tag)
  --#include spans.lua
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

local function look_at_type(stem, tag, meta)
  if not meta then
    return try(look_at_new_type, stem, tag)
  end
  return meta_is_ours(meta) and stored or meta == 'deleting' and deleting or foreign
end

-- Whether the chunk may have the record with which it has this length; why not, else `stored`.
local function look_at_chunk(stem, tag, hour, length, index)
  if length == 16 then
    return try(look_at_opened, stem, tag, hour)
  elseif length == append_chunk_bytes then
    return try(look_at_full, stem, hour, index)
  end
  return length % 16 == 0 and length < append_chunk_bytes and stored or foreign
end

local function take_back(key, length)
  if length == 16 then
    call('DEL', key)
  else
    call('SET', key, call('GETRANGE', key, 0, length - 17))
  end
end

-- What APPEND replied; nil: what lies there is none of our chunks.
local function length_of(reply)
  if type(reply) == 'number' then
    return reply
  elseif not reply.err:find('WRONGTYPE', 1, true) then
    error(reply) -- the first write, and Redis takes none
  end
end

-- Store a sample that is not in a hot chunk, and make its chunk one unless that of a later hour is.
-- Why it is not stored, else `stored`.
local function store_cold(stem, tag, meta, hour, record, index)
  local key, raw, status = meta_stem .. tag .. '}', stem .. 'raw:' .. hour, look_at_type(stem, tag, meta)
  if status ~= stored then
    return status
  end
  local place = ''
  if meta and (untold_place(meta) or -math.huge) > tonumber(hour) then
    place = meta:sub(meta_bytes + 1)
  elseif meta then
    meta = hot_cool(key, meta, stem)
  end
  local length = length_of(redis.pcall('APPEND', raw, record))
  status = length and look_at_chunk(stem, tag, hour, length, index) or foreign
  if status ~= stored then
    if length then
      take_back(raw, length)
    end
    return status
  elseif not meta then
    part_add_type(stem, tag)
  end
  if place == '' and length < append_chunk_bytes then
    call('RENAME', raw, stem .. 'hot:' .. hour)
    place = hot_place(hour, length)
  end
  call('SET', key, meta_moved(meta, 1, record, record, now) .. place)
  return stored
end

-- After a sample was appended to what may be a hot chunk, where there is more to be done. Why the
-- sample is not stored, else `stored`.
local function store_hot(stem, tag, hour, record, reply, index)
  local key, hot, length = meta_stem .. tag .. '}', stem .. 'hot:' .. hour, length_of(reply)
  local meta = redis.pcall('GET', key)
  if type(meta) == 'table' then
    meta = '' -- a key of another type
  end
  if length and length > 16 and length % 16 == 0 and length < append_chunk_bytes and meta and meta_is_ours(meta)
      and untold_place(meta) == tonumber(hour) then
    call('SET', key, hot_told(meta, stem) .. hot_place(hour, length))
    return stored
  elseif length then
    take_back(hot, length)
  end
  return store_cold(stem, tag, meta, hour, record, index)
end

local index, is_silent = 0, false

-- `count` groups of one hour, from ARGV[at] on.
local function store(hour, at, count)
  local argv, hot_tail, append_hot = ARGV, '}:hot:' .. hour, redis.pcall
  for i = 1, count do
    local tag, record = argv[at], argv[at + 1]
    local reply = append_hot('APPEND', type_stem .. tag .. hot_tail, record)
    local length = tonumber(reply)
    -- They are told in turn, according to their places.
    if length and length > 16 and length < append_chunk_bytes and length % 16 == 0
        and (length + 16 * i) % hot_untold_max ~= 0 then
      is_silent = true
    else
      local status = store_hot(type_stem .. tag .. '}:', tag, hour, record, reply, index)
      if status ~= stored then
        part_refuse(index, status)
      end
    end
    index, at = index + 1, at + 2
  end
end

local at = part_groups_at
while at <= #ARGV do
  local count = tonumber(ARGV[at + 1])
  store(ARGV[at], at + 2, count)
  at = at + 2 + 2 * count
end
if is_silent then
  call('SET', ARGV[5] .. 'meta:all', '')
end
return part_end()
