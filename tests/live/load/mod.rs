//! The load against real servers, and against fake ones that misbehave to order.

mod closed;
mod cluster;
mod fake;
mod misbehaviour;
mod outside;
mod real;
mod refusal;
mod stall;
mod support;
