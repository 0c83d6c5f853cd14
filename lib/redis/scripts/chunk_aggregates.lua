-- chunk_aggregates: the aggregates of some closed chunks of a bucket.
--
-- KEYS[1] stem of the type's keys
-- ARGV    bucket, number of the first chunk, how many (at most 256)
-- returns so many strings; nil for an aggregate that is not there.
-- Cost: about 0.5 us a chunk.
local keys, stem, first = {}, KEYS[1] .. 'agg:' .. ARGV[1] .. ':', tonumber(ARGV[2])
for i = 1, tonumber(ARGV[3]) do
  keys[i] = stem .. (first + i - 1)
end
return redis.call('MGET', unpack(keys))
