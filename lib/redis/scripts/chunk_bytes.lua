-- chunk_bytes: ranges of a bucket's raw bytes, each within one chunk, closed or open.
--
-- KEYS[1] stem of the type's keys
-- ARGV    bucket, then for each range (at most 16): chunk, first byte, last byte
-- returns the ranges as strings. Bytes once written never change, so this need not be the
-- instant at which their number was read; only an open chunk may have been closed since.
-- Cost: 4 us for each whole chunk.
local call, raw, bytes = redis.call, KEYS[1] .. 'raw:' .. ARGV[1], {}
local closed = tonumber(call('HGET', KEYS[1] .. 'chunks', ARGV[1]) or 0)
for i = 2, #ARGV, 3 do
  local key = raw
  if tonumber(ARGV[i]) < closed then
    key = raw .. ':' .. ARGV[i]
  end
  bytes[#bytes + 1] = call('GETRANGE', key, ARGV[i + 1], ARGV[i + 2])
end
return bytes
