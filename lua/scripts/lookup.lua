#!lua flags=no-writes
-- run: @RUN@
-- lookup: reads reservations by their ids.
-- KEYS: 1 stock, 2 buyers, 3 reservations, 4 journal
-- ARGV: 1 generation, then the reservation ids (at least one)
-- Replies, the first that applies:
--   not-ready, missing | other-generation | recovering
--   found, then for each id: nil, or `<h|c|r> <units> <journalId> <buyer>` (held, committed, released)
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) ~= 4 then return { 'not-ready', 'missing' } end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'mode')
if stock[1] ~= ARGV[1] then return { 'not-ready', 'other-generation' } end
if stock[2] == 'recovering' then return { 'not-ready', 'recovering' } end
local ids = {}
for i = 2, #ARGV do ids[i - 1] = ARGV[i] end
local values = redis.call('HMGET', KEYS[3], unpack(ids))
local reply = { 'found' }
for i = 1, #ids do reply[i + 1] = values[i] end
return reply
