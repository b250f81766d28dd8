//! The load against real servers, and against fake ones that misbehave to order.
//!
//! The server is `$REDRILL_SERVER`, else `redis-server` or `valkey-server` from
//! the PATH.

mod load {
    mod cluster;
    mod fake;
    mod misbehaviour;
    mod outside;
    mod real;
    mod refusal;
    mod stall;
    mod support;
}
