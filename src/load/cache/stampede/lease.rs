//! The server lets one reader ask the origin: in the place of the copy it keeps a token, which a
//! delete takes away. So the copy of a slow reader is refused if the entity was written meanwhile.
//!
//! R. Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1:
//! <https://www.usenix.org/system/files/conference/nsdi13/nsdi13-final170_update.pdf>

use std::rc::Rc;

use rand::RngExt;

use super::lock::{LEASE, RETRY};
use crate::load::cache::copy::entity::{Copy, Entity, TOKEN, is_token};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::invalidation::{tags, versioned};
use crate::load::cache::process::Process;
use crate::load::cache::replies::{any, text};
use crate::load::client::{Commands, ReplyValue, script};
use crate::model::op::Cause;
use crate::spec::cache::FoundBy;

/// What is there; or else the token ARGV[1] from now on, for ARGV[2] milliseconds. Where copies bear a
/// tag, the name of what will be there stands in its set for ARGV[3].
pub(in crate::load::cache) const ASK: &str = "\
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if KEYS[2] then
  redis.call('SADD', KEYS[2], KEYS[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return ARGV[1]";

/// The copy ARGV[2] for ARGV[3] milliseconds, if the token ARGV[1] is still there, and the generation
/// is still ARGV[4] where there is one.
pub(in crate::load::cache) const FILL: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if KEYS[2] and redis.call('GET', KEYS[2]) ~= ARGV[4] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Nothing is there any more, if ARGV[1] was.
const CLEAR: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// No other reader has it.
pub(in crate::load::cache) fn token(process: &Process) -> Vec<u8> {
    let token: u64 = process.chance.borrow_mut().random();
    format!("{TOKEN}{token}").into_bytes()
}

pub(in crate::load::cache) async fn miss(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    // Who could not look gets no lease.
    let Some(place) = process.place(entity) else { return ask_alone(process, entity, trace).await };
    let token = token(process);
    let [millis, longest] =
        [LEASE.as_millis() as u64, process.longest_millis()].map(|millis| millis.to_string());
    let is_tagged = process.cache.invalidate.found_by() == FoundBy::Tag;
    let set = is_tagged.then(|| tags::set(&process.name, entity.id));
    let keys: Vec<&str> = [&*place].into_iter().chain(set.as_deref()).collect();
    loop {
        let ask = script(ASK, &keys, &[&token, millis.as_bytes(), longest.as_bytes()]);
        let Ok(answer) = process.send(entity.slot, ask.into(), text).await else {
            return ask_alone(process, entity, trace).await;
        };
        if matches!(&answer.told, ReplyValue::Bytes(Some(found)) if *found == token) {
            let found = ask_and_fill(process, entity, trace, (&place, &token)).await;
            // Those who wait would wait for as long as the token is there.
            let is_left = found.as_ref().is_ok_and(|found| found.kept.is_some());
            if !is_left {
                clear(process, entity, &place, &token).await;
            }
            return found;
        }
        if let Some(found) = process.found_by(entity, &answer) {
            return Ok(found.of_another());
        }
        // Nobody gets a lease while something is there that is no copy and no token.
        if let ReplyValue::Bytes(Some(found)) = &answer.told
            && !is_token(found)
            && entity.met.get().is_none()
        {
            clear(process, entity, &place, found).await;
            continue;
        }
        // Another entity has the place, and no lease is given for it.
        if entity.met.get().is_some() {
            return ask_alone(process, entity, trace).await;
        }
        process.timer.until(process.clock.now() + RETRY).await;
    }
}

/// The copy takes the token's place, if that is still there and the server has room.
async fn ask_and_fill(
    process: &Process,
    entity: &Entity,
    trace: &Trace,
    (place, token): (&str, &[u8]),
) -> Result<Found, Cause> {
    let copy = process.origin_says(entity, trace).await?;
    let fill = fill(process, entity, copy, (place, token));
    let took = |told: &ReplyValue| matches!(told, ReplyValue::Number(Some(1)));
    Ok(process.filled(entity, copy, fill, took).await)
}

/// If that fails, it is there until its time is over.
async fn clear(process: &Process, entity: &Entity, place: &str, found: &[u8]) {
    let clear = script(CLEAR, &[place], &[found]);
    let _ = process.send(entity.slot, clear.into(), any).await;
}

/// Without a lease nothing is left in the group.
async fn ask_alone(process: &Process, entity: &Entity, trace: &Trace) -> Result<Found, Cause> {
    let copy = process.origin_says(entity, trace).await?;
    Ok(process.kept_nowhere(copy))
}

fn fill(process: &Process, entity: &Entity, copy: Copy, (place, token): (&str, &[u8])) -> Commands {
    let (whole, millis) = (process.bytes_of(copy), process.millis_of(copy).to_string());
    let (key, number) = versioned::seen(entity).unzip();
    let keys: Vec<&str> = [place].into_iter().chain(key.as_deref()).collect();
    let number = number.unwrap_or_default();
    script(FILL, &keys, &[token, &whole, millis.as_bytes(), number.as_bytes()]).into()
}
