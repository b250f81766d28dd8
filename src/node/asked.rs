//! What was asked of a node and what came of it, as lines of the log.

use std::fmt::{self, Write};
use std::time::Duration;

use redis::{Arg, Cmd, Pipeline, RedisResult, Value};
use tracing::{debug, info, trace};

use super::NodeError;
use crate::model::NodeName;

/// So many characters of a command or an answer are told.
const LONGEST: usize = 160;

/// One request. Many are sent each second by whoever watches: these are a matter of `trace`.
pub(super) struct Asked<'a> {
    pub(super) node: &'a NodeName,
    pub(super) routine: bool,
    pub(super) took: Duration,
}

impl Asked<'_> {
    pub(super) fn query(&self, cmd: &Cmd, answer: &Result<Value, NodeError>) {
        let (node, took, command) = (self.node, self.took, Words(cmd));
        match answer {
            Ok(answer) if self.routine => trace!(%node, %command, answer = %Brief(answer), ?took),
            Ok(answer) => debug!(%node, %command, answer = %Brief(answer), ?took),
            Err(error) => self.failed(error),
        }
    }

    pub(super) fn pipeline(
        &self,
        pipeline: &Pipeline,
        answers: &Result<Vec<RedisResult<Value>>, NodeError>,
    ) {
        let (node, took, commands) = (self.node, self.took, pipeline.len());
        let Some(first) = pipeline.cmd_iter().next().map(Words) else { return };
        match answers {
            Ok(answers) => match answers.iter().find_map(|answer| answer.as_ref().err()) {
                None => debug!(%node, commands, %first, ?took),
                Some(refused) => info!(%node, commands, %first, %refused, ?took),
            },
            Err(error) => self.failed(error),
        }
    }

    /// One that is not there is asked again and again, while it starts and when it has died.
    fn failed(&self, error: &NodeError) {
        match error.is_gone() {
            _ if self.routine => trace!(%error, took = ?self.took),
            true => debug!(%error, took = ?self.took),
            false => info!(%error, took = ?self.took),
        }
    }
}

/// A command as a person types it.
struct Words<'a>(&'a Cmd);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_brief(f, |brief| {
            self.0.args_iter().enumerate().try_for_each(|(i, arg)| {
                let gap = if i == 0 { "" } else { " " };
                match arg {
                    Arg::Simple(word) => write!(brief, "{gap}{}", String::from_utf8_lossy(word)),
                    _ => write!(brief, "{gap}…"),
                }
            })
        })
    }
}

struct Brief<'a>(&'a Value);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_brief(f, |brief| write!(brief, "{:?}", self.0))
    }
}

/// Writes no more than the beginning of what `write` makes.
fn in_brief(
    f: &mut fmt::Formatter<'_>,
    write: impl FnOnce(&mut Beginning) -> fmt::Result,
) -> fmt::Result {
    let mut beginning = Beginning { text: String::new(), left: LONGEST };
    let whole = write(&mut beginning).is_ok();
    write!(f, "{}{}", beginning.text, if whole { "" } else { " …" })
}

struct Beginning {
    text: String,
    left: usize,
}

impl Write for Beginning {
    /// An error when there is no more room: nobody need go on.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.char_indices().nth(self.left).map_or(text.len(), |(end, _)| end);
        self.text.push_str(&text[..fits]);
        self.left -= text[..fits].chars().count();
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_and_answers_are_told_in_brief() {
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("SETSLOT").arg(5).arg("NODE");
        assert_eq!(Words(&cmd).to_string(), "CLUSTER SETSLOT 5 NODE");
        cmd.arg("é".repeat(500));
        let told = Words(&cmd).to_string();
        assert!(told.ends_with("éé …") && told.chars().count() == LONGEST + 2, "{told}");
        let all = Value::Array(vec![Value::Int(1); 10_000]);
        assert!(Brief(&all).to_string().len() < 2 * LONGEST);
        assert_eq!(Brief(&Value::Okay).to_string(), "ok");
    }
}
