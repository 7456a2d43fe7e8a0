#!lua flags=allow-oom
-- run: @RUN@
-- commit: marks reservations as bought. One that is not known is taken now: Redis lost it, or its message is late.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, then for each reservation (at least one): reservationId, buyer, units
-- Replies, the first that applies:
--   not-ready, missing | other-generation | recovering | law-broken
--   done, then for each reservation the first answer that applies:
--     conflict     the reservation has another buyer or other units
--     released     it ended before; nothing is taken
--     committed    it is bought, now or since an earlier call
--     refused      it is not known, and no units are left for it, or its buyer's limit is reached
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'totalUnits', 'availableUnits', 'heldUnits',
  'committedUnits', 'unitsPerBuyer')
for i = 1, 7 do if not stock[i] then return { 'not-ready', 'missing' } end end
local generation = stock[1]
if generation ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] == 'recovering' then return { 'not-ready', 'recovering' } end
for i = 3, 7 do stock[i] = string.find(stock[i], '^%d+$') and tonumber(stock[i]) or -1 end
local total, available, held, committed, unitsPerBuyer = unpack(stock, 3, 7)
local function lawful()
  return total == available + held + committed and math.min(available, held, committed, unitsPerBuyer) >= 0
end
if not lawful() then return { 'not-ready', 'law-broken' } end
local count, ids, buyers = (#ARGV - 1) / 3, {}, {}
for i = 1, count do ids[i], buyers[i] = ARGV[3 * i - 1], ARGV[3 * i] end
local known = redis.call('HMGET', KEYS[3], unpack(ids))
local before = redis.call('HMGET', KEYS[2], unpack(buyers))
local reply, bought, late, rows, taken, fresh = { 'done' }, {}, {}, {}, {}, {}
for i = 1, count do
  local id, buyer, asked = ids[i], buyers[i], ARGV[3 * i + 1]
  local there, answer = fresh[id] or known[i], nil
  if there then
    local state, itsUnits, journalId, itsBuyer = string.match(there, '^([hcr]) (%d+) (%S+) (%S+)')
    if itsBuyer ~= buyer or itsUnits ~= asked then answer = 'conflict'
    elseif state == 'r' then answer = 'released'
    else
      answer = 'committed'
      if state == 'h' then
        held, committed = held - tonumber(asked), committed + tonumber(asked)
        fresh[id] = 'c ' .. asked .. ' ' .. journalId .. ' ' .. buyer
        bought[#bought + 1] = id
        rows[#rows + 1] = id
        rows[#rows + 1] = fresh[id]
      end
    end
  else
    local units, mine = tonumber(asked), taken[buyer] or tonumber(before[i] or 0) or math.huge
    if mine + units > unitsPerBuyer or units > available then answer = 'refused'
    else
      answer = 'committed'
      available, committed, taken[buyer] = available - units, committed + units, mine + units
      fresh[id] = 'c ' .. asked .. ' - ' .. buyer
      late[#late + 1] = i
    end
  end
  reply[i + 1] = answer
end
if not lawful() then return { 'not-ready', 'law-broken' } end
if #bought + #late == 0 then return reply end

if #bought > 0 then
  redis.call('XADD', KEYS[4], 'NOMKSTREAM', '*', 'committed', generation .. ' ' .. table.concat(bought, ' '))
end
for _, i in ipairs(late) do
  local id, buyer, units = ids[i], buyers[i], ARGV[3 * i + 1]
  local entry = generation .. ' ' .. units .. ' ' .. id .. ' ' .. buyer
  local journalId = redis.call('XADD', KEYS[4], 'NOMKSTREAM', '*', 'late', entry)
  rows[#rows + 1] = id
  rows[#rows + 1] = 'c ' .. units .. ' ' .. journalId .. ' ' .. buyer
end
local limits = { '#', '0' }
for buyer, units in pairs(taken) do limits[#limits + 1] = buyer limits[#limits + 1] = units end
redis.call('HSET', KEYS[3], unpack(rows))
redis.call('HSET', KEYS[2], unpack(limits))
redis.call('HSET', KEYS[1], 'availableUnits', available, 'heldUnits', held, 'committedUnits', committed)
return reply
