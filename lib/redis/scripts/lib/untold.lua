-- untold: what the hot chunk of a type (hot.lua) holds that its meta does not tell.

-- The hour of that chunk, and of how many of its bytes `meta` tells; nil: there is none.
local function untold_place(meta)
  if #meta == 56 then
    return struct.unpack('<i4I4', meta, 49)
  end
end

-- Records: '' for none, which foreign data are, too.
local function untold_records(meta, stem)
  local hour, told = untold_place(meta)
  local records = hour and redis.pcall('GETRANGE', stem .. 'hot:' .. hour, told, told + 65535)
  return type(records) == 'string' and #records % 16 == 0 and records or ''
end

-- All that is known of a type: its meta, and the records that this does not tell.
local function untold_read(key, stem)
  local meta = redis.call('GET', key)
  return meta and meta .. untold_records(meta, stem)
end
