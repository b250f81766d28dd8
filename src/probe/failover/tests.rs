use super::*;
use crate::model::NodeName;
use crate::net::{CutEntry, Ends, Pairs};

fn node(shard: u32, ordinal: u32) -> Node {
    let addr = format!("127.0.0.1:7{shard}{ordinal}").parse().unwrap();
    let born = if ordinal == 0 { Role::Primary } else { Role::Replica };
    Node::new(NodeName::new("c", shard, ordinal), addr, format!("n{shard}{ordinal}"), born)
}

/// Two shards of two nodes: 0/0, 0/1, 1/0, 1/1.
fn cluster() -> Failovers {
    Failovers::new(&[node(0, 0), node(0, 1), node(1, 0), node(1, 1)], Cuts::default())
}

const NODES: [&str; 4] = ["n00", "n01", "n10", "n11"];

/// What node `i` sees; `first` and `second` are how it sees shard 0's.
fn node_view(i: usize, first: &str, second: &str, link_up: Option<bool>) -> NodeView {
    let lines = [first, second, "master - 0 0 2 connected 8192-16383", "slave n10 0 0 2 connected"];
    let line = |(n, rest): (usize, &&str)| {
        let myself = if n == i { "myself," } else { "" };
        format!("{} 127.0.0.1:1@1 {myself}{rest}\n", NODES[n])
    };
    let text: String = lines.iter().enumerate().map(line).collect();
    NodeView {
        node: NodeName::new("c", i as u32 / 2, i as u32 % 2),
        state_ok: true,
        role: None,
        link_up,
        lines: NodeLine::parse_all(&text).unwrap(),
        leader: Default::default(),
    }
}

const LEADS: &str = "master - 0 0 1 connected 0-8191";
const FOLLOWS: &str = "slave n00 0 0 1 connected";

fn phases(news: Vec<EventKind>) -> Vec<(FailoverPhase, String)> {
    let phase = |what| match what {
        EventKind::Failover { phase, node, shard: 0, .. } => (phase, node.to_string()),
        other => panic!("{other:?}"),
    };
    news.into_iter().map(phase).collect()
}

#[test]
fn a_failover_goes_through_its_phases() {
    let mut seen = cluster();
    let mut hear = |i, first: &str, second: &str| {
        phases(seen.hear(i, Some(&node_view(i, first, second, Some(true)))))
    };
    for i in 0..4 {
        assert_eq!(hear(i, LEADS, FOLLOWS), []);
    }
    let suspected = LEADS.replace("master", "master,fail?");
    assert_eq!(hear(2, &suspected, FOLLOWS), [(Suspected, "c/0/0".into())]);
    assert_eq!(hear(3, &suspected, FOLLOWS), [], "told once");
    let failed = LEADS.replace("master", "master,fail");
    assert_eq!(hear(2, &failed, FOLLOWS), [(Agreed, "c/0/0".into())]);
    let (old, new) = ("master,fail - 0 0 1 disconnected", "master - 0 0 3 connected 0-8191");
    assert_eq!(hear(1, old, new), [(Elected, "c/0/1".into())]);
    assert_eq!(hear(2, old, new), []);
    // The old primary is still asked, and has heard nothing: it does not count.
    assert_eq!(hear(3, old, new), [(Propagated, "c/0/1".into())]);
    assert_eq!(hear(2, old, new), [], "nobody follows it");
    let follows = "slave n01 0 0 3 connected";
    assert_eq!(hear(0, follows, new), [(Redundant, "c/0/0".into())]);
    assert_eq!(hear(0, follows, new), []);
    let again = new.replace("master", "master,fail?");
    assert_eq!(hear(2, follows, &again), [(Suspected, "c/0/1".into())], "and the next one");
}

#[test]
fn who_is_cut_off_and_believes_in_the_past_elects_nobody() {
    let mut seen = cluster();
    let mut hear = |i, first: &str, second: &str| {
        phases(seen.hear(i, Some(&node_view(i, first, second, Some(true)))))
    };
    for i in 0..4 {
        hear(i, LEADS, FOLLOWS);
    }
    let (old, new) = ("master,fail - 0 0 1 disconnected", "master - 0 0 3 connected 0-8191");
    hear(1, old, new);
    hear(2, old, new);
    assert_eq!(hear(3, old, new), [(Propagated, "c/0/1".into())]);
    let lost = FOLLOWS.replace("slave", "slave,fail?");
    assert_eq!(hear(0, LEADS, &lost), [], "it leads, it thinks, and its replica is away");
    assert_eq!(hear(2, old, new), []);
}

#[test]
fn who_was_cut_off_from_the_new_leader_doubts_it_a_moment_longer() {
    let mut seen = cluster();
    let mut hear = |i, first: &str, second: &str| {
        phases(seen.hear(i, Some(&node_view(i, first, second, Some(true)))))
    };
    for i in 0..4 {
        hear(i, LEADS, FOLLOWS);
    }
    let (old, new) = ("master,fail - 0 0 1 disconnected", "master - 0 0 3 connected 0-8191");
    hear(1, old, new);
    hear(3, old, new);
    let doubted = new.replace("master", "master,fail");
    let (follows, told) = ("slave n01 0 0 3 connected", hear(2, LEADS, FOLLOWS));
    assert_eq!(told, []);
    assert_eq!(hear(2, follows, &doubted), [(Propagated, "c/0/1".into())]);
    assert_eq!(hear(2, follows, &doubted), [], "that is an old doubt");
    assert_eq!(hear(2, follows, new), []);
    assert_eq!(hear(2, follows, &doubted)[0], (Suspected, "c/0/1".into()), "a new one");
}

/// Three nodes of shard 0, and the primary of shard 1: node `i` says who leads shard 0, with
/// which epoch.
fn says(seen: &mut Failovers, i: usize, leads: usize, epoch: u64) -> Vec<(FailoverPhase, String)> {
    let ids = ["n00", "n01", "n02", "n10"];
    let line = |n: usize| {
        let myself = if n == i { "myself," } else { "" };
        let rest = match n {
            3 => "master - 0 0 2 connected 8192-16383".to_owned(),
            n if n == leads => format!("master - 0 0 {epoch} connected 0-8191"),
            _ => format!("slave {} 0 0 {epoch} connected", ids[leads]),
        };
        format!("{} 127.0.0.1:1@1 {myself}{rest}\n", ids[n])
    };
    let text: String = (0..4).map(line).collect();
    let lines = NodeLine::parse_all(&text).unwrap();
    phases(seen.hear(i, Some(&NodeView { lines, ..node_view(0, LEADS, FOLLOWS, None) })))
}

#[test]
fn old_news_of_an_election_that_another_one_followed_elects_nobody() {
    let mut seen =
        Failovers::new(&[node(0, 0), node(0, 1), node(0, 2), node(1, 0)], Cuts::default());
    (0..4).for_each(|i| assert_eq!(says(&mut seen, i, 0, 1), []));
    assert_eq!(says(&mut seen, 1, 1, 3), [(Elected, "c/0/1".into())]);
    assert_eq!(says(&mut seen, 2, 2, 4), [(Elected, "c/0/2".into())]);
    assert_eq!(says(&mut seen, 3, 1, 3), [], "it was cut off, and tells of the first");
    assert_eq!(says(&mut seen, 1, 1, 3), [], "so does the one that it was about");
    assert_eq!(says(&mut seen, 2, 2, 5), [], "the same one, with an epoch of its own");
    assert_eq!(says(&mut seen, 3, 2, 5), []);
    assert_eq!(says(&mut seen, 1, 2, 5), [(Propagated, "c/0/2".into())]);
    assert_eq!(says(&mut seen, 0, 1, 3), [], "the first leader is the last to hear");

    let mut seen =
        Failovers::new(&[node(0, 0), node(0, 1), node(0, 2), node(1, 0)], Cuts::default());
    (0..4).for_each(|i| assert_eq!(says(&mut seen, i, 0, 1), []));
    assert_eq!(says(&mut seen, 1, 1, 3), [(Elected, "c/0/1".into())]);
    assert_eq!(says(&mut seen, 0, 0, 4), [(Elected, "c/0/0".into())], "it has its place again");
    assert_eq!(says(&mut seen, 3, 1, 3), []);
    for i in [1, 2] {
        assert_eq!(says(&mut seen, i, 0, 4), []);
    }
    assert_eq!(says(&mut seen, 3, 0, 4), [(Propagated, "c/0/0".into())]);
}

#[test]
fn one_that_was_only_slow_may_be_suspected_again() {
    let mut seen = cluster();
    let mut hear = |i, first: &str| phases(seen.hear(i, Some(&node_view(i, first, FOLLOWS, None))));
    let suspected = LEADS.replace("master", "master,fail?");
    assert_eq!(hear(2, &suspected), [(Suspected, "c/0/0".into())]);
    assert_eq!(hear(2, LEADS), []);
    assert_eq!(hear(2, &suspected), [(Suspected, "c/0/0".into())]);
}

#[test]
fn one_that_dies_without_a_word_is_not_waited_for() {
    let mut seen = cluster();
    let hear = |seen: &mut Failovers, i, first: &str, second: &str| {
        phases(seen.hear(i, Some(&node_view(i, first, second, None))))
    };
    for i in 0..4 {
        hear(&mut seen, i, LEADS, FOLLOWS);
    }
    assert_eq!(seen.hear(3, None), []);
    let (old, new) = ("master,fail - 0 0 1 disconnected", "master - 0 0 3 connected 0-8191");
    let told = hear(&mut seen, 1, old, new);
    let at_once = [Suspected, Agreed].map(|phase| (phase, "c/0/0".to_owned()));
    assert_eq!(told[..2], at_once, "what was not seen in between is told with it");
    assert_eq!(told[2], (Elected, "c/0/1".into()));
    assert_eq!(hear(&mut seen, 2, old, new), [(Propagated, "c/0/1".into())]);
}

/// Three shards: 0/0, 0/1 and 0/2 (nodes 0 to 2), 1/0 (3) and 2/0 (4), and a spare replica 2/1 (5).
struct Parted {
    seen: Failovers,
    cuts: Cuts,
}

impl Parted {
    fn new() -> Parted {
        let cuts = Cuts::default();
        let nodes = [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (2, 1)].map(|(s, o)| node(s, o));
        let mut parted = Parted { seen: Failovers::new(&nodes, cuts.clone()), cuts };
        (0..6).for_each(|i| assert_eq!(parted.says(i, (0, 1), ""), []));
        parted
    }

    fn cut_off(&self, shard: u32, ordinal: u32) -> CutEntry {
        self.cuts.add(Pairs::around(Ends::only([NodeName::new("c", shard, ordinal)])))
    }

    /// Node `i` names the primary of shard 0 and its epoch, and flags that one, or what it
    /// believes to be one.
    fn says(
        &mut self,
        i: usize,
        (leads, epoch): (usize, u64),
        flag: &str,
    ) -> Vec<(FailoverPhase, String)> {
        let ids = ["n00", "n01", "n02", "n10", "n20", "n21"];
        let line = |n: usize| {
            let myself = if n == i { "myself," } else { "" };
            let rest = match n {
                3 => "master - 0 0 2 connected 5461-10922".to_owned(),
                4 => "master - 0 0 2 connected 10923-16383".to_owned(),
                5 => "slave n20 0 0 2 connected".to_owned(),
                n if n == leads => format!("master{flag} - 0 0 {epoch} connected 0-5460"),
                _ => format!("slave {} 0 0 {epoch} connected", ids[leads]),
            };
            format!("{} 127.0.0.1:1@1 {myself}{rest}\n", ids[n])
        };
        let text: String = (0..6).map(line).collect();
        let lines = NodeLine::parse_all(&text).unwrap();
        phases(
            self.seen
                .hear(i, Some(&NodeView { lines, ..node_view(0, LEADS, FOLLOWS, Some(true)) })),
        )
    }

    /// Its leader `old` dies, and `new` is elected, of which all but node 5 hear.
    fn fails_over(&mut self, old: usize, new: usize, epoch: u64) {
        let name = |n: usize| format!("c/0/{n}");
        self.seen.hear(old, None);
        assert_eq!(self.says(3, (old, epoch - 1), ",fail?"), [(Suspected, name(old))]);
        assert_eq!(self.says(4, (old, epoch - 1), ",fail"), [(Agreed, name(old))]);
        assert_eq!(self.says(new, (new, epoch), ""), [(Elected, name(new))]);
        let others = [1, 2].into_iter().filter(|n| *n != new && *n != old);
        for other in others {
            assert_eq!(self.says(other, (new, epoch), ""), [(Redundant, name(other))]);
        }
        assert_eq!(self.says(3, (new, epoch), ""), []);
        assert_eq!(self.says(4, (new, epoch), ""), [(Propagated, name(new))]);
    }
}

#[test]
fn two_failovers_are_two_while_a_live_node_is_cut_off() {
    let mut parted = Parted::new();
    let cut = parted.cut_off(2, 1);
    assert_eq!(parted.says(5, (0, 1), ",fail?"), [], "it misses all others");
    parted.fails_over(0, 1, 3);
    assert_eq!(parted.says(5, (0, 1), ",fail?"), []);
    parted.fails_over(1, 2, 4);
    drop(cut);
    assert_eq!(parted.says(5, (2, 4), ",fail?"), [], "it is back, and doubts a moment longer");
    assert_eq!(parted.says(5, (2, 4), ""), []);
    assert_eq!(parted.says(5, (2, 4), ",fail?"), [(Suspected, "c/0/2".into())], "now it knows");
}

#[test]
fn a_doubt_of_who_is_cut_off_keeps_no_suspicion_open() {
    let mut parted = Parted::new();
    let _cut = parted.cut_off(2, 1);
    parted.says(5, (0, 1), ",fail?");
    let suspected = [(Suspected, "c/0/0".to_owned())];
    assert_eq!(parted.says(3, (0, 1), ",fail?"), suspected);
    assert_eq!(parted.says(3, (0, 1), ""), []);
    assert_eq!(parted.says(3, (0, 1), ",fail?"), suspected, "it was only slow before");
}

#[test]
fn who_has_lost_its_own_link_to_a_primary_suspects_it_alone() {
    let mut parted = Parted::new();
    let [one, other] = [(0, 0), (2, 1)].map(|(s, o)| Ends::only([NodeName::new("c", s, o)]));
    let cut = parted.cuts.add(Pairs::between(one, other));
    assert_eq!(parted.says(5, (0, 1), ",fail?"), []);
    drop(cut);
    assert_eq!(parted.says(5, (0, 1), ",fail?"), [], "it has not heard from it yet");
    assert_eq!(parted.says(5, (0, 1), ""), []);
    assert_eq!(parted.says(5, (0, 1), ",fail?"), [(Suspected, "c/0/0".into())], "now it has");
}

#[test]
fn a_primary_that_is_cut_off_is_missed_by_the_others() {
    let mut parted = Parted::new();
    let _cut = parted.cut_off(0, 0);
    assert_eq!(parted.says(3, (0, 1), ",fail?"), [(Suspected, "c/0/0".into())]);
    assert_eq!(parted.says(4, (0, 1), ",fail"), [(Agreed, "c/0/0".into())]);
    assert_eq!(parted.says(0, (0, 1), ""), []);
}

#[test]
fn a_new_primary_that_fails_before_all_know_it_is_another_failover() {
    let mut parted = Parted::new();
    assert_eq!(parted.says(1, (1, 3), ""), [(Elected, "c/0/1".into())]);
    for i in [3, 4] {
        assert_eq!(parted.says(i, (1, 3), ""), []);
    }
    parted.seen.hear(1, None);
    assert_eq!(parted.says(3, (1, 3), ",fail?"), [(Suspected, "c/0/1".into())]);
    assert_eq!(parted.says(4, (1, 3), ",fail"), [(Agreed, "c/0/1".into())]);
    assert_eq!(parted.says(2, (2, 4), ""), [(Elected, "c/0/2".into())]);
}
