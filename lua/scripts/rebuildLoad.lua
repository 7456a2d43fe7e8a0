#!lua flags=allow-oom
-- run: @RUN@
-- rebuildLoad: brings rows of the ledger back as reservations, the counters with them, so that they are counted from
-- what was loaded. A row that is loaded again counts once, by its latest state.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, 2 first (1: forget all reservations before, 0), 3 unitsPerBuyer,
--       then for each row: reservationId, buyer, units, live (1 or 0), journalId
-- Replies, the first that applies:
--   not-ready, missing | other-generation | not-recovering | not-begun | law-broken
--   loaded, then the ids of the live rows over their buyer's limit: stored as released, for the ledger to void
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'loadedGeneration', 'totalUnits', 'availableUnits',
  'heldUnits', 'committedUnits')
if stock[1] ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] ~= 'recovering' then return { 'not-ready', 'not-recovering' } end
local first = ARGV[2] == '1'
if not first and stock[3] ~= ARGV[1] then return { 'not-ready', 'not-begun' } end
local count, ids, buyers = (#ARGV - 3) / 5, {}, {}
for i = 1, count do ids[i], buyers[i] = ARGV[5 * i - 1], ARGV[5 * i] end
local known, before, committed = {}, {}, 0
if not first then
  committed = tonumber(stock[7]) or -1
  if tonumber(stock[4]) ~= committed or committed < 0 or stock[5] ~= '0' or stock[6] ~= '0' then
    return { 'not-ready', 'law-broken' }
  end
  if count > 0 then
    known = redis.call('HMGET', KEYS[3], unpack(ids))
    before = redis.call('HMGET', KEYS[2], unpack(buyers))
  end
end

local reply, rows, fresh, taken, unitsPerBuyer = { 'loaded' }, { '#', '0' }, {}, {}, tonumber(ARGV[3])
for i = 1, count do
  local id, buyer, units, live = ids[i], buyers[i], tonumber(ARGV[5 * i + 1]), ARGV[5 * i + 2] == '1'
  local there = fresh[id] or known[i]
  local mine = taken[buyer] or tonumber(before[i] or 0)
  if there and string.sub(there, 1, 1) == 'c' then mine, committed = mine - units, committed - units end
  if live and mine + units > unitsPerBuyer then
    live = false
    reply[#reply + 1] = id
  end
  if live then mine, committed = mine + units, committed + units end
  taken[buyer] = mine
  fresh[id] = (live and 'c ' or 'r ') .. ARGV[5 * i + 1] .. ' ' .. ARGV[5 * i + 3] .. ' ' .. buyer
  rows[#rows + 1] = id
  rows[#rows + 1] = fresh[id]
end

if first then redis.call('UNLINK', KEYS[2], KEYS[3]) end
redis.call('HSET', KEYS[3], unpack(rows))
redis.call('HSET', KEYS[2], '#', '0')
for buyer, units in pairs(taken) do
  if units > 0 then redis.call('HSET', KEYS[2], buyer, units) else redis.call('HDEL', KEYS[2], buyer) end
end
redis.call('HSET', KEYS[1], 'loadedGeneration', ARGV[1], 'totalUnits', committed, 'availableUnits', '0',
  'heldUnits', '0', 'committedUnits', committed)
return reply
