//! What can go wrong between redrill and one server.

use std::net::SocketAddr;
use std::time::Duration;

use redis::RedisError;

use crate::model::NodeName;

/// A request to a node that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{node} ({addr}): {command}: {problem}")]
pub struct NodeError {
    pub node: NodeName,
    pub addr: SocketAddr,
    /// The first words of the request: `CLUSTER NODES`.
    pub command: String,
    pub problem: Box<Problem>,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing was sent: the server has not joined yet, or has left.
    #[error("it is not there")]
    Absent,
    /// Nothing was sent.
    #[error("cannot connect: {0}")]
    Unreachable(RedisError),
    /// The server may have carried it out, or may still do so.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The server may have carried it out.
    #[error("the connection broke: {0}")]
    Lost(RedisError),
    /// The server answered with an error.
    #[error("the server refused: {}", brief(.0))]
    Refused(RedisError),
    /// An answer that redrill could not parse.
    #[error("the answer makes no sense: {0}")]
    Unreadable(String),
}

/// The greatest length of a refusal in messages: that of a transaction lists the refusal of
/// each command.
const LONGEST: usize = 240;

fn brief(refusal: &RedisError) -> String {
    let text = refusal.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", text[..end].trim_end()),
        None => text,
    }
}

impl NodeError {
    /// The server cannot be reached. An error reply does not count: then the server lives.
    pub fn is_gone(&self) -> bool {
        matches!(
            *self.problem,
            Problem::Absent | Problem::Unreachable(_) | Problem::Timeout(_) | Problem::Lost(_)
        )
    }

    /// The server has not answered in time. It may live.
    pub fn is_silence(&self) -> bool {
        match &*self.problem {
            Problem::Timeout(_) => true,
            Problem::Unreachable(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Nobody listens there.
    pub fn is_refusal(&self) -> bool {
        matches!(&*self.problem, Problem::Unreachable(error) if error.is_connection_refusal())
    }

    /// The error code of the server's answer: `ERR`, `IOERR`, `CLUSTERDOWN`.
    pub fn code(&self) -> Option<&str> {
        match &*self.problem {
            Problem::Refused(reply) => reply.code(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::ErrorKind;

    use super::*;

    #[test]
    fn a_long_refusal_is_told_in_brief() {
        let refusal = |detail: String| RedisError::from((ErrorKind::Client, "no", detail));
        assert!(Problem::Refused(refusal("é".repeat(100))).to_string().ends_with("éé"));
        let long = Problem::Refused(refusal("é".repeat(9_000))).to_string();
        assert!(long.ends_with("éé …") && long.chars().count() < 300, "{long}");
    }
}
