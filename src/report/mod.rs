//! From a run folder to reports: JSON, HTML, Markdown, JUnit, and comparisons.
