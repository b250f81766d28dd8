//! Availability of each slot canary, and convergence of each node's view.
