-- open: where the open chunk of an hour lies, hot (lib/hot.lua) or not.
local function open_key(stem, hour)
  local raw = stem .. 'raw:' .. hour
  return redis.call('EXISTS', raw) == 1 and raw or stem .. 'hot:' .. hour
end
