//! Plays a scenario from start to end. The only place that knows all the parts.
