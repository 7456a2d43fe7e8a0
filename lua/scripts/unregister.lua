#!lua flags=allow-oom
-- run: @RUN@
-- unregister: forgets an event whose sale is over, unless a later edition has taken its name.
-- KEYS: 1 registry
-- ARGV: 1 event key, 2 edition
-- Replies, the first that applies:
--   absent       nothing is registered under this name
--   stale        a later edition is
--   removed
local there = redis.call('HGET', KEYS[1], ARGV[1])
if not there then return { 'absent' } end
if (tonumber(string.match(there, '^(%d+) ')) or 0) > tonumber(ARGV[2]) then return { 'stale' } end
redis.call('HDEL', KEYS[1], ARGV[1])
return { 'removed' }
