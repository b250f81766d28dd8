//! A reader of servers that has nothing of redrill's load.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use redrill::model::slot::slot_of;

use crate::place::Place;

/// What a reader that has nothing of redrill's load finds on the servers that were kept.
pub struct Reader(Vec<redis::Connection>, HashMap<u16, usize>);

impl Reader {
    pub fn of(place: &Place) -> Reader {
        let nodes = place.records()[0].nodes.clone();
        let connect = |address: &str| {
            let client = redis::Client::open(format!("redis://{address}/")).unwrap();
            client.get_connection().unwrap()
        };
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

    pub fn at(&mut self, key: &str) -> &mut redis::Connection {
        let owner = self.1[&slot_of(key.as_bytes())];
        &mut self.0[owner]
    }
}

/// The number at the head of a value.
pub fn number(value: &str) -> u64 {
    value.split(':').next().unwrap().parse().unwrap()
}
