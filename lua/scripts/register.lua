#!lua flags=allow-oom
-- run: @RUN@
-- register: tells pods and relays of an event. A leader that is late cannot overwrite what a later one wrote.
-- KEYS: 1 registry
-- ARGV: 1 event key, 2 edition, 3 generation, 4 revision, 5 the entry as JSON
-- Replies, the first that applies:
--   stale        the entry that is there has a later (edition, generation, revision)
--   written
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there then
  local edition, generation, revision = string.match(there, '^(%d+) (%d+) (%d+) ')
  local stored = { tonumber(edition) or 0, tonumber(generation) or 0, tonumber(revision) or 0 }
  for i = 1, 3 do
    local wanted = tonumber(ARGV[i + 1])
    if wanted < stored[i] then return { 'stale' } end
    if wanted > stored[i] then break end
  end
end

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
return { 'written' }
