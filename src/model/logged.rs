//! Lines of servers' logs that explain what a drill saw.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::NodeName;
use super::words::words;

words! {
    /// What a line is about.
    pub enum LogTopic {
        /// A disk has no room, or a file may not get larger.
        Disk "disk",
        /// The server or its machine has no memory left.
        Memory "memory",
        /// It accepts no more connections.
        Clients "clients",
        /// Why a failover has not come, or not in time.
        Failover "failover",
        /// A sentinel does not trust its own clock.
        Tilt "tilt",
        /// A replica has to get all data again.
        Replication "replication",
        /// It cannot read the data that it was given.
        Data "data",
    }
}

/// The words that lines of each topic have, in lower case, in any of the engines.
const WORDS: [(LogTopic, &[&str]); 7] = [
    (
        LogTopic::Disk,
        &[
            "no space left on device",
            "file too large",
            "disk quota exceeded",
            "short write while writing to the aof",
        ],
    ),
    (
        LogTopic::Memory,
        &["cannot allocate memory", "out of memory", "can't allocate", "oom command not allowed"],
    ),
    (LogTopic::Clients, &["too many open files", "max number of clients reached"]),
    (
        LogTopic::Failover,
        &[
            "currently unable to failover",
            "manual failover timed out",
            "failover attempt expired",
            "failover auth denied",
            "no good slave",
            "no-good-slave",
            "failover-abort",
        ],
    ),
    (LogTopic::Tilt, &["+tilt", "entering tilt mode"]),
    (LogTopic::Replication, &["overcoming of output buffer limits", "scheduled to be closed asap"]),
    (
        LogTopic::Data,
        &["can't handle rdb format version", "wrong signature trying to load", "bad file format"],
    ),
];

impl LogTopic {
    /// The topic of a line; none of most lines.
    pub fn of_line(line: &str) -> Option<LogTopic> {
        let line = line.to_lowercase();
        let is_on = |words: &[&str]| words.iter().any(|word| line.contains(word));
        WORDS.iter().find(|(_, words)| is_on(words)).map(|(topic, _)| *topic)
    }
}

/// A line of a server's log that explains something, without characters that act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    #[schemars(with = "String")]
    pub node: NodeName,
    pub topic: LogTopic,
    /// The first such line.
    pub text: String,
    /// How many lines differ from it in numbers only, itself included.
    pub count: u64,
}

/// So many different lines of a server are kept, and so much of each.
const LINES: usize = 8;
const LENGTH: usize = 200;

/// The lines of a server's log that explain something. Lines that differ in numbers only are one.
pub fn explaining<'l>(node: &NodeName, log: impl Iterator<Item = &'l str>) -> Vec<LogLine> {
    let mut kept: Vec<(String, LogLine)> = Vec::new();
    for line in log {
        let line: String = line.chars().take(4 * LENGTH).collect();
        let Some(topic) = LogTopic::of_line(&line) else { continue };
        let message = without_stamp(&line);
        let pattern: String = message.chars().filter(|c| !c.is_ascii_hexdigit()).collect();
        let room = kept.len() < LINES;
        match kept.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, line)) => line.count += 1,
            None if room => {
                let text = super::printable(line.trim()).chars().take(LENGTH).collect();
                kept.push((pattern, LogLine { node: node.clone(), topic, text, count: 1 }));
            }
            None => {}
        }
    }
    kept.into_iter().map(|(_, line)| line).collect()
}

/// `26:S 25 Nov 2026 18:20:11.001 # Manual failover timed out.` without what comes before the words.
fn without_stamp(line: &str) -> &str {
    let level = [" # ", " * ", " - ", " . "];
    let at = level.iter().filter_map(|level| line.find(level).map(|at| at + level.len())).min();
    at.map_or(line, |at| &line[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_in_numbers_are_one_and_most_lines_are_none() {
        let log = "26:S 25 Nov 2026 18:20:11.001 # Manual failover timed out.\n\
                   26:M 25 Nov 2026 18:20:12.001 * Ready to accept connections\n\
                   26:S 25 Nov 2026 18:21:11.001 # Manual failover timed out.\n\
                   26:M 25 Nov 2026 18:21:12.001 # Write error: No space left on device \u{1b}[2J";
        let lines = explaining(&NodeName::new("c", 1, 0), log.lines());
        let told: Vec<_> = lines.iter().map(|line| (line.topic, line.count)).collect();
        assert_eq!(told, [(LogTopic::Failover, 2), (LogTopic::Disk, 1)]);
        assert!(lines[0].text.ends_with("18:20:11.001 # Manual failover timed out."));
        assert!(!lines[1].text.contains('\u{1b}'), "{}", lines[1].text);
    }

    #[test]
    fn a_log_of_any_size_gives_few_short_lines() {
        let word = |n: u32| char::from_u32(0x3b1 + n).unwrap().to_string();
        let line = |n| format!("out of memory {} {}", word(n), "x".repeat(10_000));
        let log: Vec<String> = (0..100).map(line).collect();
        let lines = explaining(&NodeName::new("c", 1, 0), log.iter().map(String::as_str));
        assert_eq!(lines.len(), LINES);
        assert!(lines.iter().all(|line| line.text.chars().count() <= LENGTH));
    }

    #[test]
    fn the_words_of_each_topic_are_in_lower_case() {
        for (topic, words) in WORDS {
            for word in words {
                assert_eq!(LogTopic::of_line(&word.to_uppercase()), Some(topic), "{word}");
            }
        }
    }
}
