#!lua flags=no-writes
-- run: @RUN@
-- tally: reads what can be counted of one bucket at one instant, for the audit. It judges nothing: broken counters are
-- what it is for. A counter that is no whole number is read as -1.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation
-- Replies, the first that applies:
--   not-ready, missing | other-generation | recovering
--   counted, nowMs, revision, closed (1 or 0), totalUnits, availableUnits, heldUnits, committedUnits,
--       smallestRefusedAsk, reservations (how many), the id that the journal gave last
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'revision', 'closed', 'totalUnits', 'availableUnits',
  'heldUnits', 'committedUnits', 'smallestRefusedAsk')
if stock[1] ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] == 'recovering' then return { 'not-ready', 'recovering' } end
local lastId = '0-0'
local stream = redis.call('XINFO', 'STREAM', KEYS[4])
for i = 1, #stream, 2 do
  if stream[i] == 'last-generated-id' then lastId = stream[i + 1] end
end
local time = redis.call('TIME')
local reply = { 'counted', time[1] * 1000 + math.floor(time[2] / 1000) }
for i = 3, 9 do
  local value = stock[i] or ''
  reply[i] = #value <= 15 and string.find(value, '^-?%d+$') and tonumber(value) or -1
end
reply[10] = redis.call('HLEN', KEYS[3]) - 1
reply[11] = lastId
return reply
