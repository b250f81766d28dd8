//! A mutex that hands out growing numbers. The account refuses the number of a holder whose lock
//! somebody else has had since.
//!
//! Martin Kleppmann, "How to do distributed locking", 2016:
//! <https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html>

use std::time::Duration;

use redis::Cmd;

use super::kind::{Kind, millis, number, script};
use super::mutex::Mutex;
use super::names::{account, beside};
use crate::load::client::Read;

const ACQUIRE: &str = "\
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
return redis.call('INCR', KEYS[2])";

/// The account knows the newest number that it has seen. It hears of one when its holder reads: else
/// it would take the write of an older one, and then that of the newer one, which has not seen it.
const READ: &str = "\
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[2]) or 0) then
  redis.call('SET', KEYS[2], ARGV[1])
end
return redis.call('GET', KEYS[1])";

const WRITE: &str = "\
if tonumber(ARGV[2]) < tonumber(redis.call('GET', KEYS[2]) or 0) then return 0 end
redis.call('MSET', KEYS[1], ARGV[1], KEYS[2], ARGV[2])
return 1";

#[derive(Debug)]
pub(super) struct Fenced;

impl Kind for Fenced {
    fn acquire(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        let ttl = millis(ttl).to_string();
        let keys = [key, &beside(key, "fence")];
        (script(ACQUIRE, &keys, &[token, ttl.as_bytes()]), number)
    }

    fn extend(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        Mutex.extend(key, token, ttl)
    }

    fn release(&self, key: &str, token: &[u8]) -> (Cmd, Read) {
        Mutex.release(key, token)
    }

    fn read(&self, key: &str, fence: u64) -> (Cmd, Read) {
        let keys = [&*account(key), &beside(key, "newest")];
        (script(READ, &keys, &[fence.to_string().as_bytes()]), number)
    }

    fn write(&self, key: &str, balance: u64, fence: u64) -> (Cmd, Read) {
        let (balance, fence) = (balance.to_string(), fence.to_string());
        let keys = [&*account(key), &beside(key, "newest")];
        (script(WRITE, &keys, &[balance.as_bytes(), fence.as_bytes()]), number)
    }
}
