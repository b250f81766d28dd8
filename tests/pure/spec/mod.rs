//! What users write: what is accepted, what is refused, and in which words.

mod command;
mod docs;
mod faults;
mod fuzz;
mod meaning;
mod schemas;

use redrill::spec::{self, Diagnostic, Diagnostics, FileKind, Options, Scenario, Source, library};

/// A ready topology by its name, and nothing else.
fn resolve(name: &str) -> Result<Source, Diagnostic> {
    library::find(FileKind::Topology, name).map(|ready| ready.source()).ok_or_else(|| {
        Diagnostic::nowhere(format!("there is no topology `{name}`"), "use a ready one")
    })
}

fn scenario(text: &str, options: &Options) -> Result<Scenario, Diagnostics> {
    spec::parse_scenario(&Source::new("scenario.yaml", text), &resolve, options)
}

/// Whatever kind of file it is: nothing if it is right, else all its faults.
fn faults(source: &Source, options: &Options) -> Option<Diagnostics> {
    match spec::kind_of(source) {
        Err(faults) => Some(faults),
        Ok(FileKind::Topology) => spec::parse_topology(source, options).err(),
        Ok(FileKind::Scenario) => spec::parse_scenario(source, &resolve, options).err(),
    }
}
