#!lua
-- run: @RUN@
-- preheat: creates the stock of one bucket, unarmed. Stock of an older generation is replaced only if it was never
-- armed and nothing was ever sold from it: a sale that lost keys is rebuilt, never preheated.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, 2 revision, 3 totalUnits, 4 startMs, 5 endMs, 6 unitsPerBuyer
-- Replies, the first that applies:
--   exists       this generation's stock is there, whole
--   refused      stock of this or a later generation, stock that was armed or sold from, or a part of the keys
--   preheated
local there = redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if there ~= 0 then
  local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'heldUnits', 'committedUnits')
  local reservations = redis.call('HLEN', KEYS[3])
  local buyers = redis.call('HLEN', KEYS[2])
  redis.call('XLEN', KEYS[4])
  if there == 4 and stock[1] == ARGV[1] then return { 'exists' } end
  if (tonumber(stock[1]) or math.huge) >= tonumber(ARGV[1]) then return { 'refused' } end
  if stock[2] ~= 'unarmed' or stock[3] ~= '0' or stock[4] ~= '0' then return { 'refused' } end
  if reservations > 1 or buyers > 1 then return { 'refused' } end
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
end

redis.call('XGROUP', 'CREATE', KEYS[4], 'relay', '0', 'MKSTREAM')
redis.call('HSET', KEYS[3], '#', '0')
redis.call('HSET', KEYS[2], '#', '0')
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'revision', ARGV[2], 'mode', 'unarmed', 'closed', '0',
  'startMs', ARGV[4], 'endMs', ARGV[5], 'unitsPerBuyer', ARGV[6], 'totalUnits', ARGV[3], 'availableUnits', ARGV[3],
  'heldUnits', '0', 'committedUnits', '0', 'smallestRefusedAsk', '0', 'loadedGeneration', '0')
return { 'preheated' }
