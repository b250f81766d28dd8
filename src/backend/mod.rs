//! Where servers run.
