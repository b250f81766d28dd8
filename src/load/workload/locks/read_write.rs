//! A writer alone, or any number of readers, each with a lease of its own. Whoever comes while a
//! reader has it and wants to read too gets it at once, so a writer may wait for long among many
//! readers.
//!
//! P. J. Courtois, F. Heymans, D. L. Parnas, "Concurrent control with 'readers' and 'writers'",
//! 1971, problem 1: <https://doi.org/10.1145/362759.362813>.

use std::time::Duration;

use redis::Cmd;

use super::kind::{Kind, millis, number, script};
use super::leases::with_leases;
use super::names::beside;
use crate::load::client::Read;

/// KEYS: the writer's token, and the readers.
const WRITE: &str = with_leases!(
    "\
forget_the_dead(KEYS[2])
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return false end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 0"
);

const READ: &str = with_leases!(
    "\
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
forget_the_dead(KEYS[2])
lease(KEYS[2], ARGV[1], ARGV[2])
return 0"
);

const EXTEND: &str = with_leases!(
    "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
forget_the_dead(KEYS[2])
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
lease(KEYS[2], ARGV[1], ARGV[2])
return 1"
);

const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return redis.call('ZREM', KEYS[2], ARGV[1])";

#[derive(Debug)]
pub(super) struct ReadWrite;

impl Kind for ReadWrite {
    fn acquire(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        of(WRITE, key, token, Some(ttl))
    }

    fn share(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        of(READ, key, token, Some(ttl))
    }

    fn extend(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        of(EXTEND, key, token, Some(ttl))
    }

    fn release(&self, key: &str, token: &[u8]) -> (Cmd, Read) {
        of(RELEASE, key, token, None)
    }
}

fn of(text: &str, key: &str, token: &[u8], ttl: Option<Duration>) -> (Cmd, Read) {
    let ttl = ttl.map(|ttl| millis(ttl).to_string());
    let args = [token].into_iter().chain(ttl.as_ref().map(|ttl| ttl.as_bytes()));
    let args: Vec<&[u8]> = args.collect();
    (script(text, &[key, &beside(key, "readers")], &args), number)
}
