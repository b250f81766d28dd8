//! Tests that need no server: what users write and read, reports from run folders, and what
//! the pages say. A new one is a file or a folder here.

mod cli;
mod docs;
mod imports;
mod layers;
mod measures;
mod mutated;
mod report;
mod spec;
