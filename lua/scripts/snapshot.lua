#!lua flags=no-writes
-- run: @RUN@
-- snapshot: reads one bucket as it is, whatever its generation and mode.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: none
-- Replies, the first that applies:
--   missing      a key or a field is not there, or a key has a wrong type
--   ok, nowMs, lawHolds (1 or 0), journalLength, generation, revision, mode, closed (1 or 0), startMs, endMs,
--       unitsPerBuyer, totalUnits, availableUnits, heldUnits, committedUnits, smallestRefusedAsk (0: none)
local TYPES = { 'hash', 'hash', 'hash', 'stream' }
local types = { redis.call('TYPE', KEYS[1]).ok, redis.call('TYPE', KEYS[2]).ok, redis.call('TYPE', KEYS[3]).ok,
  redis.call('TYPE', KEYS[4]).ok }
for i = 1, 4 do if types[i] ~= TYPES[i] then return { 'missing' } end end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'revision', 'mode', 'closed', 'startMs', 'endMs',
  'unitsPerBuyer', 'totalUnits', 'availableUnits', 'heldUnits', 'committedUnits', 'smallestRefusedAsk')
local time = redis.call('TIME')
local total, available = tonumber(stock[8]) or -1, tonumber(stock[9]) or -1
local held, committed = tonumber(stock[10]) or -1, tonumber(stock[11]) or -1
local holds = total == available + held + committed and available >= 0 and held >= 0 and committed >= 0
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = { 'ok', now, holds and 1 or 0, redis.call('XLEN', KEYS[4]) }
for i = 1, 12 do
  if not stock[i] then return { 'missing' } end
  reply[i + 4] = stock[i]
end
return reply
