//! The server lets one reader ask the origin: in the place of the copy it keeps a token, which a
//! delete takes away. So the copy of a slow reader is refused if the entity was written meanwhile.
//!
//! R. Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1:
//! <https://www.usenix.org/system/files/conference/nsdi13/nsdi13-final170_update.pdf>

use std::rc::Rc;

use rand::RngExt;

use super::behind::{any, text};
use super::entity::{Entity, TOKEN, is_token};
use super::found::{Found, Trace};
use super::lock::{LEASE, RETRY};
use super::process::Process;
use crate::load::client::{ReplyValue, script};

use crate::model::op::Cause;

/// What is there; or else the token ARGV[1] from now on, for ARGV[2] milliseconds.
const ASK: &str = "\
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]";

/// The copy ARGV[2] for ARGV[3] milliseconds, if the token ARGV[1] is still there.
const FILL: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Nothing is there any more, if ARGV[1] was.
const CLEAR: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

pub(super) async fn miss(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let token: u64 = process.chance.borrow_mut().random();
    let token = format!("{TOKEN}{token}").into_bytes();
    let millis = LEASE.as_millis().to_string();
    loop {
        let ask = script(ASK, &entity.key, &[&token, millis.as_bytes()]);
        // Without a lease nothing is left in the group.
        let Ok(answer) = process.send(entity.slot, ask.into(), text).await else {
            let copy = process.origin_says(entity, trace).await?;
            return Ok(process.kept_nowhere(copy));
        };
        if matches!(&answer.told, ReplyValue::Bytes(Some(found)) if *found == token) {
            let copy = process.origin_says(entity, trace).await?;
            let (whole, millis) = (process.bytes_of(copy), process.millis_of(copy).to_string());
            let fill = script(FILL, &entity.key, &[&token, &whole, millis.as_bytes()]);
            let took = |told: &ReplyValue| matches!(told, ReplyValue::Number(Some(1)));
            return Ok(process.filled(entity, copy, fill.into(), took).await);
        }
        if let Some(found) = process.found_by(entity, &answer) {
            return Ok(found.of_another());
        }
        // Nobody gets a lease while something is there that is no copy and no token.
        if let ReplyValue::Bytes(Some(found)) = &answer.told
            && !is_token(found)
            && entity.met.get().is_none()
        {
            let _ =
                process.send(entity.slot, script(CLEAR, &entity.key, &[found]).into(), any).await;
            continue;
        }
        // Another entity has the place, and no lease is given for it.
        if entity.met.get().is_some() {
            let copy = process.origin_says(entity, trace).await?;
            return Ok(process.kept_nowhere(copy));
        }
        process.timer.until(process.clock.now() + RETRY).await;
    }
}
