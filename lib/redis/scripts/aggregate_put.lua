-- aggregate_put: keep an aggregate, if the bytes that it was made from are still there.
--
-- KEYS[1] stem of the type's keys
-- ARGV    bucket, chunk ('' for the bucket's own), packed aggregate, last record it covers
-- returns 1 if kept; 0 if that record is not where it was: everything was deleted since.
-- Cost: about 4 us.
local call, stem, bucket, chunk = redis.call, KEYS[1], ARGV[1], ARGV[2]
local covered = struct.unpack('<I8', ARGV[3], 9)
local raw, name = stem .. 'raw:' .. bucket, stem .. 'agg:' .. bucket
if chunk ~= '' then
  raw, name = raw .. ':' .. chunk, name .. ':' .. chunk
else
  local number = math.floor((covered - 16) / 65536)
  covered = covered - number * 65536
  if number < tonumber(call('HGET', stem .. 'chunks', bucket) or 0) then
    raw = raw .. ':' .. number
  end
end
if call('GETRANGE', raw, covered - 16, covered - 1) ~= ARGV[4] then
  return 0
end
call('SET', name, ARGV[3])
return 1
