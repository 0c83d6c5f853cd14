-- bucket_page: some buckets of one type and what may still change of each, at one instant.
--
-- KEYS[1] stem of the type's keys
-- ARGV    order ('since': upwards; 'newest': downwards), first bucket, most buckets, most bytes
-- returns five elements a bucket: number, its bytes in all, its aggregate ('' for none, and
--         in 'newest'), where in the bucket the bytes that follow begin, the bytes.
--
-- The bytes are those of the open chunk that the aggregate does not cover. In 'since' they
-- are left out where all together would be too many: bytes once written stay, so they can
-- be read afterwards. In 'newest' the page ends where its buckets hold so many bytes.
-- Cost: about 2 us a bucket, and the copying.
local call, stem, order = redis.call, KEYS[1], ARGV[1]
local buckets_max, bytes_max = tonumber(ARGV[3]), tonumber(ARGV[4])
local numbers
if order == 'since' then
  numbers = call('ZRANGEBYSCORE', stem .. 'buckets', ARGV[2], '+inf', 'LIMIT', 0, buckets_max)
else
  numbers = call('ZREVRANGEBYSCORE', stem .. 'buckets', ARGV[2], '-inf', 'LIMIT', 0, buckets_max)
end

local page, bytes = {}, 0
for _, bucket in ipairs(numbers) do
  local raw, aggregate, skip = stem .. 'raw:' .. bucket, '', 0
  local before = (call('HGET', stem .. 'chunks', bucket) or 0) * 65536
  local length = call('STRLEN', raw)
  if order == 'since' then
    aggregate = call('GET', stem .. 'agg:' .. bucket) or ''
    if #aggregate >= 16 then
      skip = math.max(struct.unpack('<I8', aggregate, 9) - before, 0)
      if skip % 16 ~= 0 or skip > length then
        skip = 0
      end
    end
  end
  local tail = ''
  if order == 'newest' or bytes + length - skip <= bytes_max then
    tail = call('GETRANGE', raw, skip, -1)
  end
  local at = #page
  page[at + 1], page[at + 2], page[at + 3] = bucket, before + length, aggregate
  page[at + 4], page[at + 5] = before + skip, tail
  if order == 'since' then
    bytes = bytes + #tail
  else
    bytes = bytes + before + length
    if bytes >= bytes_max then
      break
    end
  end
end
return page
