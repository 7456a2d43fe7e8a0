#!lua flags=allow-oom
-- run: @RUN@
-- rebuildFinish: puts rebuilt stock back into service as the ledger knows the sale. What is available is what the
-- loaded rows leave of the total, never an old counter.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, 2 revision, 3 totalUnits, 4 startMs, 5 endMs, 6 unitsPerBuyer, 7 armed, 8 paused, 9 closed
--       (7 to 9 are 1 or 0)
-- Replies, the first that applies:
--   not-ready, missing | other-generation | not-recovering | not-begun
--   law-broken   more is loaded than the total, or the counters are not those of the load
--   finished
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'loadedGeneration', 'totalUnits', 'availableUnits',
  'heldUnits', 'committedUnits')
if stock[1] ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] ~= 'recovering' then return { 'not-ready', 'not-recovering' } end
if stock[3] ~= ARGV[1] then return { 'not-ready', 'not-begun' } end
local total, committed = tonumber(ARGV[3]), tonumber(stock[7]) or -1
if stock[4] ~= stock[7] or stock[5] ~= '0' or stock[6] ~= '0' then return { 'law-broken' } end
local available = total - committed
if available < 0 or committed < 0 then return { 'law-broken' } end

local mode = 'unarmed'
if ARGV[7] == '1' then mode = ARGV[8] == '1' and 'paused' or 'selling' end
local entry = { ARGV[1], ARGV[2], total, available, committed }
redis.call('XADD', KEYS[4], 'NOMKSTREAM', '*', 'rebuilt', table.concat(entry, ' '))
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'mode', mode, 'closed', ARGV[9], 'startMs', ARGV[4], 'endMs', ARGV[5],
  'unitsPerBuyer', ARGV[6], 'totalUnits', total, 'availableUnits', available, 'heldUnits', '0',
  'committedUnits', committed, 'smallestRefusedAsk', '0')
return { 'finished' }
