//! What users write: what is accepted, what is refused, and in which words.

mod command;
mod docs;
mod faults;
mod fuzz;
mod meaning;
mod schemas;

use redrill::spec::{self, Diagnostic, Diagnostics, FileKind, Options, Scenario, Source, library};

/// Two deployments, as `./two.yaml` and as the reference has it.
const TWO: &str = "name: two
groups:
  old: { mode: standalone }
  new: { mode: cluster, shards: 3, replicas: 1 }
";

/// A ready topology by its name, or [`TWO`].
fn resolve(name: &str) -> Result<Source, Diagnostic> {
    if name == "./two.yaml" || name == "./old-and-new.yaml" {
        return Ok(Source::new("two.yaml", TWO));
    }
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
