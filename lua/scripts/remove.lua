#!lua flags=allow-oom
-- run: @RUN@
-- remove: deletes the keys of one bucket when its event is settled.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation
-- Replies, the first that applies:
--   absent       nothing is there
--   refused      the stock has a later generation
--   removed
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) == 0 then return { 'absent' } end
local stored = tonumber(redis.call('HGET', KEYS[1], 'generation')) or 0
if stored > tonumber(ARGV[1]) then return { 'refused' } end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
return { 'removed' }
