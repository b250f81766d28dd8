-- What all rules have in common: the clock, the outbox, and the positions up to which other groups'
-- outboxes have been applied. `OWN`, `MOST` and the functions of a rule are added by redrill.
--
-- An entry of the outbox has four parts: `d`, its number and the instant of its write (`n t`), `o`,
-- what was done, `k`, the key, and `v`, with what. Numbers count up by one, so that a reader sees
-- if entries are missing.

local OUTBOX = 'redrill:outbox'
-- `n`: the number of the last entry. `t`: the latest instant that was seen, anywhere.
local STATE = 'redrill:sync'
-- For each other group: the last entry of its outbox that was applied, as `id n t applied discarded`.
local POSITIONS = 'redrill:positions'

local function whole(number)
  return string.format('%.0f', number)
end

-- A hybrid logical clock, in microseconds: the server's own, and later than all that was seen.
local function tick()
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local seen = tonumber(redis.call('HGET', STATE, 't') or 0)
  if now <= seen then now = seen + 1 end
  redis.call('HSET', STATE, 't', whole(now))
  return whole(now)
end

-- The number that the next entry will have: with the group's name it names a write.
local function next_number()
  return whole(tonumber(redis.call('HGET', STATE, 'n') or 0) + 1)
end

local function append(t, op, key, value)
  local n = whole(redis.call('HINCRBY', STATE, 'n', 1))
  redis.call('XADD', OUTBOX, 'MAXLEN', '~', MOST, '*', 'd', n .. ' ' .. t, 'o', op, 'k', key, 'v', value)
end

local function words(text)
  local found = {}
  for word in string.gmatch(text, '%S+') do found[#found + 1] = word end
  return found
end

-- Whether the write `(t, from)` comes after the other one. Group names break a tie.
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
