-- Counts uses of caps in rolling windows. One file, loaded once; ARGV[1] names what to do.
--
-- KEYS[1] is the root of all keys; its hash tag keeps them on one node of a Cluster.
--   ROOT:used:KEY      sorted set: `ID|AMOUNT` by the time at which it was used
--   ROOT:sum:KEY       the amounts in it added up
--   ROOT:held:ID       hash: what a reservation uses, KEY -> AMOUNT, and `=` -> what it recommends
--   ROOT:same:WHAT     ID of the reservation for the same recommendation, while that is valid
--   ROOT:pending       sorted set: reservations that were not shown yet, by the time at which they are given back
-- Times are seconds, amounts whole numbers.

local root, todo, now = KEYS[1], ARGV[1], tonumber(ARGV[2])

local function used_key(key) return root .. ':used:' .. key end
local function sum_key(key) return root .. ':sum:' .. key end

-- Forgets what left the window and returns what is used in it.
local function used(key, window)
  local set, sum = used_key(key), sum_key(key)
  repeat
    local gone = redis.call('ZRANGEBYSCORE', set, '-inf', now - window, 'LIMIT', 0, 500)
    local amount = 0
    for _, member in ipairs(gone) do amount = amount + tonumber(string.match(member, '|(%d+)$')) end
    if #gone > 0 then
      redis.call('ZREM', set, unpack(gone))
      redis.call('DECRBY', sum, amount)
    end
  until #gone == 0
  return tonumber(redis.call('GET', sum) or '0')
end

local function add(id, key, amount, window, at)
  if redis.call('ZADD', used_key(key), 'NX', at, id .. '|' .. amount) == 1 then
    redis.call('INCRBY', sum_key(key), amount)
  end
  redis.call('EXPIRE', used_key(key), window + 60)
  redis.call('EXPIRE', sum_key(key), window + 60)
end

local function release(id)
  local held = redis.call('HGETALL', root .. ':held:' .. id)
  for place = 1, #held, 2 do
    local key, amount = held[place], held[place + 1]
    if key == '=' then
      if redis.call('GET', root .. ':same:' .. amount) == id then redis.call('DEL', root .. ':same:' .. amount) end
    elseif redis.call('ZREM', used_key(key), id .. '|' .. amount) == 1 then
      redis.call('DECRBY', sum_key(key), amount)
    end
  end
  redis.call('ZREM', root .. ':pending', id)
  return redis.call('DEL', root .. ':held:' .. id)
end

-- How many keys, KEY and WINDOW of each, then recommendations.
-- Returns what is used of each key, and the id of the reservation that each recommendation has, or ''.
if todo == 'usage' then
  local found, ids, last = {}, {}, 3 + 2 * tonumber(ARGV[3])
  for place = 4, last, 2 do found[#found + 1] = used(ARGV[place], tonumber(ARGV[place + 1])) end
  for place = last + 1, #ARGV do ids[#ids + 1] = redis.call('GET', root .. ':same:' .. ARGV[place]) or '' end
  return {found, ids}
end

-- id, given back at, what is recommended, valid for seconds, then KEY, AMOUNT, LIMIT, WINDOW of each use.
-- Returns 1 if reserved, 2 if the same recommendation holds one already, 0 if a limit would be passed; that one's id;
-- and what was used of each before.
if todo == 'reserve' then
  local id, until_, what, valid = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
  local before, fits, longest = {}, true, valid
  for place = 7, #ARGV, 4 do
    local window = tonumber(ARGV[place + 3])
    local spent = used(ARGV[place], window)
    before[#before + 1] = spent
    if spent + tonumber(ARGV[place + 1]) > tonumber(ARGV[place + 2]) then fits = false end
    if window > longest then longest = window end
  end
  if redis.call('EXISTS', root .. ':held:' .. id) == 1 then return {2, id, before} end
  local same = redis.call('GET', root .. ':same:' .. what)
  if same and redis.call('EXISTS', root .. ':held:' .. same) == 1 then return {2, same, before} end
  if not fits then return {0, '', before} end
  for place = 7, #ARGV, 4 do
    add(id, ARGV[place], ARGV[place + 1], tonumber(ARGV[place + 3]), now)
    redis.call('HSET', root .. ':held:' .. id, ARGV[place], ARGV[place + 1])
  end
  redis.call('HSET', root .. ':held:' .. id, '=', what)
  redis.call('EXPIRE', root .. ':held:' .. id, longest + 60)
  redis.call('ZADD', root .. ':pending', until_, id)
  if valid > 0 then redis.call('SET', root .. ':same:' .. what, id, 'EX', valid) end
  return {1, id, before}
end

-- id: it was shown, so it is not given back. Returns whether it waited for that.
if todo == 'keep' then return redis.call('ZREM', root .. ':pending', ARGV[3]) end

-- id: it was not shown. Returns whether there was such a reservation.
if todo == 'release' then return release(ARGV[3]) end

-- Gives back what was not shown in time, 100 at a time. Returns how many.
if todo == 'sweep' then
  local late = redis.call('ZRANGEBYSCORE', root .. ':pending', '-inf', now, 'LIMIT', 0, 100)
  for _, id in ipairs(late) do release(id) end
  return #late
end

-- id, used at, given back at (or '' if it was shown), then KEY, AMOUNT, WINDOW of each use. Returns whether anything
-- was missing.
if todo == 'restore' then
  local id, at, until_, changed, longest = ARGV[3], tonumber(ARGV[4]), ARGV[5], 0, 0
  for place = 6, #ARGV, 3 do
    local window = tonumber(ARGV[place + 2])
    if at > now - window then
      if not redis.call('ZSCORE', used_key(ARGV[place]), id .. '|' .. ARGV[place + 1]) then
        add(id, ARGV[place], ARGV[place + 1], window, at)
        changed = 1
      end
      redis.call('HSET', root .. ':held:' .. id, ARGV[place], ARGV[place + 1])
      if window > longest then longest = window end
    end
  end
  if longest > 0 then
    redis.call('EXPIRE', root .. ':held:' .. id, longest + 60)
    if until_ ~= '' then redis.call('ZADD', root .. ':pending', until_, id) end
  end
  return changed
end

return redis.error_reply('ERR unknown word ' .. tostring(todo))
