-- `lww`: of two writes to a key the later one stays, everywhere; the name of the group breaks a
-- tie. A counter is a value like others, so that of two increments at the same time one is thrown
-- away. Sets only grow, so that nothing of them is: they have no version that could tell what was
-- added before a deletion, and so they cannot be deleted. In standby groups the later term comes first.
--
-- A deleted key leaves its version behind (a tombstone), so that an older write that arrives late
-- does not bring it back. It is collected when all other groups have been heard of past it.

-- For each key: `t life` of the write that stays, and in standby groups its term.
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

-- The key is what a write made of it.
local function stamp(key, entry, is_gone)
  local in_term = entry.term and ' ' .. entry.term or ''
  redis.call('HSET', VERSIONS, key, entry.t .. ' ' .. entry.from .. in_term)
  if is_gone then
    redis.call('ZADD', TOMBSTONES, entry.t, key)
    collect()
  elseif redis.call('EXISTS', TOMBSTONES) == 1 then
    redis.call('ZREM', TOMBSTONES, key)
  end
end

-- The instant, the life and the term of the write that stays; nil if there is none.
local function version(key)
  local known = redis.call('HGET', VERSIONS, key)
  if known then return unpack(words(known)) end
end

local function wins(key, entry)
  local t, from, in_term = version(key)
  if t == nil then return true end
  local own, other = tonumber(entry.term or 0), tonumber(in_term or 0)
  if own ~= other then return own > other end
  return is_later(entry.t, entry.from, t, from)
end

-- Its instant, with the term behind it if it has one.
local function instant(entry)
  return entry.term and entry.t .. ' ' .. entry.term or entry.t
end

-- A write of this group, now.
local function named()
  local t, life = tick()
  return { t = t, from = life, term = STANDBY and (term()) or nil }
end

function write.set(key, value)
  local entry = named()
  redis.call('SET', key, value)
  stamp(key, entry, false)
  append(instant(entry), 'set', key, value)
  return redis.status_reply('OK')
end

local function is_set(key) return redis.call('TYPE', key).ok == 'set' end

function write.del(key)
  if is_set(key) then
    return redis.error_reply('WRONGTYPE a set cannot be deleted by the rule lww: it only grows')
  end
  local entry = named()
  local gone = redis.call('DEL', key)
  stamp(key, entry, true)
  append(instant(entry), 'del', key, '')
  return gone
end

function write.incr(key)
  local entry = named()
  local total = redis.call('INCR', key)
  stamp(key, entry, false)
  append(instant(entry), 'set', key, whole(total))
  return total
end

function write.sadd(key, element)
  local added = redis.call('SADD', key, element)
  append(instant(named()), 'sadd', key, element)
  return added
end

function apply.set(entry, key, value)
  if not wins(key, entry) then return false end
  redis.call('SET', key, value)
  stamp(key, entry, false)
  return true
end

-- Where it was deleted, the set had not arrived yet.
function apply.del(entry, key)
  if is_set(key) or not wins(key, entry) then return false end
  redis.call('DEL', key)
  stamp(key, entry, true)
  return true
end

function apply.sadd(_, key, element)
  redis.call('SADD', key, element)
  return true
end

-- What the key is: what was done last, with what, when, in which life and in which term.
function state(key)
  if is_set(key) then return { 'sadd', redis.call('SMEMBERS', key) } end
  local t, from, in_term = version(key)
  if not t then return {} end
  if redis.call('EXISTS', key) == 0 then return { 'del', '', t, from, in_term } end
  return { 'set', redis.call('GET', key), t, from, in_term }
end

local function merge_version(key, what, value, entry)
  if version(key) then
    if not wins(key, entry) then return end
  elseif has_seen(entry.from, entry.t) then
    -- Its deletion is so old that it was forgotten.
    return
  end
  if what == 'set' then redis.call('SET', key, value) else redis.call('DEL', key) end
  stamp(key, entry, what == 'del')
  saw(entry.t)
end

function merge(key, theirs)
  local what, value, t, from, in_term = unpack(theirs)
  if what == 'sadd' then
    for _, element in ipairs(value) do redis.call('SADD', key, element) end
  elseif is_set(key) then
    return
  elseif what then
    merge_version(key, what, value, { t = t, from = from, term = in_term })
  else
    local own_t, own_life = version(key)
    if own_t and source_has_seen(own_life, own_t) then
      redis.call('DEL', key)
      redis.call('HDEL', VERSIONS, key)
      redis.call('ZREM', TOMBSTONES, key)
    end
  end
end
