-- tend_target: where samples that are gathered into a span will lie.
--
-- KEYS[1] stem of the type's keys
-- ARGV    name of the span
-- returns layout, how many closed chunks the span has (-1: what says so is no such number), the
--         last of them, no more than a chunk can have (empty for none), and now (us).
-- Cost: 4 us, and the copying.
--#include spans.lua
local call, stem, bytes_max = redis.call, KEYS[1], 131072
local count = spans_count(stem, ARGV[1]) or -1
return {call('HGET', stem .. 'chunks', 'layout') or '0', count,
  call('GETRANGE', stem .. 'blk:' .. ARGV[1] .. ':' .. (count - 1), 0, bytes_max), time_us()}
