-- meta: what is known of a type (metrics/meta.h).
local meta_head, meta_bytes, meta_hot_bytes = 0x5402, 48, 56 -- version 2, 'T'

local function meta_is_ours(meta)
  return (#meta == meta_bytes or #meta == meta_hot_bytes) and meta:byte(1) == 2
end

-- `meta` (false: there is none yet) after `count` more samples, of which the newest and the oldest
-- are given, as records. Halves of timestamps: a Lua number would lose microseconds beyond the year
-- 2255.
local function meta_moved(meta, count, newest, oldest, now)
  if not meta then
    return struct.pack('<I8I8I8', meta_head, now, count) .. newest .. oldest:sub(1, 8)
  end
  local version, before, newest_low, newest_high, _, first_low, first_high =
    struct.unpack('<I8I8I4i4dI4i4', meta, 9)
  local low, high = struct.unpack('<I4i4', newest)
  local old_low, old_high = low, high
  if oldest ~= newest then
    old_low, old_high = struct.unpack('<I4i4', oldest)
  end
  if newest_high > high or newest_high == high and newest_low > low then
    newest = meta:sub(25, 40)
  end
  local is_first = first_high > old_high or first_high == old_high and first_low > old_low
  return struct.pack('<I8I8I8', meta_head, math.max(version + 1, now), before + count) .. newest
    .. (is_first and oldest:sub(1, 8) or meta:sub(41, 48))
end
