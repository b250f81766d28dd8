-- `lww`: of two writes to a key the later one stays, everywhere; the name of the group breaks a
-- tie. A counter is a value like others, so that of two increments at the same time one is thrown
-- away. Sets only grow, so that nothing of them is.
--
-- A deleted key leaves its version behind (a tombstone), so that an older write that arrives late
-- does not bring it back. It is collected when all other groups have been heard of past it.

-- For each key: `t life` of the write that stays.
local VERSIONS = 'redrill:versions' .. TAG
-- Deleted keys, by the instants of their deletion.
local TOMBSTONES = 'redrill:tombstones' .. TAG

local write, apply = {}, {}
local state, merge

local function collect()
  local most = heard_of_all()
  local old = redis.call('ZRANGEBYSCORE', TOMBSTONES, '-inf', '(' .. whole(most), 'LIMIT', 0, 10)
  for i = 1, #old do
    redis.call('HDEL', VERSIONS, old[i])
    redis.call('ZREM', TOMBSTONES, old[i])
  end
end

-- The key is what a write at `t` made of it.
local function stamp(key, t, from, is_gone)
  redis.call('HSET', VERSIONS, key, t .. ' ' .. from)
  if is_gone then
    redis.call('ZADD', TOMBSTONES, t, key)
    collect()
  elseif redis.call('EXISTS', TOMBSTONES) == 1 then
    redis.call('ZREM', TOMBSTONES, key)
  end
end

-- The instant and the group of the write that stays; nil if there is none.
local function version(key)
  return string.match(redis.call('HGET', VERSIONS, key) or '', '(%S+) (%S+)')
end

local function wins(key, entry)
  local t, from = version(key)
  return t == nil or is_later(entry.t, entry.from, t, from)
end

function write.set(key, value)
  local t, life = tick()
  redis.call('SET', key, value)
  stamp(key, t, life, false)
  append(t, 'set', key, value)
  return redis.status_reply('OK')
end

function write.del(key)
  local t, life = tick()
  local gone = redis.call('DEL', key)
  stamp(key, t, life, true)
  append(t, 'del', key, '')
  return gone
end

function write.incr(key)
  local t, life = tick()
  local total = redis.call('INCR', key)
  stamp(key, t, life, false)
  append(t, 'set', key, whole(total))
  return total
end

function write.sadd(key, element)
  local added = redis.call('SADD', key, element)
  append((tick()), 'sadd', key, element)
  return added
end

function apply.set(entry, key, value)
  if not wins(key, entry) then return false end
  redis.call('SET', key, value)
  stamp(key, entry.t, entry.from, false)
  return true
end

function apply.del(entry, key)
  if not wins(key, entry) then return false end
  redis.call('DEL', key)
  stamp(key, entry.t, entry.from, true)
  return true
end

function apply.sadd(_, key, element)
  redis.call('SADD', key, element)
  return true
end

-- What the key is: what was done last, with what, when, and by which group.
function state(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'set' then return { 'sadd', redis.call('SMEMBERS', key) } end
  local t, from = version(key)
  if not t then return {} end
  if kind == 'none' then return { 'del', '', t, from } end
  return { 'set', redis.call('GET', key), t, from }
end

local function merge_version(key, what, value, entry)
  if version(key) then
    if not wins(key, entry) then return end
  elseif has_seen(entry.from, entry.t) then
    -- Its deletion is so old that it was forgotten.
    return
  end
  if what == 'set' then redis.call('SET', key, value) else redis.call('DEL', key) end
  stamp(key, entry.t, entry.from, what == 'del')
  saw(entry.t)
end

function merge(key, theirs)
  local what, value, t, from = theirs[1], theirs[2], theirs[3], theirs[4]
  if what == 'sadd' then
    for _, element in ipairs(value) do redis.call('SADD', key, element) end
  elseif what then
    merge_version(key, what, value, { t = t, from = from })
  else
    local own_t, own_life = version(key)
    if own_t and source_has_seen(own_life, own_t) then
      redis.call('DEL', key)
      redis.call('HDEL', VERSIONS, key)
      redis.call('ZREM', TOMBSTONES, key)
    end
  end
end
