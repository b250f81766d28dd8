//! Open-loop load: workloads, clients, the schedule, the history.
