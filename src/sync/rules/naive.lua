-- `naive`: what arrives is done, in the order in which it arrives. Two groups that write to one key
-- at the same time each end with the other's value: they come to differ, for good.

local write, apply = {}, {}
local state, merge

function write.set(key, value)
  redis.call('SET', key, value)
  append((tick()), 'set', key, value)
  return redis.status_reply('OK')
end

function write.del(key)
  local gone = redis.call('DEL', key)
  append((tick()), 'del', key, '')
  return gone
end

function write.incr(key)
  local total = redis.call('INCR', key)
  append((tick()), 'incr', key, '1')
  return total
end

function write.sadd(key, element)
  local added = redis.call('SADD', key, element)
  append((tick()), 'sadd', key, element)
  return added
end

-- Each tells whether it was done; here all are.
function apply.set(_, key, value) redis.call('SET', key, value) return true end
function apply.del(_, key) redis.call('DEL', key) return true end
function apply.incr(_, key, by) redis.call('INCRBY', key, by) return true end
function apply.sadd(_, key, element) redis.call('SADD', key, element) return true end

-- A full pass makes what the source has stay. A group that has lost writes gets only what it lacks.
function state(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then return { 'set', redis.call('GET', key) } end
  return kind == 'set' and { 'sadd', redis.call('SMEMBERS', key) } or {}
end

function merge(key, theirs)
  local what, value = theirs[1], theirs[2]
  if what == 'set' then
    if not pass.renews or redis.call('EXISTS', key) == 0 then redis.call('SET', key, value) end
  end
  if what == 'sadd' then
    for _, element in ipairs(value) do redis.call('SADD', key, element) end
  end
end
