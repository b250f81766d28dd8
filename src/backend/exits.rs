//! What is told of a server, or of another program, that has ended.

use std::fmt;

use crate::model::NodeName;

/// A node's server has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeExited {
    pub name: NodeName,
    /// As text for a person: `exit status: 1`, `signal: 9 (SIGKILL)`.
    pub status: String,
    /// Whether redrill had asked for it.
    pub asked: bool,
    /// redrill does not know that the server has ended, but cannot see it any more.
    pub out_of_sight: bool,
    /// The last lines of its log.
    pub log_tail: String,
}

/// A line of its configuration with which a server refused to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDirective {
    pub line: String,
    /// In the server's own words; may be empty.
    pub reason: String,
}

impl NodeExited {
    /// The directive that the server refused, if it ended because of that. Servers print ``>>>
    /// 'the line'`` and the reason on the next line.
    pub fn refused_directive(&self) -> Option<RefusedDirective> {
        let at_fault = self.log_tail.rfind("FATAL CONFIG FILE ERROR")?;
        let mut lines = self.log_tail[at_fault..].lines();
        let line = lines.find_map(|line| line.strip_prefix(">>> "))?;
        let line = line.trim().trim_matches('\'').to_owned();
        Some(RefusedDirective { line, reason: lines.next().unwrap_or_default().trim().to_owned() })
    }
}

impl fmt::Display for NodeExited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.out_of_sight {
            return write!(f, "{} is out of sight: {}", self.name, self.status);
        }
        write!(f, "{} ended ({})", self.name, self.status)?;
        match self.log_tail.is_empty() {
            true => write!(f, ", and its log is empty"),
            false => write!(f, "; the last lines of its log:\n{}", indented(&self.log_tail)),
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}
