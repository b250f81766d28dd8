//! A handle on one running server: its admin connection, and its replies as types.
