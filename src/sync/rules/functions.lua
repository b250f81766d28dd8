-- The functions that clients and replicators call (FCALL), whatever the rule.

-- A local write: `args[1]` says what is done to the key, `args[2]` with what.
redis.register_function('redrill_write', function(keys, args)
  return write[args[1]](keys[1], args[2])
end)

-- Where a replicator from the group `args[1]` goes on: `id n t applied discarded`. A group that is
-- asked about is one that will be heard of.
redis.register_function('redrill_position', function(_, args)
  local told = table.concat(position(args[1]), ' ')
  redis.call('HSETNX', POSITIONS, args[1], told)
  return told
end)

-- Applies entries of the outbox of the group `args[1]` together with the position, if `args[2]` is
-- the last one that was applied: what was applied already is not applied again. Then come the id,
-- `n t`, what was done, the key and the value of each entry. Returns the position; who sees that it
-- is not that of the last entry has to begin anew from there.
redis.register_function('redrill_apply', function(_, args)
  local from = args[1]
  local last = position(from)
  if last[1] ~= args[2] then return table.concat(last, ' ') end
  local done, discarded, latest = tonumber(last[4]), tonumber(last[5]), tonumber(last[3])
  for i = 3, #args, 5 do
    local n, t = string.match(args[i + 1], '(%S+) (%S+)')
    if apply[args[i + 2]]({ n = n, t = t, from = from }, args[i + 3], args[i + 4]) then
      done = done + 1
    else
      discarded = discarded + 1
    end
    latest = math.max(latest, tonumber(t))
    last[1], last[2] = args[i], n
  end
  last[3], last[4], last[5] = whole(latest), whole(done), whole(discarded)
  local seen = tonumber(redis.call('HGET', STATE, 't') or 0)
  if latest > seen then redis.call('HSET', STATE, 't', last[3]) end
  local told = table.concat(last, ' ')
  redis.call('HSET', POSITIONS, from, told)
  return told
end)
