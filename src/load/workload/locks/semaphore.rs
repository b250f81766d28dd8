//! So many holders at once.
//!
//! Josiah Carlson, "Redis in Action", 2013, section 6.3, "Counting semaphores":
//! <https://redis.io/ebook/part-2-core-concepts/chapter-6-application-components-in-redis/6-3-counting-semaphores/>.
//! There the clients' clocks say when leases end, and the steps are apart. Here the server's clock
//! does, and each step is one script.

use std::time::Duration;

use redis::Cmd;

use super::kind::{Kind, millis, number, script};
use super::leases::with_leases;
use super::names::account;
use crate::load::client::{Read, of};

const ACQUIRE: &str = with_leases!(
    "\
forget_the_dead(KEYS[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return false end
lease(KEYS[1], ARGV[1], ARGV[2])
return 0"
);

const EXTEND: &str = with_leases!(
    "\
forget_the_dead(KEYS[1])
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
lease(KEYS[1], ARGV[1], ARGV[2])
return 1"
);

#[derive(Debug)]
pub(super) struct Semaphore {
    pub(super) holders: u32,
}

impl Kind for Semaphore {
    fn acquire(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        let (ttl, most) = (millis(ttl).to_string(), self.holders.to_string());
        (script(ACQUIRE, &[key], &[token, ttl.as_bytes(), most.as_bytes()]), number)
    }

    fn extend(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        let ttl = millis(ttl).to_string();
        (script(EXTEND, &[key], &[token, ttl.as_bytes()]), number)
    }

    fn release(&self, key: &str, token: &[u8]) -> (Cmd, Read) {
        let mut remove = of("ZREM", key);
        remove.arg(token);
        (remove, number)
    }

    /// Holders count at the same time, so the account is counted up by one command.
    fn write(&self, key: &str, _balance: u64, _fence: u64) -> (Cmd, Read) {
        (of("INCR", &account(key)), number)
    }
}
