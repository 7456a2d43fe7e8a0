#!lua
-- run: @RUN@
-- reserve: decides a batch of attempts to take units, each as if they had come one by one in this order.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, 2 deadlineMs (the latest Redis time at which the attempts may be decided),
--       then for each attempt (at least one): reservationId, buyer, units
-- Replies, the first that applies:
--   not-ready, missing | other-generation | recovering | unarmed | law-broken
--   decided, nowMs, availableUnits, then for each attempt the first answer that applies:
--     conflict                                            the reservation has another buyer or other units
--     exists-held | exists-committed | exists-released    the reservation is there, in this state
--     late | paused | not-open | closed | limit-exceeded
--     <integer>                                           sold-out: so many units are left, fewer than asked
--     <journal id>                                        held
local EXISTS = { h = 'exists-held', c = 'exists-committed', r = 'exists-released' }
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode', 'totalUnits', 'availableUnits', 'heldUnits',
  'committedUnits', 'startMs', 'endMs', 'closed', 'unitsPerBuyer', 'smallestRefusedAsk')
for i = 1, 11 do if not stock[i] then return { 'not-ready', 'missing' } end end
local generation, mode = stock[1], stock[2]
if generation ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if mode == 'recovering' then return { 'not-ready', 'recovering' } end
if mode == 'unarmed' then return { 'not-ready', 'unarmed' } end
for i = 3, 11 do stock[i] = string.find(stock[i], '^%d+$') and tonumber(stock[i]) or -1 end
local total, available, held, committed, startMs, endMs, closed, unitsPerBuyer, refusedAsk = unpack(stock, 3, 11)
if total ~= available + held + committed or math.min(unpack(stock, 3, 11)) < 0
  or (mode ~= 'selling' and mode ~= 'paused') then return { 'not-ready', 'law-broken' } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local refusal
if now > tonumber(ARGV[2]) then refusal = 'late'
elseif mode == 'paused' then refusal = 'paused'
elseif now < startMs then refusal = 'not-open'
elseif closed == 1 or now >= endMs then refusal = 'closed' end
local count, ids, buyers = (#ARGV - 2) / 3, {}, {}
for i = 1, count do ids[i], buyers[i] = ARGV[3 * i], ARGV[3 * i + 1] end
local known = redis.call('HMGET', KEYS[3], unpack(ids))
local before = redis.call('HMGET', KEYS[2], unpack(buyers))
local reply, wins, fresh, taken, smallest = { 'decided', now, 0 }, {}, {}, {}, refusedAsk
for i = 1, count do
  local id, buyer, asked = ids[i], buyers[i], ARGV[3 * i + 2]
  local there = known[i] or fresh[id]
  local answer = refusal
  if there then
    local state, itsUnits, itsBuyer = string.match(there, '^(%a) (%d+) %S+ (%S+)')
    answer = itsBuyer == buyer and itsUnits == asked and EXISTS[state] or 'conflict'
  elseif not refusal then
    -- Of whom nobody can say how many units he has, he gets no more.
    local units, mine = tonumber(asked), taken[buyer] or tonumber(before[i] or 0) or math.huge
    if mine + units > unitsPerBuyer then answer = 'limit-exceeded'
    elseif units > available then
      answer = available
      if smallest == 0 or units < smallest then smallest = units end
    else
      available, held, taken[buyer] = available - units, held + units, mine + units
      fresh[id] = 'h ' .. asked .. ' - ' .. buyer
      wins[#wins + 1], answer = i, 'held'
    end
  end
  reply[i + 3] = answer
end
reply[3] = available
if #wins > 0 then
  local rows, limits, told = {}, {}, generation .. ' ' .. now .. ' '
  for k, i in ipairs(wins) do
    local id, buyer, asked = ids[i], buyers[i], ARGV[3 * i + 2]
    local entry = told .. asked .. ' ' .. id .. ' ' .. buyer
    local journalId = redis.call('XADD', KEYS[4], 'NOMKSTREAM', '*', 'held', entry)
    rows[2 * k - 1], rows[2 * k] = id, 'h ' .. asked .. ' ' .. journalId .. ' ' .. buyer
    reply[i + 3] = journalId
  end
  redis.call('HSET', KEYS[3], unpack(rows))
  for buyer, units in pairs(taken) do limits[#limits + 1] = buyer limits[#limits + 1] = units end
  redis.call('HSET', KEYS[2], unpack(limits))
  redis.call('HSET', KEYS[1], 'availableUnits', available, 'heldUnits', held, 'smallestRefusedAsk', smallest)
elseif smallest ~= refusedAsk then
  redis.call('HSET', KEYS[1], 'smallestRefusedAsk', smallest)
end
return reply
