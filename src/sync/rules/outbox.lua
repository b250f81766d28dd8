-- What all rules have in common: the clock, the outbox, and the positions up to which other groups'
-- outboxes have been applied. redrill adds `OWN`, `TAG`, `MOST`, `LIFE`, `LIVES`, `CONFLICT`,
-- `STANDBY` and the functions of a rule.
--
-- In a cluster all of this is of one shard. `TAG` is a hash tag that lies in its slots, and stands in
-- the names of all keys that are redrill's own. Elsewhere it is empty.
--
-- An entry of the outbox has four parts: `d`, its number and the instant of its write (`n t`, and in
-- standby groups its term), `o`, what was done, `k`, the key, and `v`, with what. Numbers count up by one, so that a reader sees
-- if entries are missing. A group that has lost writes and got back what others had of them begins
-- a new life, and so does a server that writes for it from now on, as it may lack some: its numbers
-- go on at a later multiple of `LIFE`.

local OUTBOX = 'redrill:outbox' .. TAG
-- `n`: the number of the last entry. `t`: the latest instant that was seen, anywhere. `writer`: the
-- server that writes. `open`: the name of its data. A group that has lost its data has no name, and
-- takes no writes until it got them back. `term` and `taker`: see standby.lua.
local STATE = 'redrill:sync' .. TAG
-- For each life of each other group, as `GROUP/LIFE`: up to which instant its writes were seen here.
-- Of the own group, for each life before this one.
local SEEN = 'redrill:seen' .. TAG
-- For each other group: the last entry of its outbox that was applied, as `id n t applied discarded`.
local POSITIONS = 'redrill:positions' .. TAG

local function whole(number)
  return string.format('%.0f', number)
end

-- Instants from now on are later than `t`.
local function saw(t)
  if tonumber(t) > tonumber(redis.call('HGET', STATE, 't') or 0) then
    redis.call('HSET', STATE, 't', t)
  end
end

-- The name of a group's life, by the number of an entry.
local function life_of(group, n)
  return group .. '/' .. whole(math.floor(tonumber(n or 0) / LIFE))
end

local function own_life() return life_of(OWN, redis.call('HGET', STATE, 'n')) end

local function words(text)
  local found = {}
  for word in string.gmatch(text, '%S+') do found[#found + 1] = word end
  return found
end

-- This server's name, which no other one has. After a restart it has another one.
local run = nil

local function me()
  run = run or string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  return run
end

-- An instant by the server's own clock, and later than `seen`, in microseconds.
local function instant_after(seen)
  local time = redis.call('TIME')
  return math.max(time[1] * 1000000 + time[2], tonumber(seen or 0) + 1)
end

-- The number before the first one of the next life after that of `n`. A group that loses its data
-- twice may get it back from a group that has not heard of the life in between, and a third group has.
-- So a life's number is that of its step of the clock, of 20 ms; steps are counted from 0 every eight
-- days. If the number would not grow, it grows by one.
local function next_life(n)
  local step = math.floor(instant_after(redis.call('HGET', STATE, 't')) / 20000) % LIVES
  return whole(math.max(math.floor(tonumber(n) / LIFE) + 1, step) * LIFE)
end

-- Another server writes for this group now, and may lack the last writes of the one before. So it
-- begins a new life, after number `n`; others see by what is `SEEN` of the old one if they have more.
local function begin_to_write(t, n, before)
  redis.call('HSET', STATE, 'writer', me())
  if not before then return n end
  n = n or '0'
  local last = redis.call('XREVRANGE', OUTBOX, '+', '-', 'COUNT', 1)[1]
  redis.call('HSET', SEEN, life_of(OWN, n), last and words(last[2][2])[2] or t or '0')
  n = next_life(n)
  redis.call('HSET', STATE, 'n', n)
  return n
end

-- A hybrid logical clock, in microseconds: the server's own, and later than all that was seen. A
-- write is named by that and the second value, the life of this group.
local function tick()
  local known = redis.call('HMGET', STATE, 't', 'n', 'writer')
  if known[3] ~= me() then known[2] = begin_to_write(unpack(known)) end
  local now = whole(instant_after(known[1]))
  redis.call('HSET', STATE, 't', now)
  return now, life_of(OWN, known[2])
end

-- `t` may have the term of the write behind it.
local function append(t, op, key, value)
  local n = whole(redis.call('HINCRBY', STATE, 'n', 1))
  redis.call('XADD', OUTBOX, 'MAXLEN', '~', MOST, '*', 'd', n .. ' ' .. t, 'o', op, 'k', key, 'v', value)
end

-- Whether the write `(t, from)` comes after the other one. The names of groups break a tie.
local function is_later(t, from, other_t, other_from)
  t, other_t = tonumber(t), tonumber(other_t)
  return t > other_t or (t == other_t and from > other_from)
end

local function position(from)
  local told = redis.call('HGET', POSITIONS, from)
  return told and words(told) or { '0-0', '0', '0', '0', '0' }
end

-- Up to which instant every other group has been heard of: nothing older will arrive.
local function heard_of_all()
  local least = nil
  local all = redis.call('HVALS', POSITIONS)
  for i = 1, #all do
    local t = tonumber(words(all[i])[3])
    if least == nil or t < least then least = t end
  end
  return least or 0
end
