-- post_many: store a part of a batch (lib/part.lua) as one step.
--
-- All or nothing: every key is looked at by a command of its type before the first write, as in
-- post. The caller bounds how many groups and records there are.
-- Cost: about 5 us a group of one record; 80 us one of a thousand.
--#include rate_limit.lua
--#include append.lua
--#include meta.lua
--#include part.lua
local answer = part_begin()
if answer and not part_take_up() then
  return answer
end

-- What the groups before will do, where nothing is done before all were looked at.
local new_types, new_count, opened = {}, 0, {}

local function look_at_new_type(group)
  --#include spans.lua
  spans_check(group.stem)
  if not call('ZSCORE', types_key, part_name(group.tag)) then
    if (parts == 1 or not is_all) and call('ZCARD', types_key) + new_count >= types_max then
      return types_full
    end
    new_count = new_count + (is_all and 1 or 0)
  end
  new_types[group.tag] = is_all
  return stored
end

-- Why a group cannot be stored; else `stored`. Fails on keys of another type than ours.
local function look(group)
  local tag = group.tag
  group.meta = call('GET', group.meta_key)
  if not group.meta then
    local status = new_types[tag] and stored or look_at_new_type(group)
    if status ~= stored then
      return status
    end
  elseif not meta_is_ours(group.meta) then
    return group.meta == 'deleting' and deleting or foreign
  elseif #group.meta == meta_hot_bytes then
    --#include hot.lua
    group.meta = hot_cool(group.meta_key, group.meta, group.stem)
  end
  group.length, group.closed = append_look(group.stem, group.hour, #group.records)
  if tonumber(group.closed) == nil then
    return foreign
  end
  if group.length == 0 then
    if not append_may_open(group.stem, group.hour, opened[tag] or 0, spans_max, due_key) then
      return spans_full
    end
    opened[tag] = is_all and (opened[tag] or 0) + 1 or nil
  end
  return stored
end

-- The same of any group; nil: there is nothing to be done for it.
local function judge(group, index)
  if part_is_settled(index) or #group.records == 0 then
    return nil
  end
  local is_ours, status = pcall(look, group)
  return is_ours and status or foreign
end

local function append(group, index)
  local stem, hour, records, length, closed = group.stem, group.hour, group.records, group.length, group.closed
  local raw, from = stem .. 'raw:' .. hour, 1
  repeat
    if length == 0 then
      append_open(stem, hour, part_name(group.tag), due_key, now)
    end
    local to = math.min(#records, from - 1 + append_chunk_bytes - length)
    local is_whole = from == 1 and to == #records -- a copy would be hashed
    call('APPEND', raw, is_whole and records or records:sub(from, to))
    length, from = length + to - from + 1, to + 1
    if length == append_chunk_bytes then
      append_close(stem, hour, closed, now)
      part_note_closed(index, closed)
      length, closed = 0, closed + 1
    end
  until from > #records
end

local function store(group, index)
  local records, newest = group.records, group.newest
  append(group, index)
  local meta = is_all and call('GET', group.meta_key) or group.meta -- a group before may have moved it
  if not meta then
    part_add_type(group.stem, group.tag)
  end
  local first, last = newest and newest:sub(17) or records, newest and newest:sub(1, 16) or records
  call('SET', group.meta_key, meta_moved(meta, #records / 16, last, first, now))
end

local groups, at, index = {}, part_groups_at, 0
while at <= #ARGV do
  local hour, count = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  for _ = 1, count do
    local tag = ARGV[at]
    local group = {hour = hour, tag = tag, records = ARGV[at + 1], meta_key = meta_stem .. tag .. '}',
                   stem = type_stem .. tag .. '}:'}
    at = at + 2
    if #group.records > 16 then
      group.newest, at = ARGV[at], at + 1
    end
    local status = judge(group, index)
    if status == stored and is_all then
      groups[index + 1] = group
    elseif status == stored then
      store(group, index)
    elseif status and is_all then
      answer = part_reply(status)
      answer[7], answer[8], answer[9] = 1, index, status
      return answer
    elseif status then
      part_refuse(index, status)
    end
    index = index + 1
  end
end
for i, group in ipairs(groups) do
  store(group, i - 1)
end
return part_end()
