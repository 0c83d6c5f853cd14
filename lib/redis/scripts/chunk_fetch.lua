-- chunk_fetch: whole chunks, sealed, closed or open, if none was moved since they were seen.
--
-- KEYS[1] stem of the type's keys
-- ARGV    layout as it was seen; then for each chunk (at most 16) its span and number
-- returns 1 (0: chunks were moved since, nothing follows), then two elements a chunk: "c" for
--         a sealed one and "r" for records, and its bytes; empty for one that is not there,
--         no more than a chunk can have.
-- Cost: 4 us for each 64 KiB.
--#include open.lua
local call, stem, bytes_max = redis.call, KEYS[1], 131072
local function get(key)
  return call('GETRANGE', key, 0, bytes_max)
end

if (call('HGET', stem .. 'chunks', 'layout') or '0') ~= ARGV[1] then
  return {0}
end
local reply = {1}
for i = 2, #ARGV, 2 do
  local name = ARGV[i] .. ':' .. ARGV[i + 1]
  local form, bytes = 'c', get(stem .. 'blk:' .. name)
  if bytes == '' then
    form, bytes = 'r', get(stem .. 'raw:' .. name)
  end
  if bytes == '' and ARGV[i + 1] == (call('HGET', stem .. 'chunks', ARGV[i]) or '0') then
    bytes = get(open_key(stem, ARGV[i]))
  end
  reply[#reply + 1], reply[#reply + 2] = form, bytes
end
return reply
