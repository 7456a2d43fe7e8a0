#!lua flags=allow-oom
-- run: @RUN@
-- rebuildBegin: takes the stock out of service under a fresh generation. What is missing or of a wrong type is created
-- anew; what survived of the journal stays, so that the relay can drain it.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation
-- Replies, the first that applies:
--   refused      the stock has this generation or a later one
--   begun        every other script but the rebuild's now answers not-ready
local TYPES = { 'hash', 'hash', 'hash', 'stream' }
local types = { redis.call('TYPE', KEYS[1]).ok, redis.call('TYPE', KEYS[2]).ok, redis.call('TYPE', KEYS[3]).ok,
  redis.call('TYPE', KEYS[4]).ok }
if types[1] == 'hash' then
  local stored = tonumber(redis.call('HGET', KEYS[1], 'generation')) or 0
  if stored >= tonumber(ARGV[1]) then return { 'refused' } end
end

for i = 1, 4 do if types[i] ~= TYPES[i] then redis.call('DEL', KEYS[i]) end end
local grouped = false
if types[4] == 'stream' then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[4])) do grouped = grouped or group[2] == 'relay' end
end
if not grouped then redis.call('XGROUP', 'CREATE', KEYS[4], 'relay', '0', 'MKSTREAM') end
redis.call('HSET', KEYS[3], '#', '0')
redis.call('HSET', KEYS[2], '#', '0')
-- Fields that are gone would leave the next reader with nothing to compare; those that are there tell what happened.
for _, field in ipairs({ 'revision', 'closed', 'startMs', 'endMs', 'unitsPerBuyer', 'totalUnits', 'availableUnits',
  'heldUnits', 'committedUnits', 'smallestRefusedAsk' }) do redis.call('HSETNX', KEYS[1], field, '0') end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'mode', 'recovering', 'loadedGeneration', '0')
return { 'begun' }
