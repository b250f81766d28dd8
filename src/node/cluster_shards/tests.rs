//! The replies are real ones. In each, shard 0 has got three slots of shard 1, and the
//! replica of shard 2 is gone.

use proptest::prelude::*;

use super::*;

const REDIS_7_RESP_2: &[u8] = include_bytes!("redis-7.0.resp2");
const REDIS_8_RESP_3: &[u8] = include_bytes!("redis-8.0.resp3");
/// With ids of shards.
const VALKEY_9_RESP_2: &[u8] = include_bytes!("valkey-9.1.resp2");

fn parse(reply: &[u8]) -> Result<Vec<Shard>, String> {
    Shard::parse_all(&redis::parse_redis_value(reply).unwrap())
}

/// By their first slots.
fn shards(reply: &[u8]) -> Vec<Shard> {
    let mut shards = parse(reply).unwrap();
    shards.sort_by_key(|shard| shard.slots.iter().next());
    shards
}

#[test]
fn every_form_is_read() {
    for (reply, net) in [(REDIS_7_RESP_2, 64), (REDIS_8_RESP_3, 65), (VALKEY_9_RESP_2, 67)] {
        let shards = shards(reply);
        let slots: Vec<String> = shards.iter().map(|shard| shard.slots.to_string()).collect();
        assert_eq!(
            slots,
            ["0-5460 10000 10002-10003", "5461-9999 10001 10004-10922", "10923-16383"]
        );
        for (i, shard) in shards.iter().enumerate() {
            let mut nodes = shard.nodes.clone();
            nodes.sort_by_key(|node| node.ip);
            let health = if i == 2 { Health::Failed } else { Health::Online };
            let seen: Vec<_> = nodes.iter().map(|node| (node.role, node.health)).collect();
            assert_eq!(seen, [(Role::Primary, Health::Online), (Role::Replica, health)]);
            let ip = format!("127.{net}.0.{}", 2 * i + 1);
            assert_eq!(nodes[0].ip, Some(ip.parse().unwrap()));
            assert_eq!(nodes[0].port, Some(6379));
            assert!(nodes.iter().all(|node| node.id.len() == 40));
        }
    }
}

/// `REDIS_7_RESP_2`, in which a word is another one.
fn with(word: &str, other: &str) -> Vec<u8> {
    let bulk = |word: &str| format!("${}\r\n{word}\r\n", word.len());
    let reply = str::from_utf8(REDIS_7_RESP_2).unwrap();
    assert!(reply.contains(&bulk(word)), "{word}");
    reply.replacen(&bulk(word), &bulk(other), 1).into_bytes()
}

#[test]
fn what_is_not_known_is_told_apart_from_what_is_wrong() {
    let first = |reply: &[u8]| parse(reply).unwrap()[0].nodes[0].clone();
    assert_eq!(first(&with("ip", "hostname")).ip, None);
    assert_eq!(first(&with("port", "tls-port")).port, None);
    assert_eq!(first(&with("online", "loading")).health, Health::Loading);
    let no_slots = b"*1\r\n*4\r\n$5\r\nslots\r\n*0\r\n$5\r\nnodes\r\n*0\r\n";
    assert!(parse(no_slots).unwrap()[0].slots.is_empty());

    let why = |word, other| parse(&with(word, other)).unwrap_err();
    assert!(why("role", "roll").contains("471fac has no role"), "{}", why("role", "roll"));
    assert!(why("master", "sentinel").contains("no role"));
    assert!(why("online", "ill").contains("no health"));
    assert!(why("id", "di").contains("a node has no id"));
    assert!(why("nodes", "knots").contains("a shard has no nodes"));
    for ends in [":5\r\n:16384\r\n", ":6\r\n:5\r\n", ":5\r\n:-1\r\n", ":5\r\n$1\r\nx\r\n"] {
        let reply = format!("*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n{ends}$5\r\nnodes\r\n*0\r\n");
        assert_eq!(parse(reply.as_bytes()).unwrap_err(), "a shard has no slots", "{ends}");
    }
    assert_eq!(parse(b"+OK\r\n").unwrap_err(), "no list of shards");
    assert_eq!(parse(b"*1\r\n*1\r\n:1\r\n").unwrap_err(), "a shard is no map");
}

proptest! {
    /// Any byte of a real reply may be another one.
    #[test]
    fn no_near_miss_makes_it_panic(at in 0..REDIS_8_RESP_3.len(), byte in any::<u8>()) {
        let mut reply = REDIS_8_RESP_3.to_vec();
        reply[at] = byte;
        if let Ok(value) = redis::parse_redis_value(&reply) {
            let _ = Shard::parse_all(&value);
        }
    }
}
