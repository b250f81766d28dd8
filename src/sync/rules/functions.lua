-- The functions that clients and replicators call (FCALL), whatever the rule.
--
-- Only a write of a client names its key as one, so that it is routed by it. In a cluster the others
-- are sent to the primary of the shard. All touch keys of several slots, which are of one shard.

local function register(name, callback, flag)
  local flags = { 'allow-cross-slot-keys', flag }
  redis.register_function({ function_name = name, callback = callback, flags = flags })
end

local function is_open() return redis.call('HEXISTS', STATE, 'open') == 1 end

local CLOSED = 'NOTREADY this group has lost its data, and waits for a replicator to bring them back'

-- A local write: `args[1]` says what is done to the key, `args[2]` with what.
register('redrill_write', function(keys, args)
  local why = not is_open() and CLOSED or refusal()
  if why then return redis.error_reply(why) end
  return write[args[1]](keys[1], args[2])
end)

-- The group has data from now on: it is new, and has none yet.
register('redrill_open', function()
  return redis.call('HSET', STATE, 'open', 'new', 'writer', me())
end)

-- Where a replicator from the group `args[1]` goes on: `id n t applied discarded`. A group that is
-- asked about is one that will be heard of.
register('redrill_position', function(_, args)
  local told = table.concat(position(args[1]), ' ')
  redis.call('HSETNX', POSITIONS, args[1], told)
  return told
end)

-- What redrill writes in two groups at once, to see when they agree, is no update of users.
local function is_of_users(key)
  return string.find(key, CONFLICT, 1, true) ~= 1
end

-- Applies entries of the outbox of the group `args[1]` together with the position, if `args[2]` is
-- the last one that was applied: what was applied already is not applied again. Then come the id,
-- `n t` (or `n t term`), what was done, the key and the value of each entry. Returns the position; who sees that it
-- is not that of the last entry has to begin anew from there.
register('redrill_apply', function(_, args)
  local from = args[1]
  local last = position(from)
  if last[1] ~= args[2] then return table.concat(last, ' ') end
  local done, discarded, latest = tonumber(last[4]), tonumber(last[5]), tonumber(last[3])
  local seen = {}
  for i = 3, #args, 5 do
    local n, t, in_term = unpack(words(args[i + 1]))
    local life = life_of(from, n)
    local entry = { t = t, from = life, term = in_term }
    if apply[args[i + 2]](entry, args[i + 3], args[i + 4]) then
      done = done + 1
    elseif is_of_users(args[i + 3]) then
      discarded = discarded + 1
    end
    latest = math.max(latest, tonumber(t))
    last[1], last[2], seen[life] = args[i], n, t
  end
  for life, t in pairs(seen) do redis.call('HSET', SEEN, life, t) end
  last[3], last[4], last[5] = whole(latest), whole(done), whole(discarded)
  saw(last[3])
  local told = table.concat(last, ' ')
  redis.call('HSET', POSITIONS, from, told)
  return told
end)

local function entry(found)
  local n, t = unpack(words(found[2][2]))
  return found[1] .. ' ' .. n .. ' ' .. t
end

-- Where an outbox without entries goes on: what came before was lost.
local function end_of_empty()
  if redis.call('EXISTS', OUTBOX) == 0 then return '' end
  local about = redis.call('XINFO', 'STREAM', OUTBOX)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then
      local n, t = unpack(redis.call('HMGET', STATE, 'n', 't'))
      return about[i + 1] .. ' ' .. (n or 0) .. ' ' .. (t or 0)
    end
  end
end

-- What a full pass asks both sides first, in three lists. First: the name of its data, the first
-- entry of its own outbox, and the last one, each as `id n t`; what there is not is empty. Second:
-- the positions of all other groups. Third: up to which instant it has seen the writes of which life.
register('redrill_known', function()
  local first = redis.call('XRANGE', OUTBOX, '-', '+', 'COUNT', 1)[1]
  local last = redis.call('XREVRANGE', OUTBOX, '+', '-', 'COUNT', 1)[1]
  local own = {
    redis.call('HGET', STATE, 'open') or '',
    first and entry(first) or '',
    last and entry(last) or end_of_empty(),
  }
  local seen = redis.call('HGETALL', SEEN)
  seen[#seen + 1], seen[#seen + 2] = own_life(), redis.call('HGET', STATE, 't') or '0'
  return { own, redis.call('HGETALL', POSITIONS), seen }
end)

-- A full pass begins here, in its target: its token; if this group has just lost writes of its own,
-- after which instant, or else nothing; until which, or nothing for now; how many positions follow;
-- these, and up to which instant the source has seen which lives.
register('redrill_pass', function(_, args)
  local token = redis.call('HGET', PASS, 'token')
  if token and token ~= args[1] then
    return redis.error_reply('BUSY another replicator brings this group its data')
  end
  redis.call('DEL', PASS)
  if is_open() then tick() end
  local positions = tonumber(args[4])
  for i = 5, #args, 2 do
    local is_position = i < 5 + 2 * positions
    redis.call('HSET', PASS, (is_position and 'at ' or 'seen ') .. args[i], args[i + 1])
    saw(is_position and words(args[i + 1])[3] or args[i + 1])
  end
  local after, before = '0', '0'
  if args[2] ~= '' then
    after, before = args[2], args[3] ~= '' and args[3] or (tick())
    redis.call('HSET', PASS, 'renews', '1')
  end
  redis.call('HSET', PASS, 'token', args[1], 'after', after, 'before', before)
  redis.call('PEXPIRE', PASS, PASS_MS)
  return redis.status_reply('OK')
end)

-- What this group knows of each of the keys after `args[1]`, as `redrill_merge` takes it, if the name
-- of its data is that: one that has lost them meanwhile would seem to have deleted all keys.
register('redrill_state', function(_, args)
  if (redis.call('HGET', STATE, 'open') or '') ~= args[1] then
    return redis.error_reply('LOST this group has lost its data')
  end
  local all = {}
  for i = 2, #args do all[i - 1] = cmsgpack.pack(state(args[i])) end
  return all
end, 'no-writes')

local OVER = 'NOPASS the full pass of this token is over'

-- Merges what the source knows of each key: the token, and then each key with its state.
register('redrill_merge', function(_, args)
  if not goes_on(args[1]) then return redis.error_reply(OVER) end
  for i = 2, #args, 2 do merge(args[i], cmsgpack.unpack(args[i + 1])) end
  return (#args - 1) / 2
end)

-- The full pass is done: this group has what the source had, and takes writes.
register('redrill_passed', function(_, args)
  if not goes_on(args[1]) then return redis.error_reply(OVER) end
  take_over()
  if pass.renews then
    -- One that has its data lacks nothing of its own any more, as far as it can know.
    renew(is_open() and tick() or pass.seen[pass.own_life] or 0)
  end
  redis.call('HSET', STATE, 'open', args[1])
  return redis.call('DEL', PASS)
end)
