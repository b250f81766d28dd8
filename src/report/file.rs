//! What the files of a run folder are called.

pub const EVENTS: &str = "events.jsonl";
pub const HISTORY: &str = "history.jsonl.zst";
pub const SCENARIO: &str = "scenario.yaml";
pub const JSON: &str = "report.json";
pub const HTML: &str = "report.html";
pub const MARKDOWN: &str = "report.md";
pub const JUNIT: &str = "junit.xml";
