-- Of standby groups one takes the writes of a shard at a time, and the others refuse them. A term is a
-- number and the name of that group, its taker; nobody takes writes in a term without a taker. Whoever
-- hears of a later term goes over to it, and there is no way back to an earlier one. So a group that
-- was replaced while nobody could tell it refuses writes as soon as it hears of that.
--
-- A group that has heard of no term refuses them too: it is new, or has lost what it knew.
--
-- Writes have the number of their term. Those of a later one stay, whatever the clock says: who goes
-- on to write after it was replaced overwrites nothing.

-- The number of the latest term, and its taker.
local function term()
  local known = redis.call('HMGET', STATE, 'term', 'taker')
  return known[1] or '0', known[2] or ''
end

-- Why this group takes no writes in this term; nil if it does.
local function refusal()
  if not STANDBY then return nil end
  local n, taker = term()
  if taker == OWN then return nil end
  if n == '0' then return 'STANDBY this group has not heard which one takes the writes' end
  if taker == '' then return 'STANDBY the writes are being handed over, and nobody takes them' end
  return 'STANDBY the group ' .. taker .. ' takes the writes'
end

-- There is the term `args[1]`, with the taker `args[2]`. Returns the latest one.
redis.register_function({
  function_name = 'redrill_term',
  callback = function(_, args)
    local n, taker = term()
    if is_later(args[1], args[2], n, taker) then
      n, taker = args[1], args[2]
      redis.call('HSET', STATE, 'term', n, 'taker', taker)
    end
    return { n, taker }
  end,
  flags = { 'allow-cross-slot-keys' },
})
