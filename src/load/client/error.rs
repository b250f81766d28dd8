//! The meaning of an error reply for its operation.

use std::net::{IpAddr, SocketAddr};

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::model::op::Cause;

/// What a client does on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The slot has moved to this node permanently.
    Moved(SocketAddr),
    /// The slot is moving to this node; ask there for this key only.
    Ask(SocketAddr),
    TryAgain,
    /// The server refused and did nothing.
    Refused(Cause),
    /// The connection cannot be used any more, and the request may have been carried out.
    Lost,
}

/// `at` is the node that answered: a redirect may leave out the address if it is the same.
pub(crate) fn classify(error: &RedisError, at: IpAddr) -> Reply {
    let redirect = || {
        let (address, _) = error.redirect_node()?;
        parse_address(address, at)
    };
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::Moved) => {
            redirect().map_or(Reply::Refused(Cause::Other), Reply::Moved)
        }
        ErrorKind::Server(ServerErrorKind::Ask) => {
            redirect().map_or(Reply::Refused(Cause::Other), Reply::Ask)
        }
        ErrorKind::Server(ServerErrorKind::TryAgain) => Reply::TryAgain,
        ErrorKind::Server(_) | ErrorKind::Extension => Reply::Refused(refusal(error)),
        _ => Reply::Lost,
    }
}

/// Why the server refused, where `error` is an error reply.
pub(crate) fn refusal(error: &RedisError) -> Cause {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ClusterDown) => Cause::ClusterDown,
        ErrorKind::Server(ServerErrorKind::BusyLoading) => Cause::Loading,
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Cause::ReadOnly,
        ErrorKind::Server(ServerErrorKind::MasterDown) => Cause::MasterDown,
        ErrorKind::Server(ServerErrorKind::TryAgain) => Cause::TryAgain,
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => Cause::Redirects,
        _ if error.code() == Some("OOM") => Cause::OutOfMemory,
        _ if error.code() == Some("MISCONF") => Cause::Misconf,
        _ if error.code() == Some("NOREPLICAS") => Cause::NoReplicas,
        _ => Cause::Other,
    }
}

/// `127.0.0.1:7000`, `::1:7000`, or `:7000` if the node does not give its own address.
pub(crate) fn parse_address(text: &str, at: IpAddr) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let host = if host.is_empty() || host == "?" { at } else { host.parse().ok()? };
    Some(SocketAddr::new(host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_redirects_in_all_their_forms() {
        let at: IpAddr = "127.0.0.9".parse().unwrap();
        let parse = |text| parse_address(text, at).map(|address| address.to_string());
        assert_eq!(parse("127.0.0.1:7000").as_deref(), Some("127.0.0.1:7000"));
        assert_eq!(parse(":7000").as_deref(), Some("127.0.0.9:7000"));
        assert_eq!(parse("?:7000").as_deref(), Some("127.0.0.9:7000"));
        assert_eq!(parse("::1:7000").as_deref(), Some("[::1]:7000"));
        assert_eq!(parse("7000"), None);
        assert_eq!(parse("127.0.0.1:x"), None);
    }
}
