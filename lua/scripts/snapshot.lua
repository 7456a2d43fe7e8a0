#!lua flags=no-writes
-- run: @RUN@
-- snapshot: reads one bucket as it is, whatever its generation and mode.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: none
-- Replies, the first that applies:
--   missing      a key or a field is not there, or is not what it should be: a type, a whole number, a mode
--   ok, nowMs, lawHolds (1 or 0), journalLength, generation, revision, mode, closed (1 or 0), startMs, endMs,
--       unitsPerBuyer, totalUnits, availableUnits, heldUnits, committedUnits, smallestRefusedAsk (0: none)
local TYPES = { 'hash', 'hash', 'hash', 'stream' }
local types = { redis.call('TYPE', KEYS[1]).ok, redis.call('TYPE', KEYS[2]).ok, redis.call('TYPE', KEYS[3]).ok,
  redis.call('TYPE', KEYS[4]).ok }
for i = 1, 4 do if types[i] ~= TYPES[i] then return { 'missing' } end end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'revision', 'mode', 'closed', 'startMs', 'endMs',
  'unitsPerBuyer', 'totalUnits', 'availableUnits', 'heldUnits', 'committedUnits', 'smallestRefusedAsk')
local MODES = { unarmed = true, selling = true, paused = true, recovering = true }
for i = 1, 12 do
  local readable = MODES[stock[i]]
  if i ~= 3 then readable = stock[i] and #stock[i] <= 15 and string.find(stock[i], '^-?%d+$') end
  if not readable then return { 'missing' } end
end
local time = redis.call('TIME')
local total, available, held, committed = stock[8], stock[9], stock[10], stock[11]
local holds = tonumber(total) == available + held + committed and math.min(stock[2], unpack(stock, 4, 12)) >= 0
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = { 'ok', now, holds and 1 or 0, redis.call('XLEN', KEYS[4]) }
for i = 1, 12 do reply[i + 4] = stock[i] end
return reply
