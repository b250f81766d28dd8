//! The groups of a topology that a load names.

use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::nearest;
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};

/// The groups of these names, each once.
pub fn named<'t>(
    names: &[At<String>],
    span: &Span,
    topology: &'t Topology,
    errors: &mut Diagnostics,
) -> Option<Vec<&'t Group>> {
    let mut found: Vec<&Group> = Vec::new();
    for name in names {
        let group = group(&Field::Given(name.clone()), span, topology, errors)?;
        if found.iter().any(|other| other.name == group.name) {
            let message = format!("`{}` is named twice", group.name);
            let advice = "name another group: each is a deployment of its own";
            errors.add(&name.span, message, advice);
            return None;
        }
        found.push(group);
    }
    Some(found)
}

/// The group that is named, or the only one; `span` is to blame for naming none.
pub fn group<'t>(
    name: &Field<String>,
    span: &Span,
    topology: &'t Topology,
    errors: &mut Diagnostics,
) -> Option<&'t Group> {
    let known: Vec<&str> = topology.groups.iter().map(|group| &*group.name).collect();
    match (name, &topology.groups[..]) {
        (Field::Bad, _) => None,
        (Field::Missing, [only]) => Some(only),
        (Field::Missing, _) => {
            let message =
                format!("`group` is needed: `{}` has {} groups", topology.name, known.len());
            let advice = format!("add `group:` with one of: {}", known.join(", "));
            errors.add(span, message, advice);
            None
        }
        (Field::Given(at), groups) => {
            let found = groups.iter().find(|group| group.name == at.value);
            if found.is_none() {
                let message =
                    format!("the topology `{}` has no group `{}`", topology.name, at.value);
                let advice = nearest::advice("groups", &at.value, &known);
                errors.add(&at.span, message, advice);
            }
            found
        }
    }
}
