//! A reader of servers that has nothing of redrill's load.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use redis::Commands;
use redrill::model::op::{Op, Outcome, Purpose};
use redrill::model::slot::{SLOTS, slot_of};

use crate::common::client;
use crate::drill::place::Place;

/// What a reader that has nothing of redrill's load finds on the servers that were kept.
pub struct Reader(Vec<redis::Connection>, HashMap<u16, usize>);

impl Reader {
    pub fn of(place: &Place) -> Reader {
        let record = &place.records()[0];
        let (nodes, password) = (&record.nodes, record.password());
        let connect = |address: &str| client(address, password.as_ref()).get_connection().unwrap();
        let mut connections: Vec<redis::Connection> =
            nodes.iter().map(|node| connect(&node.address)).collect();
        let mut owners = HashMap::new();
        for (index, connection) in connections.iter_mut().enumerate() {
            let lines: String = redis::cmd("CLUSTER").arg("NODES").query(connection).unwrap();
            let own = lines.lines().find(|line| line.contains("myself")).unwrap();
            if !own.contains("master") {
                continue;
            }
            for range in own.split_whitespace().skip(8).filter(|word| !word.starts_with('[')) {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let slots: RangeInclusive<u16> = first.parse().unwrap()..=last.parse().unwrap();
                slots.for_each(|slot| _ = owners.insert(slot, index));
            }
        }
        Reader(connections, owners)
    }

    /// Of a group that is no cluster: all keys are at its primary.
    pub fn of_one(place: &Place, primary: &str) -> Reader {
        let record = &place.records()[0];
        let node = record.nodes.iter().find(|node| node.name.to_string() == primary).unwrap();
        let client = client(&node.address, record.password().as_ref());
        let connection = client.get_connection().unwrap();
        Reader(vec![connection], (0..SLOTS).map(|slot| (slot, 0)).collect())
    }

    pub fn at(&mut self, key: &str) -> &mut redis::Connection {
        let owner = self.1[&slot_of(key.as_bytes())];
        &mut self.0[owner]
    }
}

impl Reader {
    /// Which acknowledged writes of that load the servers do not have any more, nor anything
    /// newer. Of keys that the drill itself could not read in the end, none.
    pub fn lost<'o>(&mut self, ops: &'o [Op], load: u8, name: &str) -> Vec<&'o Op> {
        let of_load = || ops.iter().filter(|op| op.load == load);
        let read = |op: &&Op| op.purpose == Purpose::Final && op.outcome == Outcome::Ok;
        let keys: HashSet<u64> = of_load().filter(read).map(|op| op.key).collect();
        let mut left = HashMap::new();
        for key in &keys {
            let name = format!("{name}:{key}");
            let value: Option<String> = self.at(&name).get(&name).unwrap();
            left.insert(*key, value.map(|value| number(&value)));
        }
        let writes = || of_load().filter(|op| op.action.written().is_some());
        let by_value: HashMap<u64, &Op> =
            writes().map(|op| (op.action.written().unwrap(), op)).collect();
        let gone = |op: &&Op| {
            let Some(value) = left[&op.key] else { return true };
            let source = by_value[&value];
            source.outcome == Outcome::Ok && op.sent > source.done
        };
        let acknowledged = |op: &&Op| op.outcome == Outcome::Ok && keys.contains(&op.key);
        writes().filter(acknowledged).filter(gone).collect()
    }
}

/// The number at the head of a value.
pub fn number(value: &str) -> u64 {
    value.split(':').next().unwrap().parse().unwrap()
}
