//! Which of several standby groups takes the writes of a shard. `rules/standby.lua` says what
//! follows from it.

use std::time::Duration;

use redis::{Cmd, Pipeline};

use super::shard::Tag;

/// The code of the error with which a group refuses a write that another one takes.
pub const STANDBY: &str = "STANDBY";

/// A later one is greater. Of two with one number the names decide, so that all agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// 0: there was none yet.
    pub number: u64,
    /// The group that takes the writes; empty if nobody does.
    pub taker: String,
}

/// What [`ask`] and [`tell`] are answered.
pub type Answer = (Option<u64>, Option<String>);
/// What [`tell_all`] is answered: that, and how many replicas know it.
pub type AnswerOfAll = (Answer, u32);

impl Term {
    /// The first one.
    pub fn first(taker: &str) -> Term {
        Term { number: 1, taker: taker.to_owned() }
    }

    /// The one after it, in which `taker` takes the writes.
    pub fn next(&self, taker: &str) -> Term {
        Term { number: self.number + 1, taker: taker.to_owned() }
    }

    /// The one after it, in which nobody takes the writes.
    pub fn nobodys(&self) -> Term {
        self.next("")
    }
}

impl From<Answer> for Term {
    fn from((number, taker): Answer) -> Term {
        Term { number: number.unwrap_or(0), taker: taker.unwrap_or_default() }
    }
}

fn key(tag: &Tag) -> String {
    format!("redrill:sync{tag}")
}

/// Asks the primary of a shard for the latest term that it knows.
pub fn ask(tag: &Tag) -> Cmd {
    let mut cmd = redis::cmd("HMGET");
    cmd.arg(key(tag)).arg("term").arg("taker");
    cmd
}

/// Tells it of one, and asks for the latest that it knows then. Another shard's primary refuses.
pub fn tell(term: &Term, tag: &Tag) -> Cmd {
    let mut cmd = redis::cmd("FCALL");
    cmd.arg("redrill_term").arg(1).arg(key(tag)).arg(term.number).arg(&term.taker);
    cmd
}

/// The same, and waits until so many replicas know it, but no longer than that: a replica that is
/// promoted and does not know it would take writes, or refuse them, as before.
pub fn tell_all(term: &Term, tag: &Tag, (replicas, most): (u32, Duration)) -> Pipeline {
    let mut both = redis::pipe();
    both.add_command(tell(term, tag));
    both.cmd("WAIT").arg(replicas).arg(most.as_millis() as u64);
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_term_is_greater_and_names_decide_between_two_of_one_number() {
        let first = Term::first("us");
        assert!(first > Term::from((None, None)));
        assert!(first.nobodys() > first && first.nobodys().next("eu") > first.nobodys());
        assert!(first.next("eu") < first.next("us") && first.nobodys() < first.next("eu"));
        assert_eq!(Term::from((Some(2), Some("eu".to_owned()))), first.next("eu"));
    }
}
