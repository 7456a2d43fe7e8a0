#!lua
-- run: @RUN@
-- arm: lets the clock open the sale, once. From here on it opens and closes by Redis time, whoever is alive.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, 2 paused (1 or 0)
-- Replies, the first that applies:
--   not-ready, missing | other-generation | recovering | law-broken
--   already      it was armed before; pausing and resuming are adjust's
--   armed
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'totalUnits', 'availableUnits', 'heldUnits',
  'committedUnits')
for i = 1, 6 do if not stock[i] then return { 'not-ready', 'missing' } end end
if stock[1] ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] == 'recovering' then return { 'not-ready', 'recovering' } end
for i = 3, 6 do stock[i] = string.find(stock[i], '^%d+$') and tonumber(stock[i]) or -1 end
local total, available, held, committed = unpack(stock, 3, 6)
if total ~= available + held + committed or math.min(available, held, committed) < 0 then
  return { 'not-ready', 'law-broken' }
end
if stock[2] ~= 'unarmed' then return { 'already' } end

redis.call('HSET', KEYS[1], 'mode', ARGV[2] == '1' and 'paused' or 'selling')
return { 'armed' }
