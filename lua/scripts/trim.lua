#!lua flags=allow-oom
-- run: @RUN@
-- trim: forgets the beginning of the journal, which the audit has behind it. What the relay was not given yet, or has
-- not acknowledged, stays in any case: a rebuild must be able to drain it.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, 2 the id of the first entry that stays
-- Replies, the first that applies:
--   not-ready, missing | other-generation | recovering
--   trimmed, how many entries were forgotten
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode')
if stock[1] ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] == 'recovering' then return { 'not-ready', 'recovering' } end
local function parts(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms) or 0, tonumber(sequence) or 0
end
local function earlier(a, b)
  local aMs, aSequence = parts(a)
  local bMs, bSequence = parts(b)
  if aMs < bMs or (aMs == bMs and aSequence < bSequence) then return a end
  return b
end
-- Without its group nobody says what was delivered, and nothing is forgotten.
local delivered = '0-0'
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[4])) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  if fields['name'] == 'relay' then delivered = fields['last-delivered-id'] end
end
local first = earlier(ARGV[2], delivered)
if delivered ~= '0-0' then
  local pending = redis.call('XPENDING', KEYS[4], 'relay')
  if pending[1] > 0 then first = earlier(first, pending[2]) end
end

return { 'trimmed', redis.call('XTRIM', KEYS[4], 'MINID', first) }
