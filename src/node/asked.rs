//! What was asked of a node and what came of it: a span of the log for each request.

use std::fmt::{self, Write};

use redis::{Arg, Cmd, Pipeline, RedisResult, Value};
use tracing::field::{Empty, display};
use tracing::{Span, debug, debug_span, info, trace, trace_span};

use super::NodeError;
use crate::model::NodeName;

/// So many characters of a command or an answer are told.
const LONGEST: usize = 160;

/// The span of one request. Whoever watches sends many `routine` ones each second: these are a
/// matter of `trace`.
pub(super) fn query(node: &NodeName, cmd: &Cmd, routine: bool) -> Span {
    match routine {
        true => trace_span!("ask", %node, command = %Words(cmd), answer = Empty),
        false => debug_span!("ask", %node, command = %Words(cmd), answer = Empty),
    }
}

/// The span of commands that are sent at once.
pub(super) fn pipeline(node: &NodeName, pipeline: &Pipeline, routine: bool) -> Span {
    let (commands, first) = (pipeline.len(), pipeline.cmd_iter().next().map(Words));
    let first = first.as_ref().map(display);
    match routine {
        true => trace_span!("ask", %node, commands, first),
        false => debug_span!("ask", %node, commands, first),
    }
}

pub(super) fn answered(span: &Span, answer: &Result<Value, NodeError>, routine: bool) {
    match answer {
        Ok(answer) => drop(span.record("answer", display(Brief(answer)))),
        Err(error) => failed(span, error, routine),
    }
}

pub(super) fn answered_all(
    span: &Span,
    answers: &Result<Vec<RedisResult<Value>>, NodeError>,
    routine: bool,
) {
    match answers {
        Ok(answers) => {
            if let Some(refused) = answers.iter().find_map(|answer| answer.as_ref().err()) {
                span.in_scope(|| info!(%refused));
            }
        }
        Err(error) => failed(span, error, routine),
    }
}

/// A node that is not there is asked again and again, while it starts and when it has died.
fn failed(span: &Span, error: &NodeError, routine: bool) {
    span.in_scope(|| match error.is_gone() {
        _ if routine => trace!(%error),
        true => debug!(%error),
        false => info!(%error),
    });
}

/// A command as a person types it.
struct Words<'a>(&'a Cmd);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_brief(f, |brief| {
            let mut secret = false;
            self.0.args_iter().enumerate().try_for_each(|(i, arg)| {
                let gap = if i == 0 { "" } else { " " };
                match arg {
                    // A password follows in MIGRATE.
                    Arg::Simple(word) if !std::mem::replace(&mut secret, word == b"AUTH") => {
                        write!(brief, "{gap}{}", String::from_utf8_lossy(word))
                    }
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
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use parking_lot::Mutex;
    use tracing::Level;

    use super::*;
    use crate::node::Problem;

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

    /// Whoever watches asks a dead node forty times a second.
    #[test]
    fn what_is_asked_routinely_leaves_no_lines_when_it_fails() {
        #[derive(Clone, Default)]
        struct Lines(Arc<Mutex<Vec<u8>>>);

        impl io::Write for Lines {
            fn write(&mut self, text: &[u8]) -> io::Result<usize> {
                self.0.lock().write(text)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let node = NodeName::new("cache", 0, 0);
        let addr = "127.0.0.1:6379".parse().unwrap();
        let problem = Box::new(Problem::Timeout(Duration::from_secs(1)));
        let gone = NodeError { node: node.clone(), addr, command: "PING".into(), problem };
        let lines = Lines::default();
        let to = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::DEBUG);
        let subscriber = subscriber.with_writer(move || to.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let said = |routine| {
                answered(&query(&node, &redis::cmd("PING"), routine), &Err(gone.clone()), routine);
                String::from_utf8(std::mem::take(&mut *lines.0.lock())).unwrap()
            };
            assert_eq!(said(true), "");
            assert!(said(false).contains("no answer within"));
        });
    }
}
