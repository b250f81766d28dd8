//! A few keys of the loads, compared between groups while they are written.
//!
//! A key that differs may only be on its way. So it is read a second time, when everything that
//! was there at the first time has been carried to all groups. If each group then still shows what
//! it showed before, and they differ, the groups have come apart. What was written in between is
//! not judged.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use redis::Cmd;
use tokio_util::sync::CancellationToken;

use super::servers::{Member, Servers};
use crate::model::Nanos;
use crate::model::event::{Apart, EventKind, Teller};
use crate::model::op::key_name;
use crate::sync::shard::Shard;
use crate::wake::Alarm;

const EVERY: Duration = Duration::from_secs(1);
/// How often it is seen whether keys can be read a second time: soon, before they are written anew.
const AGAIN_EVERY: Duration = Duration::from_millis(50);
/// Keys that are read at once.
const KEYS: u64 = 200;
/// Samples that may wait to be read a second time.
const MOST_WAITING: usize = 60;

/// The keys of a load that hold one value each: the name that they begin with, and how many there
/// are.
#[derive(Clone, Debug)]
pub struct Sampled {
    pub name: String,
    pub keys: u64,
}

/// What a group has of some keys, in their order.
type Values = Vec<Option<Vec<u8>>>;

pub(super) struct Samples {
    /// With the servers of each group.
    shards: Vec<(Shard, Vec<Servers>)>,
    /// The names of the groups.
    groups: Vec<String>,
    loads: Vec<Sampled>,
    /// What was written before this instant, in any group, is there in all of them.
    carried: Rc<Cell<Nanos>>,
    drawn: Cell<u64>,
    waiting: RefCell<VecDeque<Sample>>,
    teller: Teller,
}

/// Keys that differed, with what was found until that instant.
struct Sample {
    keys: Vec<String>,
    /// By group.
    found: Vec<Values>,
    at: Nanos,
}

/// What came of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counted {
    equal: u64,
    different: u64,
    /// Of those that are different: how many are between two groups, by their numbers.
    apart: BTreeMap<(usize, usize), u64>,
    /// Written in between.
    changed: u64,
}

fn is_equal(found: &[Values], key: usize) -> bool {
    found.windows(2).all(|both| both[0][key] == both[1][key])
}

/// All pairs of so many groups.
fn pairs(groups: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..groups).flat_map(move |one| (one + 1..groups).map(move |other| (one, other)))
}

/// What a second look says of keys that differed.
fn judge(before: &[Values], after: &[Values], keys: usize) -> Counted {
    let mut counted = Counted::default();
    for key in 0..keys {
        let same = before.iter().zip(after).all(|(before, after)| before[key] == after[key]);
        match (is_equal(after, key), same) {
            (true, _) => counted.equal += 1,
            (false, true) => {
                counted.different += 1;
                for pair in pairs(after.len()) {
                    let is_apart = after[pair.0][key] != after[pair.1][key];
                    *counted.apart.entry(pair).or_default() += u64::from(is_apart);
                }
            }
            (false, false) => counted.changed += 1,
        }
    }
    counted
}

impl Samples {
    pub fn new(
        members: &[Member],
        shards: Vec<Shard>,
        loads: Vec<Sampled>,
        carried: Rc<Cell<Nanos>>,
        teller: Teller,
    ) -> Rc<Samples> {
        let servers = |at| Servers::of_shard(members, at, teller.clock());
        let shards = shards.into_iter().enumerate().map(|(at, shard)| (shard, servers(at)));
        let shards = shards.collect();
        let (drawn, waiting) = (Cell::new(0), RefCell::default());
        let groups = members.iter().map(|member| member.group.clone()).collect();
        Rc::new(Samples { shards, groups, loads, carried, drawn, waiting, teller })
    }

    pub async fn run(self: Rc<Self>, stop: CancellationToken) -> io::Result<()> {
        if self.loads.is_empty() {
            return Ok(());
        }
        let alarm = Alarm::new(self.teller.clock())?;
        let mut counted = Counted::default();
        let mut due = self.teller.clock().now();
        let mut next = due + EVERY;
        loop {
            due = due + AGAIN_EVERY;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                woken = alarm.until(due) => woken?,
            }
            due = due.max(self.teller.clock().now());
            if due >= next {
                next = due + EVERY;
                self.tell(std::mem::take(&mut counted));
                counted.equal += self.look().await;
            }
            self.look_again(&mut counted).await;
        }
        self.tell(counted);
        Ok(())
    }

    fn tell(&self, Counted { equal, different, apart, changed }: Counted) {
        let all = self.shards.iter().flat_map(|(_, groups)| groups);
        let sent = all.map(Servers::take_sent).sum();
        let apart = pairs(self.groups.len()).map(|pair| {
            let between = [pair.0, pair.1].map(|at| self.groups[at].clone());
            Apart { between, keys: apart.get(&pair).copied().unwrap_or_default() }
        });
        let apart = apart.collect();
        self.teller.tell(EventKind::SyncSampled { equal, different, apart, changed, sent });
    }

    /// Looks at new keys, and returns how many are alike.
    async fn look(&self) -> u64 {
        let (keys, has_room) = (self.draw(), self.waiting.borrow().len() < MOST_WAITING);
        if !has_room {
            return 0;
        }
        let Some(found) = self.read(&keys).await else { return 0 };
        let at = self.teller.clock().now();
        let differ: Vec<usize> = (0..keys.len()).filter(|key| !is_equal(&found, *key)).collect();
        if !differ.is_empty() {
            let of_group =
                |all: &Values| -> Values { differ.iter().map(|key| all[*key].clone()).collect() };
            let found = found.iter().map(of_group).collect();
            let again = differ.iter().map(|key| keys[*key].clone()).collect();
            self.waiting.borrow_mut().push_back(Sample { keys: again, found, at });
        }
        (keys.len() - differ.len()) as u64
    }

    /// Looks a second time at keys for which it is time.
    async fn look_again(&self, counted: &mut Counted) {
        loop {
            let is_due = |sample: &Sample| sample.at < self.carried.get();
            if !self.waiting.borrow().front().is_some_and(is_due) {
                return;
            }
            let Some(sample) = self.waiting.borrow_mut().pop_front() else { return };
            let Some(again) = self.read(&sample.keys).await else { return };
            let more = judge(&sample.found, &again, sample.keys.len());
            counted.equal += more.equal;
            counted.different += more.different;
            for (pair, keys) in more.apart {
                *counted.apart.entry(pair).or_default() += keys;
            }
            counted.changed += more.changed;
        }
    }

    /// Others each time, spread over all keys of all loads: steps of the golden ratio leave no
    /// region out for long.
    fn draw(&self) -> Vec<String> {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let all: u64 = self.loads.iter().map(|load| load.keys).sum();
        let wanted = KEYS.min(all);
        let first = self.drawn.replace(self.drawn.get() + wanted);
        let key = |n: u64| {
            let mut at = ((n as f64 * GOLDEN).fract() * all as f64) as u64;
            for load in &self.loads {
                match at.checked_sub(load.keys) {
                    Some(rest) => at = rest,
                    None => return key_name(&load.name, at),
                }
            }
            key_name(&self.loads[0].name, 0)
        };
        (first..first + wanted).map(key).collect()
    }

    /// What each group has. None if one does not answer.
    async fn read(&self, keys: &[String]) -> Option<Vec<Values>> {
        let of = |shard: &Shard| (0..keys.len()).filter(|at| shard.has(&keys[*at])).collect();
        let own: Vec<Vec<usize>> = self.shards.iter().map(|(shard, _)| of(shard)).collect();
        let asked = self.shards.iter().zip(&own).filter(|(_, own)| !own.is_empty());
        let asked = asked.map(|((shard, groups), own)| async move {
            let keys = own.iter().map(|at| &keys[*at]);
            Some((own, values(shard, groups, keys).await?))
        });
        let groups = self.shards.first()?.1.len();
        let mut found: Vec<Values> = vec![vec![None; keys.len()]; groups];
        for answer in join_all(asked).await {
            let (own, of_groups) = answer?;
            for (all, some) in found.iter_mut().zip(of_groups) {
                own.iter().zip(some).for_each(|(at, value)| all[*at] = value);
            }
        }
        Some(found)
    }
}

/// What each group has of keys of a shard. None if one does not answer.
async fn values(
    shard: &Shard,
    groups: &[Servers],
    keys: impl Iterator<Item = &String>,
) -> Option<Vec<Values>> {
    let found = match shard.has_slots() {
        // They are of many slots.
        true => {
            let mut each = redis::pipe();
            keys.for_each(|key| _ = each.get(key));
            join_all(groups.iter().map(|servers| servers.ask_all(&each))).await
        }
        false => {
            let mut command = Cmd::new();
            command.arg("MGET");
            keys.for_each(|key| _ = command.arg(key));
            join_all(groups.iter().map(|servers| servers.ask(&command))).await
        }
    };
    found.into_iter().map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: [[u8; 3]; 2]) -> Vec<Values> {
        groups.map(|keys| keys.map(|value| Some(vec![value])).to_vec()).to_vec()
    }

    #[test]
    fn a_key_has_come_apart_if_nothing_changed_and_it_still_differs() {
        let before = found([[1, 2, 3], [4, 5, 6]]);
        let after = found([[1, 5, 3], [4, 5, 7]]);
        let apart = BTreeMap::from([((0, 1), 1)]);
        let counted = Counted { equal: 1, different: 1, apart, changed: 1 };
        assert_eq!(judge(&before, &after, 3), counted);
    }

    #[test]
    fn of_three_groups_it_is_told_which_are_apart() {
        let [one, two] = [vec![Some(vec![1])], vec![Some(vec![2])]];
        let all = [one.clone(), two, one];
        let apart = BTreeMap::from([((0, 1), 1), ((0, 2), 0), ((1, 2), 1)]);
        assert_eq!(judge(&all, &all, 1).apart, apart);
    }
}
