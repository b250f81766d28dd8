-- `crdt`: nothing that was written is thrown away.
--
-- A counter has a count for each group, and is their sum. What a register or a set holds has marks:
-- `group:number` of the writes that put it there. A write takes away the marks that it has seen,
-- and no others. So of two writes to a register at the same time both stay, and an element that is
-- added while it is removed elsewhere stays. Who reads a register with GET finds the later of its
-- values; the hash beside it has all.

local write, apply = {}, {}

-- Beside a counter: its count for each group. Beside a register: for each mark `t value`. Beside a
-- set: for each element its marks.
local function beside(key) return 'redrill:of:' .. key end

-- Marks that were taken away before what they mark has arrived (from a third group).
local AHEAD = 'redrill:ahead'

-- The entry that is being applied: the stored position is behind it.
local now = {}

-- Remembers a mark that was to be taken away and is not there, if its write will still arrive.
local function missed(mark, key)
  local from, n = string.match(mark, '^(.*):(%d+)$')
  local last = from == now.from and now.n or position(from)[2]
  if from ~= OWN and tonumber(n) > tonumber(last) then
    redis.call('HSET', AHEAD, mark .. ' ' .. key, '1')
  end
end

-- Whether a mark may be put on: not if it was taken away before it arrived.
local function is_welcome(mark, key)
  return redis.call('HDEL', AHEAD, mark .. ' ' .. key) == 0
end

-- What is sent along: the marks that were seen, and after a line end the value.
local function with_seen(seen, value) return table.concat(seen, ' ') .. '\n' .. value end

local function seen_and_value(text)
  local seen, value = string.match(text, '^([^\n]*)\n(.*)$')
  return words(seen), value
end

-- Registers.

local function forget_values(key, marks)
  for _, mark in ipairs(marks) do
    if redis.call('HDEL', beside(key), mark) == 0 then missed(mark, key) end
  end
end

local function add_value(key, mark, t, value)
  if is_welcome(mark, key) then redis.call('HSET', beside(key), mark, t .. ' ' .. value) end
end

-- The plain value is the latest of those that it holds.
local function show_register(key)
  local all, last = redis.call('HGETALL', beside(key)), nil
  for i = 1, #all, 2 do
    local from = string.match(all[i], '^(.*):%d+$')
    local t, value = string.match(all[i + 1], '^(%S+) (.*)$')
    if not last or is_later(t, from, last.t, last.from) then
      last = { t = t, from = from, value = value }
    end
  end
  if last then redis.call('SET', key, last.value) else redis.call('DEL', key) end
end

function write.set(key, value)
  local t, mark = tick(), OWN .. ':' .. next_number()
  local seen = redis.call('HKEYS', beside(key))
  forget_values(key, seen)
  add_value(key, mark, t, value)
  redis.call('SET', key, value)
  append(t, 'set', key, with_seen(seen, value))
  return redis.status_reply('OK')
end

function write.del(key)
  local seen = redis.call('HKEYS', beside(key))
  forget_values(key, seen)
  append(tick(), 'del', key, with_seen(seen, ''))
  return redis.call('DEL', key)
end

function apply.set(entry, key, text)
  local seen, value = seen_and_value(text)
  now = entry
  forget_values(key, seen)
  add_value(key, entry.from .. ':' .. entry.n, entry.t, value)
  show_register(key)
  return true
end

function apply.del(entry, key, text)
  now = entry
  forget_values(key, (seen_and_value(text)))
  show_register(key)
  return true
end

-- Counters.

function write.incr(key)
  local own = redis.call('HINCRBY', beside(key), OWN, 1)
  append(tick(), 'count', key, whole(own))
  return redis.call('INCR', key)
end

-- A group's own count only grows.
function apply.count(entry, key, count)
  local known = tonumber(redis.call('HGET', beside(key), entry.from) or 0)
  local more = tonumber(count) - known
  if more <= 0 then return false end
  redis.call('HSET', beside(key), entry.from, count)
  redis.call('INCRBY', key, whole(more))
  return true
end

-- Sets.

local function marks_of(key, element)
  return words(redis.call('HGET', beside(key), element) or '')
end

-- The element keeps its marks but those that were `seen`, and gets `mark`, if there is one. It is
-- in the set for as long as it has any.
local function remark(key, element, seen, mark)
  local left, taken = {}, {}
  for _, one in ipairs(seen) do taken[one] = true end
  for _, one in ipairs(marks_of(key, element)) do
    if taken[one] then taken[one] = nil else left[#left + 1] = one end
  end
  for one in pairs(taken) do missed(one, key) end
  if mark and is_welcome(mark, key) then left[#left + 1] = mark end
  if #left > 0 then
    redis.call('HSET', beside(key), element, table.concat(left, ' '))
    return redis.call('SADD', key, element)
  end
  redis.call('HDEL', beside(key), element)
  return redis.call('SREM', key, element)
end

function write.sadd(key, element)
  local seen = marks_of(key, element)
  local mark = OWN .. ':' .. next_number()
  append(tick(), 'sadd', key, with_seen(seen, element))
  return remark(key, element, seen, mark)
end

function write.srem(key, element)
  local seen = marks_of(key, element)
  append(tick(), 'srem', key, with_seen(seen, element))
  return remark(key, element, seen, nil)
end

function apply.sadd(entry, key, text)
  local seen, element = seen_and_value(text)
  now = entry
  remark(key, element, seen, entry.from .. ':' .. entry.n)
  return true
end

function apply.srem(entry, key, text)
  local seen, element = seen_and_value(text)
  now = entry
  remark(key, element, seen, nil)
  return true
end
