#!lua flags=allow-oom
-- run: @RUN@
-- adjust: brings a sale to what the ledger accepted: total, end, paused, closed. The delta is computed here, from the
-- target, so that a repeat changes nothing; a shrinking total stops at what is taken. Closed never opens again.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, 2 revision, 3 totalUnits (the target), 4 endMs, 5 paused (1 or 0), 6 closed (1 or 0)
-- Replies, the first that applies:
--   not-ready, missing | other-generation | recovering | law-broken
--   stale                       a later revision was here before
--   unchanged, totalUnits       this revision was here before; the total that it achieved
--   adjusted, totalUnits        the total that was achieved
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'totalUnits', 'availableUnits', 'heldUnits',
  'committedUnits', 'revision', 'closed', 'smallestRefusedAsk')
for i = 1, 9 do if not stock[i] then return { 'not-ready', 'missing' } end end
if stock[1] ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] == 'recovering' then return { 'not-ready', 'recovering' } end
for i = 3, 9 do stock[i] = string.find(stock[i], '^%d+$') and tonumber(stock[i]) or -1 end
local before, available, held, committed, stored, closed, smallest = unpack(stock, 3, 9)
if before ~= available + held + committed or math.min(unpack(stock, 3, 9)) < 0 then
  return { 'not-ready', 'law-broken' }
end
local revision = tonumber(ARGV[2])
if revision < stored then return { 'stale' } end
if revision == stored then return { 'unchanged', before } end

local total = math.max(tonumber(ARGV[3]), held + committed)
available = total - held - committed
if total > before then smallest = 0 end
local mode = stock[2]
if mode ~= 'unarmed' then mode = ARGV[5] == '1' and 'paused' or 'selling' end
if ARGV[6] == '1' then closed = 1 end

local entry = { ARGV[1], ARGV[2], total, available, ARGV[4], ARGV[5], closed }
redis.call('XADD', KEYS[4], 'NOMKSTREAM', '*', 'adjusted', table.concat(entry, ' '))
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'totalUnits', total, 'availableUnits', available, 'endMs', ARGV[4],
  'mode', mode, 'closed', closed, 'smallestRefusedAsk', smallest)
return { 'adjusted', total }
