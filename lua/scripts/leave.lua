#!lua flags=allow-oom
-- run: @RUN@
-- leave: forgets a consumer of the journal. Redis would forget its unacknowledged entries too, so it must have none.
-- KEYS: 1 journal
-- ARGV: 1 consumer
-- Replies, the first that applies:
--   absent       there is no such journal, group or consumer
--   pending      entries are still unacknowledged: another consumer has to claim them first
--   left
if redis.call('EXISTS', KEYS[1]) == 0 then return { 'absent' } end
local grouped = false
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do grouped = grouped or group[2] == 'relay' end
if not grouped then return { 'absent' } end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], 'relay')) do
  if consumer[2] == ARGV[1] then
    if consumer[4] ~= 0 then return { 'pending' } end
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'relay', ARGV[1])
    return { 'left' }
  end
end
return { 'absent' }
