//! Several holders of one lock, each with a lease of its own: a sorted set of them, by the ends of
//! their leases in microseconds by the server's clock.

/// A script that knows how to `lease` such a set to somebody, and to forget whose leases are over.
/// The set itself goes a second after its last lease, when nobody asks for it any more.
macro_rules! with_leases {
    ($($script:literal),+) => {
        concat!(
            "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function forget_the_dead(all) redis.call('ZREMRANGEBYSCORE', all, '-inf', now) end
local function lease(all, who, millis)
  redis.call('ZADD', all, now + millis * 1000, who)
  if redis.call('PTTL', all) < millis + 1000 then redis.call('PEXPIRE', all, millis + 1000) end
end
",
            $($script),+
        )
    };
}

pub(super) use with_leases;
