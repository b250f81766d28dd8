use super::*;

const NEAR: Option<Where> = Some(Where::Near);
const GROUP: Option<Where> = Some(Where::Group);

fn ms(n: u64) -> Nanos {
    Nanos(n * 1_000_000)
}

fn told(at: u64, version: u64, from: Option<Where>) -> Told {
    Told { sent: ms(at), found: Found::Version(version, from) }
}

/// Copies are kept for a second, and looked for for 100 ms more.
fn watched() -> Watched {
    Watched::new(Some(Duration::from_secs(1)), Duration::from_millis(100))
}

fn written(at: u64, version: u64) -> Written {
    Written { id: 1, version, at: ms(at) }
}

/// Asks at these instants, and is told that at once.
fn look(watched: &mut Watched, told: Told) {
    assert_eq!(watched.next(), Some(1));
    assert_eq!(watched.next(), None, "it has not answered");
    watched.answered(1, told, told.sent);
}

/// The version, how its time ended, and until when it was seen.
fn held(watched: &mut Watched) -> Vec<(u64, Ended, Nanos)> {
    let held = watched.take(true).into_iter().filter_map(|noted| match noted.action {
        Action::Cache(CacheOp::Held { version, ended, in_host: false }) => {
            Some((version, ended, noted.to))
        }
        _ => None,
    });
    held.collect()
}

#[test]
fn a_process_is_asked_until_it_answers_with_nothing_older() {
    let mut watched = watched();
    watched.heard(1, told(10, 4, GROUP));
    watched.begin(written(100, 5));
    look(&mut watched, told(101, 4, NEAR));
    look(&mut watched, told(102, 4, NEAR));
    look(&mut watched, told(103, 5, GROUP));
    assert_eq!(watched.next(), None);
    assert_eq!(held(&mut watched), [(4, Ended::Invalidated, ms(102))]);
    // An answer without a copy is one too.
    watched.heard(1, told(110, 5, NEAR));
    watched.begin(written(200, 6));
    look(&mut watched, told(201, 5, NEAR));
    look(&mut watched, Told { sent: ms(202), found: Found::Nothing });
    look(&mut watched, Told { sent: ms(203), found: Found::None });
    assert_eq!(held(&mut watched), [(5, Ended::Invalidated, ms(201))]);
}

#[test]
fn nobody_is_asked_who_has_not_read_the_entity_lately() {
    let mut watched = watched();
    watched.begin(written(100, 5));
    assert_eq!(watched.next(), None, "it would leave a copy");
    watched.heard(1, told(110, 4, NEAR));
    watched.begin(written(1_200, 5));
    assert_eq!(watched.next(), None, "its time is over");
    watched.heard(1, told(1_300, 5, GROUP));
    watched.begin(written(1_301, 5));
    assert_eq!(watched.next(), None, "it has nothing older");
    let mut none = Watched::new(None, Duration::ZERO);
    none.heard(1, told(10, 4, GROUP));
    none.begin(written(20, 5));
    assert_eq!(none.next(), None, "nothing is kept there");
}

/// What the first look does not find was there only if the process had answered with it, and
/// nothing had happened to it since.
#[test]
fn a_copy_that_nobody_saw_is_none_that_went() {
    let went = |before: Told, version| {
        let mut watched = watched();
        watched.heard(1, told(before.sent.0 / 1_000_000 - 5, 4, GROUP));
        watched.heard(1, before);
        watched.begin(written(900, version));
        look(&mut watched, told(900, version, GROUP));
        held(&mut watched)
    };
    assert_eq!(went(told(100, 4, NEAR), 5), [(4, Ended::Invalidated, ms(900))]);
    assert_eq!(went(told(100, 4, GROUP), 5), [], "whether it was kept?");
    assert_eq!(went(told(100, 4, None), 5), [], "it does not tell");
    assert_eq!(went(told(100, 4, NEAR), 6), [], "version 5 may have driven it out");
}

#[test]
fn a_copy_that_stays_is_told_with_how_it_ended() {
    let mut watched = watched();
    watched.heard(1, told(10, 4, GROUP));
    watched.begin(written(100, 5));
    look(&mut watched, told(1_000, 4, NEAR));
    look(&mut watched, told(1_011, 5, GROUP));
    assert_eq!(held(&mut watched), [(4, Ended::Expired, ms(1_000))], "its own time was over");
    watched.heard(1, told(1_012, 5, GROUP));
    watched.begin(written(1_100, 6));
    look(&mut watched, told(2_100, 5, NEAR));
    look(&mut watched, told(2_201, 5, NEAR));
    assert_eq!(watched.next(), None, "long enough");
    assert_eq!(held(&mut watched), [(5, Ended::Open, ms(2_201))]);
    watched.heard(1, told(2_300, 6, NEAR));
    watched.begin(written(2_400, 7));
    look(&mut watched, told(2_401, 6, NEAR));
    watched.forget_all();
    assert_eq!(held(&mut watched), [(6, Ended::Lost, ms(2_401))]);
}

/// A user's read counts as a look does, and so does what a library that does not tell answers.
#[test]
fn what_users_find_counts() {
    let mut watched = watched();
    watched.heard(1, told(10, 4, None));
    watched.begin(written(100, 5));
    look(&mut watched, told(100, 4, None));
    watched.heard(1, told(140, 4, None));
    look(&mut watched, told(150, 5, None));
    assert_eq!(held(&mut watched), [(4, Ended::Invalidated, ms(140))]);
}

#[test]
fn an_older_copy_in_the_group_is_told_apart() {
    let mut watched = watched();
    watched.heard(1, told(10, 4, NEAR));
    watched.begin(written(100, 5));
    look(&mut watched, told(101, 4, GROUP));
    let noted = watched.take(false);
    let is_group = |noted: &Noted| {
        matches!(noted.action, Action::Cache(CacheOp::Read { from: FoundIn::Group, .. }))
    };
    assert_eq!(noted.iter().filter(|noted| is_group(noted)).count(), 1, "{noted:?}");
    look(&mut watched, told(102, 5, GROUP));
    assert_eq!(watched.next(), None);
}

#[test]
fn of_many_writes_some_are_watched() {
    let writes = Writes::new();
    let mut heard = writes.hear();
    for n in 0..100 {
        writes.offer(written(n * 5, n));
    }
    let mut versions = Vec::new();
    while let Ok(written) = heard.try_recv() {
        versions.push(written.version);
    }
    assert_eq!(versions, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
}
