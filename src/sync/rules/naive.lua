-- `naive`: what arrives is done, in the order in which it arrives. Two groups that write to one key
-- at the same time each end with the other's value: they come to differ, for good.

local write, apply = {}, {}

function write.set(key, value)
  redis.call('SET', key, value)
  append(tick(), 'set', key, value)
  return redis.status_reply('OK')
end

function write.del(key)
  local gone = redis.call('DEL', key)
  append(tick(), 'del', key, '')
  return gone
end

function write.incr(key)
  local total = redis.call('INCR', key)
  append(tick(), 'incr', key, '1')
  return total
end

function write.sadd(key, element)
  local added = redis.call('SADD', key, element)
  append(tick(), 'sadd', key, element)
  return added
end

-- Each tells whether it was done; here all are.
function apply.set(_, key, value) redis.call('SET', key, value) return true end
function apply.del(_, key) redis.call('DEL', key) return true end
function apply.incr(_, key, by) redis.call('INCRBY', key, by) return true end
function apply.sadd(_, key, element) redis.call('SADD', key, element) return true end
