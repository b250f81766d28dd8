-- `crdt`: nothing that was written is thrown away.
--
-- A counter has a count for each life of each group, and is their sum. What a register or a set
-- holds has marks: `life:instant` of the writes that put it there. A write takes away the marks that
-- it has seen, and no others. So of two writes to a register at the same time both stay, and an
-- element that is added while it is removed elsewhere stays. Who reads a register with GET finds the later of its
-- values; the hash beside it has all.

local write, apply = {}, {}
local state, merge

-- Beside a counter: its count for each life. Beside a register: for each mark `t value`. Beside a
-- set: for each element its marks.
local function beside(key) return 'redrill:of:' .. TAG .. key end

-- Marks that were taken away before what they mark has arrived (from a third group).
local AHEAD = 'redrill:ahead' .. TAG

-- The entry that is being applied: the stored position is behind it.
local now = {}

local function mark_of(life, t) return life .. ':' .. t end

-- The life and the instant of a mark.
local function write_of(mark) return string.match(mark, '^(.*):(%d+)$') end

local function ahead(mark, key) return mark .. ' ' .. key end

-- A mark is taken away. That is remembered, if its write will still arrive.
local function taken(mark, key)
  local life, t = write_of(mark)
  if string.match(life, '^(.*)/') == OWN then return end
  local last = tonumber(redis.call('HGET', SEEN, life) or 0)
  if life == now.from then last = math.max(last, tonumber(now.t)) end
  if tonumber(t) > last then redis.call('HSET', AHEAD, ahead(mark, key), '1') end
end

-- Whether a mark may be put on: not if it was taken away before it arrived.
local function is_welcome(mark, key)
  return redis.call('HDEL', AHEAD, ahead(mark, key)) == 0
end

-- What is sent along: the marks that were seen, and after a line end the value.
local function with_seen(seen, value) return table.concat(seen, ' ') .. '\n' .. value end

local function seen_and_value(text)
  local seen, value = string.match(text, '^([^\n]*)\n(.*)$')
  return words(seen), value
end

-- What the key is. Only marks have a colon.
local function kind_of(key)
  if redis.call('TYPE', key).ok == 'set' then return 'set' end
  local first = redis.call('HKEYS', beside(key))[1]
  return first and (string.find(first, ':', 1, true) and 'register' or 'count')
end

-- Registers.

local function forget_values(key, marks)
  for _, mark in ipairs(marks) do
    redis.call('HDEL', beside(key), mark)
    taken(mark, key)
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
  local t, life = tick()
  local seen = redis.call('HKEYS', beside(key))
  forget_values(key, seen)
  add_value(key, mark_of(life, t), t, value)
  redis.call('SET', key, value)
  append(t, 'set', key, with_seen(seen, value))
  return redis.status_reply('OK')
end

local function delete_register(key)
  local seen = redis.call('HKEYS', beside(key))
  forget_values(key, seen)
  append((tick()), 'del', key, with_seen(seen, ''))
  return redis.call('DEL', key)
end

function apply.set(entry, key, text)
  local seen, value = seen_and_value(text)
  now = entry
  forget_values(key, seen)
  add_value(key, mark_of(entry.from, entry.t), entry.t, value)
  show_register(key)
  return true
end

-- Where a set or a counter was deleted, it had not arrived yet.
function apply.del(entry, key, text)
  local kind = kind_of(key)
  if kind == 'set' or kind == 'count' then return false end
  now = entry
  forget_values(key, (seen_and_value(text)))
  show_register(key)
  return true
end

-- Counters.

-- Takes over the count of a life, which only grows.
local function raise(key, life, count)
  local more = tonumber(count) - tonumber(redis.call('HGET', beside(key), life) or 0)
  if more <= 0 then return false end
  redis.call('HSET', beside(key), life, count)
  redis.call('INCRBY', key, whole(more))
  return true
end

-- A group that lost writes does not know how far it had counted, and begins a new count.
function write.incr(key)
  local t, life = tick()
  local own = redis.call('HINCRBY', beside(key), life, 1)
  append(t, 'count', key, life .. ' ' .. whole(own))
  return redis.call('INCR', key)
end

function apply.count(_, key, text)
  return raise(key, string.match(text, '(%S+) (%S+)'))
end

-- Sets.

local function marks_of(key, element)
  return words(redis.call('HGET', beside(key), element) or '')
end

-- The element keeps its marks but those that are `gone`, and gets those that `come`. It is in the
-- set for as long as it has any.
local function remark(key, element, gone, come)
  local is_gone, left = {}, come
  for _, mark in ipairs(gone) do
    is_gone[mark] = true
    taken(mark, key)
  end
  for _, mark in ipairs(marks_of(key, element)) do
    if not is_gone[mark] then left[#left + 1] = mark end
  end
  if #left > 0 then
    redis.call('HSET', beside(key), element, table.concat(left, ' '))
    return redis.call('SADD', key, element)
  end
  redis.call('HDEL', beside(key), element)
  return redis.call('SREM', key, element)
end

function write.sadd(key, element)
  local seen, t, life = marks_of(key, element), tick()
  append(t, 'sadd', key, with_seen(seen, element))
  return remark(key, element, seen, { mark_of(life, t) })
end

function write.srem(key, element)
  local seen = marks_of(key, element)
  append((tick()), 'srem', key, with_seen(seen, element))
  return remark(key, element, seen, {})
end

-- Each element that is there is removed, so one that is added elsewhere at the same time stays.
local function delete_set(key)
  for _, element in ipairs(redis.call('SMEMBERS', key)) do write.srem(key, element) end
  return 1
end

function apply.sadd(entry, key, text)
  local seen, element = seen_and_value(text)
  local mark = mark_of(entry.from, entry.t)
  now = entry
  remark(key, element, seen, is_welcome(mark, key) and { mark } or {})
  return true
end

function apply.srem(entry, key, text)
  local seen, element = seen_and_value(text)
  now = entry
  remark(key, element, seen, {})
  return true
end

-- Deletions. Counts only grow, so there is nothing that a deleted counter could merge with the
-- increments that are made elsewhere.

function write.del(key)
  local kind = kind_of(key)
  if kind == 'set' then return delete_set(key) end
  if kind ~= 'count' then return delete_register(key) end
  return redis.error_reply('WRONGTYPE a counter cannot be deleted by the rule crdt')
end

-- Full passes. What stands beside a key is its state.

local function pairs_of(list)
  local found = {}
  for i = 1, #list, 2 do found[list[i]] = list[i + 1] end
  return found
end

local function names_of(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  return names
end

function state(key)
  local kind = kind_of(key)
  return kind and { kind, redis.call('HGETALL', beside(key)) } or {}
end

-- Of the marks that only one of the two has: which are to go here, and which are to come.
local function differences(key, mine, theirs)
  local here, there, gone, come = {}, {}, {}, {}
  for _, mark in ipairs(mine) do here[mark] = true end
  for _, mark in ipairs(theirs) do
    there[mark] = true
    local is_ahead = redis.call('HEXISTS', AHEAD, ahead(mark, key)) == 1
    if not (here[mark] or is_ahead or has_seen(write_of(mark))) then come[#come + 1] = mark end
  end
  for _, mark in ipairs(mine) do
    if not there[mark] and source_has_seen(write_of(mark)) then gone[#gone + 1] = mark end
  end
  return gone, come
end

local function merge_register(key, theirs)
  local gone, come = differences(key, redis.call('HKEYS', beside(key)), names_of(theirs))
  if #gone + #come == 0 then return end
  forget_values(key, gone)
  for _, mark in ipairs(come) do
    redis.call('HSET', beside(key), mark, theirs[mark])
    saw(select(2, write_of(mark)))
  end
  show_register(key)
end

local function merge_set(key, theirs)
  local all = pairs_of(redis.call('HGETALL', beside(key)))
  for element in pairs(theirs) do all[element] = all[element] or '' end
  for element, marks in pairs(all) do
    local gone, come = differences(key, words(marks), words(theirs[element] or ''))
    for _, mark in ipairs(come) do saw(select(2, write_of(mark))) end
    if #gone + #come > 0 then remark(key, element, gone, come) end
  end
end

function merge(key, theirs)
  local kind, beside_it = theirs[1] or kind_of(key), pairs_of(theirs[2] or {})
  now = {}
  if kind == 'register' then merge_register(key, beside_it) end
  if kind == 'set' then merge_set(key, beside_it) end
  if kind == 'count' then
    for life, count in pairs(beside_it) do raise(key, life, count) end
  end
end
