//! Bringing up every kind of group on real servers, and taking it down again.

#[path = "../common/mod.rs"]
mod common;
mod composed;
mod conformance;
mod place;
mod refusals;
