//! Waiters get the lock in the order in which they came. Whoever gives it back hands it over to the
//! first one in line, and wakes that one up; nobody asks in turns.
//!
//! As `RedissonFairLock` does it: a list of those that wait, and a sorted set of until when each of
//! them counts as alive.
//! <https://github.com/redisson/redisson/blob/master/redisson/src/main/java/org/redisson/RedissonFairLock.java>.
//! There a publication wakes the next one. Here it is an element for a blocking pop, which stays if
//! it comes too early. Whoever is woken up asks again, as its lease is to count from then.

use std::time::Duration;

use redis::{Cmd, Value};

use super::kind::{Kind, millis, number, script};
use super::mutex::Mutex;
use super::names::beside;
use crate::load::client::{Read, ReplyValue, of};

/// KEYS: the lock, the line, and until when those in it are alive. Keys that wake somebody up are
/// in the same slot; which one it will be is not known beforehand.
macro_rules! with_hand_over {
    ($script:literal) => {
        concat!(
            "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function hand_over(asks, ttl, wake)
  local first = redis.call('LPOP', KEYS[2])
  while first do
    local until_when = redis.call('ZSCORE', KEYS[3], first)
    redis.call('ZREM', KEYS[3], first)
    if until_when and tonumber(until_when) > now then
      redis.call('SET', KEYS[1], first, 'PX', ttl)
      if first ~= asks then
        redis.call('RPUSH', wake .. first, 1)
        redis.call('PEXPIRE', wake .. first, ttl)
      end
      return first
    end
    first = redis.call('LPOP', KEYS[2])
  end
  redis.call('DEL', KEYS[1])
end
",
            $script
        )
    };
}

/// 0 if the session has the lock. Else it is in line, and somebody else has the lock for so many
/// milliseconds at most, if it is not extended.
const ACQUIRE: &str = with_hand_over!(
    "\
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 0
end
if not redis.call('ZSCORE', KEYS[3], ARGV[1]) then redis.call('RPUSH', KEYS[2], ARGV[1]) end
redis.call('ZADD', KEYS[3], now + ARGV[4], ARGV[1])
for _, key in ipairs({KEYS[2], KEYS[3]}) do
  if redis.call('PTTL', key) < tonumber(ARGV[4]) then redis.call('PEXPIRE', key, ARGV[4]) end
end
if not holder and hand_over(ARGV[1], ARGV[2], ARGV[3]) == ARGV[1] then return 0 end
return math.max(redis.call('PTTL', KEYS[1]), 1)"
);

/// Leaves the line as well.
const RELEASE: &str = with_hand_over!(
    "\
redis.call('LREM', KEYS[2], 1, ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
hand_over(ARGV[1], ARGV[2], ARGV[3])
return 1"
);

#[derive(Debug)]
pub(super) struct Fair {
    /// Of whoever is handed the lock.
    pub(super) ttl: Duration,
    /// How long somebody in line counts as alive who does not ask.
    pub(super) alive: Duration,
}

impl Kind for Fair {
    fn acquire(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        let (ttl, alive) = (millis(ttl).to_string(), millis(self.alive).to_string());
        let wake = wake(key, b"");
        let args = [token, ttl.as_bytes(), wake.as_bytes(), alive.as_bytes()];
        (script(ACQUIRE, &keys(key), &args), place)
    }

    fn extend(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        Mutex.extend(key, token, ttl)
    }

    fn release(&self, key: &str, token: &[u8]) -> (Cmd, Read) {
        let (ttl, wake) = (millis(self.ttl).to_string(), wake(key, b""));
        let args = [token, ttl.as_bytes(), wake.as_bytes()];
        (script(RELEASE, &keys(key), &args), number)
    }
}

/// Waits to be woken up, for so long at most.
pub(super) fn wait(key: &str, token: &[u8], most: Duration) -> (Cmd, Read) {
    let mut pop = of("BLPOP", &wake(key, token));
    // None at all would be for ever.
    pop.arg(format!("{:.3}", most.max(Duration::from_millis(1)).as_secs_f64()));
    (pop, woken)
}

fn keys(key: &str) -> [String; 3] {
    [key.to_owned(), beside(key, "line"), beside(key, "alive")]
}

/// What wakes up the session of this token.
fn wake(key: &str, token: &[u8]) -> String {
    beside(key, "wake:") + &String::from_utf8_lossy(token)
}

/// Of the script that acquires.
fn place(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Int(0) => Some(ReplyValue::Number(Some(0))),
        Value::Int(millis) => {
            Some(ReplyValue::Taken(Duration::from_millis(u64::try_from(*millis).ok()?)))
        }
        _ => None,
    }
}

fn woken(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Array(_) => Some(ReplyValue::Number(Some(1))),
        Value::Nil => Some(ReplyValue::Number(None)),
        _ => None,
    }
}
