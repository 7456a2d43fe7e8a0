#!lua flags=allow-oom
-- run: @RUN@
-- release: ends reservations; their units are on sale again. One that is not known is remembered as released, so that
-- it can never be taken later: the order of arrival does not matter.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, then for each reservation (at least one): reservationId, buyer, units
-- Replies, the first that applies:
--   not-ready, missing | other-generation | recovering | law-broken
--   done, then for each reservation the first answer that applies:
--     conflict     the reservation has another buyer or other units
--     released     it has ended, now or in an earlier call
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'totalUnits', 'availableUnits', 'heldUnits',
  'committedUnits', 'smallestRefusedAsk')
for i = 1, 7 do if not stock[i] then return { 'not-ready', 'missing' } end end
local generation = stock[1]
if generation ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] == 'recovering' then return { 'not-ready', 'recovering' } end
for i = 3, 7 do stock[i] = string.find(stock[i], '^%d+$') and tonumber(stock[i]) or -1 end
local total, available, held, committed, smallest = unpack(stock, 3, 7)
local function lawful()
  return total == available + held + committed and math.min(available, held, committed, smallest) >= 0
end
if not lawful() then return { 'not-ready', 'law-broken' } end

local count, ids, buyers = (#ARGV - 1) / 3, {}, {}
for i = 1, count do ids[i], buyers[i] = ARGV[3 * i - 1], ARGV[3 * i] end
local known = redis.call('HMGET', KEYS[3], unpack(ids))
local before = redis.call('HMGET', KEYS[2], unpack(buyers))
local FROM = { h = 'held', c = 'committed', ['-'] = 'unknown' }
local reply, ended, left, fresh = { 'done' }, {}, {}, {}
for i = 1, count do
  local id, buyer, asked = ids[i], buyers[i], ARGV[3 * i + 1]
  local there = fresh[id] or known[i] or '- ' .. asked .. ' - ' .. buyer
  local state, itsUnits, journalId, itsBuyer = string.match(there, '^([hcr-]) (%d+) (%S+) (%S+)')
  local answer = 'released'
  if itsBuyer ~= buyer or itsUnits ~= asked then answer = 'conflict'
  elseif state ~= 'r' then
    local units = tonumber(asked)
    if state == 'h' then held = held - units elseif state == 'c' then committed = committed - units end
    if state ~= '-' then
      available, smallest = available + units, 0
      left[buyer] = (left[buyer] or tonumber(before[i] or 0) or math.huge) - units
    end
    fresh[id] = 'r ' .. asked .. ' ' .. journalId .. ' ' .. buyer
    ended[#ended + 1] = { id = id, from = FROM[state], buyer = buyer, units = asked, journalId = journalId }
  end
  reply[i + 1] = answer
end
if not lawful() then return { 'not-ready', 'law-broken' } end
if #ended == 0 then return reply end

local rows = {}
for _, one in ipairs(ended) do
  local entry = generation .. ' ' .. one.units .. ' ' .. one.id .. ' ' .. one.buyer .. ' ' .. one.from
  local journalId = redis.call('XADD', KEYS[4], 'NOMKSTREAM', '*', 'released', entry)
  if one.from ~= 'unknown' then journalId = one.journalId end
  rows[#rows + 1] = one.id
  rows[#rows + 1] = 'r ' .. one.units .. ' ' .. journalId .. ' ' .. one.buyer
end
redis.call('HSET', KEYS[3], unpack(rows))
for buyer, units in pairs(left) do
  if units > 0 then redis.call('HSET', KEYS[2], buyer, units) else redis.call('HDEL', KEYS[2], buyer) end
end
redis.call('HSET', KEYS[1], 'availableUnits', available, 'heldUnits', held, 'committedUnits', committed,
  'smallestRefusedAsk', smallest)
return reply
