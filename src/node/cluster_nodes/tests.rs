use super::*;
use proptest::prelude::*;

/// Redis 7.0.15, with a slot on its way each way.
const REDIS_7: &str = "\
314236f994bde9cc4ccce29b52d82f15903e2c4d 127.70.1.4:7000@17000 slave 6584d7c0f6da262369836a002cd6a669c589e092 0 1795223031143 3 connected
5bde9de4015eb1996d1e5e6e528a430ffaf32e79 127.70.1.1:7000@17000 myself,master - 0 1795223030000 1 connected 0-5459 [77->-6584d7c0f6da262369836a002cd6a669c589e092] [5461-<-6584d7c0f6da262369836a002cd6a669c589e092]
6584d7c0f6da262369836a002cd6a669c589e092 127.70.1.3:7000@17000 master,fail? - 1795223031042 1795223031042 3 disconnected 5460 10923-16383
";

/// Valkey 9.1.2, with a hostname announced and a human name beside it.
const VALKEY_9: &str = "\
d152380283f5cfdfc2adb862f46a0f40ffe8486f 127.70.4.4:7000@17000,node-4.example,nodename=four,shard-id=69bc080733d1355567173199cff4a6a039a2f024 slave,nofailover ddfa9855b73611688c9d3c6a4293f114f14e73aa 0 1795223031038 3 connected
ddfa9855b73611688c9d3c6a4293f114f14e73aa :0@0 master,fail,noaddr - 0 0 0 disconnected
17ab384da167930f73153cefbf4a647bb10fa37f ::1:7000@17000, myself,master - 0 0 1 connected
";

#[test]
fn redis_lines_are_read() {
    let nodes = NodeLine::parse_all(REDIS_7).unwrap();
    let primary = "6584d7c0f6da262369836a002cd6a669c589e092";
    assert_eq!(nodes[0].flags.role, Role::Replica);
    assert_eq!(nodes[0].primary.as_deref(), Some(primary));
    assert_eq!(nodes[0].addr, Some("127.70.1.4:7000".parse().unwrap()));
    assert_eq!(nodes[0].epoch, 3);
    assert!(nodes[1].flags.myself && nodes[1].linked);
    assert_eq!(nodes[1].slots.to_string(), "0-5459");
    assert_eq!(nodes[1].migrating, [(77, primary.to_owned())]);
    assert_eq!(nodes[1].importing, [(5461, primary.to_owned())]);
    assert!(nodes[2].flags.pfail && !nodes[2].flags.fail && !nodes[2].linked);
    assert_eq!(nodes[2].slots.to_string(), "5460 10923-16383");
    assert!(nodes[2].is_known());
}

#[test]
fn additions_of_newer_releases_are_passed_over() {
    let nodes = NodeLine::parse_all(VALKEY_9).unwrap();
    assert_eq!(nodes[0].addr, Some("127.70.4.4:7000".parse().unwrap()));
    assert_eq!(nodes[1].addr, None);
    assert!(nodes[1].flags.fail && !nodes[1].is_known());
    assert_eq!(nodes[2].addr, Some("[::1]:7000".parse().unwrap()));
}

#[test]
fn an_error_shows_the_line() {
    let why = NodeLine::parse("abc 127.0.0.1:1@2 master - 0 0 1 connected 0-16384").unwrap_err();
    assert!(why.contains("no slots") && why.contains("0-16384"), "{why}");
    assert!(NodeLine::parse("abc 127.0.0.1:1@2 master - 0").unwrap_err().contains("eight"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = NodeLine::parse_all(&text);
    }

    /// Close to the real thing, so that it gets far into the line.
    #[test]
    fn no_near_miss_makes_it_panic(
        address in "[0-9.:@,a-z=\\[\\]]{0,24}",
        flags in "[a-z,?]{0,20}",
        slots in proptest::collection::vec("\\[?[0-9]{0,6}(-|->-|-<-)?[0-9a-f]{0,6}\\]?", 0..5),
    ) {
        let line = format!("id {address} {flags} - 0 0 1 connected {}", slots.join(" "));
        let _ = NodeLine::parse(&line);
    }
}
