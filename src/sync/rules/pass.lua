-- Full passes: the source's state of every key comes to this group and is merged. That is needed
-- where entries are not enough: they were cut off before they were read, or a group has lost writes
-- of its own that others have.
--
-- While a pass is under way this hash has: `token`, of the replicator that makes it; `renews`, if
-- this group has lost writes of its present life, and `after` and `before`, the instants between which
-- it may have; and what the source knew when the pass began: `at GROUP`, its positions, and
-- `seen GROUP/LIFE`, up to which instant it had seen whose writes. It goes away by itself if the
-- replicator dies.
local PASS = 'redrill:pass' .. TAG
local PASS_MS = 10000

-- The one that is under way, while a call of it runs.
local pass = nil

-- Whether `token` is that of the pass that is under way; it is read and kept then.
local function goes_on(token)
  pass = nil
  if redis.call('HGET', PASS, 'token') ~= token then return false end
  pass = { at = {}, seen = {} }
  local all = redis.call('HGETALL', PASS)
  for i = 1, #all, 2 do
    local what, name = string.match(all[i], '^(%a+) (.*)$')
    if what == 'at' then
      pass.at[name] = words(all[i + 1])
    elseif what == 'seen' then
      pass.seen[name] = tonumber(all[i + 1])
    else
      pass[all[i]] = all[i + 1]
    end
  end
  pass.own_life = own_life()
  redis.call('PEXPIRE', PASS, PASS_MS)
  return true
end

-- Whether the source had seen a write when the pass began.
local function source_has_seen(life, t)
  return pass.seen[life] ~= nil and tonumber(t) <= pass.seen[life]
end

-- Whether this group has ever seen a write, and still knows what came of it.
local function has_seen(life, t)
  t = tonumber(t)
  if life == pass.own_life then return t <= tonumber(pass.after) or t >= tonumber(pass.before) end
  return t <= tonumber(redis.call('HGET', SEEN, life) or 0)
end

local function is_after(id, other)
  local ms, more = string.match(id, '(%d+)-(%d+)')
  local other_ms, other_more = string.match(other, '(%d+)-(%d+)')
  if ms ~= other_ms then return tonumber(ms) > tonumber(other_ms) end
  return tonumber(more) > tonumber(other_more)
end

-- What the source had, this group has now.
local function take_over()
  for from, theirs in pairs(pass.at) do
    local own = position(from)
    if from ~= OWN and is_after(theirs[1], own[1]) then
      local latest = math.max(tonumber(own[3]), tonumber(theirs[3]))
      local told = { theirs[1], theirs[2], whole(latest), own[4], own[5] }
      redis.call('HSET', POSITIONS, from, table.concat(told, ' '))
    end
  end
  for life, t in pairs(pass.seen) do
    local known = tonumber(redis.call('HGET', SEEN, life) or 0)
    if life ~= pass.own_life and t > known then redis.call('HSET', SEEN, life, whole(t)) end
  end
end

-- A new life begins. The outbox goes on after what the source has read of it. `kept` is the instant
-- up to which this group has its writes of the life before.
local function renew(kept)
  local known = pass.at[OWN] or position(OWN)
  if redis.call('EXISTS', OUTBOX) == 0 then
    redis.call('XGROUP', 'CREATE', OUTBOX, 'pass', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', OUTBOX, 'pass')
    redis.call('XSETID', OUTBOX, known[1])
  end
  local n = math.max(tonumber(known[2]), tonumber(redis.call('HGET', STATE, 'n') or 0))
  redis.call('HSET', SEEN, life_of(OWN, n), whole(kept))
  redis.call('HSET', STATE, 'n', next_life(n))
end
