-- tend_expire: drop the samples of sealed chunks that have expired; their aggregates stay.
--
-- KEYS[1] stem of the type's keys
-- ARGV    how long samples are kept and how long aggregates are (us; 0: for ever); where to
--         begin: a span by its score ('+inf' first), and a chunk of it; most spans, most chunks
-- returns where to go on: score ('' at the end) and chunk; then three elements for each span
--         whose last chunks have no samples any more, and that can be made smaller: its name,
--         how many closed chunks it has, and 1 if those of them that were looked at have
--         expired altogether. From months to hours, as they arrived. A span of which as many
--         chunks as a page may have are not there, one after another, has no more.
-- Cost: 2.6 us a span, 1.4 us a chunk, 6 us for one whose samples are dropped.
--#include spans.lua
local call, stem = redis.call, KEYS[1]
local now, chunks_max = time_us(), tonumber(ARGV[6])
local left = chunks_max
local raw_before, all_before = now - ARGV[1], tonumber(ARGV[2]) > 0 and now - ARGV[2] or 0
local is_changed = false

-- Whether the chunk is without samples, and whether its aggregate has expired, too; nil: it is
-- not there.
local function freeze(name)
  local key = 'blk:' .. name
  local head = call('GETRANGE', stem .. key, 0, 95)
  if #head < 96 then
    if head == '' and call('EXISTS', stem .. 'raw:' .. name) == 0 then
      return nil, false
    end
    return false, false
  end
  local stamp, length = struct.unpack('<I8', head), 96 + struct.unpack('<I2', head, 11)
  if stamp > raw_before then
    return false, false
  end
  if call('STRLEN', stem .. key) > length then
    local rest = call('GETRANGE', stem .. key, 0, length - 1)
    spans_put(stem, key, nil) -- first: a full Redis takes a write that frees memory
    spans_put(stem, key, rest)
    is_changed = true
  end
  return true, stamp <= all_before
end

spans_check(stem)
local names = call('ZREVRANGEBYSCORE', stem .. 'spans', ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[5])
local reply = {'', 0}
if #names == 2 * tonumber(ARGV[5]) then
  reply[1] = '(' .. names[#names]
end
for i = 1, #names, 2 do
  local count = spans_count(stem, names[i]) or 0
  local from = names[i + 1] == ARGV[3] and tonumber(ARGV[4]) or 0
  local to = math.max(math.min(count, from + left), from)
  local frozen, expired, missing = 0, 0, 0
  for n = from, to - 1 do
    local is_frozen, is_expired = freeze(names[i] .. ':' .. n)
    missing = is_frozen == nil and missing + 1 or 0
    frozen, expired = frozen + (is_frozen and 1 or 0), expired + (is_expired and 1 or 0)
  end
  left = left - (to - from)
  if to < count and missing < chunks_max then
    reply[1], reply[2] = names[i + 1], to
    break
  end
  local seen = to - from
  if seen > 0 and frozen == seen and (count > 1 or expired == seen) then
    local at = #reply
    reply[at + 1], reply[at + 2], reply[at + 3] = names[i], count, expired == seen and 1 or 0
  end
end
if is_changed then
  spans_moved(stem, now)
end
return reply
