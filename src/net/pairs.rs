//! The pairs of ends that a rule applies to.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::traffic::End;

/// A set of ends, including ends that are not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    Only(BTreeSet<End>),
    AllBut(BTreeSet<End>),
}

impl Ends {
    pub fn all() -> Ends {
        Ends::AllBut(BTreeSet::new())
    }

    pub fn only<E: Into<End>>(ends: impl IntoIterator<Item = E>) -> Ends {
        Ends::Only(ends.into_iter().map(Into::into).collect())
    }

    /// All ends that are not in this set.
    pub fn others(&self) -> Ends {
        match self {
            Ends::Only(ends) => Ends::AllBut(ends.clone()),
            Ends::AllBut(ends) => Ends::Only(ends.clone()),
        }
    }

    pub fn has(&self, end: &End) -> bool {
        match self {
            Ends::Only(ends) => ends.contains(end),
            Ends::AllBut(ends) => !ends.contains(end),
        }
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |ends: &BTreeSet<End>| ends.iter().map(End::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Ends::Only(ends) => write!(f, "{}", names(ends)),
            Ends::AllBut(ends) if ends.is_empty() => write!(f, "all"),
            Ends::AllBut(ends) => write!(f, "all but {}", names(ends)),
        }
    }
}

/// Directed pairs of ends, as one or more ways. Every way has a separate bandwidth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    ways: Vec<(Ends, Ends)>,
}

impl fmt::Display for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = self.ways.iter().map(|(from, to)| format!("{from} to {to}"));
        write!(f, "{}", ways.collect::<Vec<_>>().join("; "))
    }
}

impl Pairs {
    pub fn one_way(from: Ends, to: Ends) -> Pairs {
        Pairs { ways: vec![(from, to)] }
    }

    /// Both ways.
    pub fn between(one: Ends, other: Ends) -> Pairs {
        Pairs { ways: vec![(one.clone(), other.clone()), (other, one)] }
    }

    /// These ends against all others, both ways.
    pub fn around(ends: Ends) -> Pairs {
        let others = ends.others();
        Pairs::between(ends, others)
    }

    /// These pairs, and those too.
    pub fn and(mut self, more: Pairs) -> Pairs {
        self.ways.extend(more.ways);
        self
    }

    pub fn has(&self, from: &End, to: &End) -> bool {
        self.way(from, to).is_some()
    }

    /// The first way that leads from one end to the other.
    pub(super) fn way(&self, from: &End, to: &End) -> Option<usize> {
        self.ways.iter().position(|(one, other)| one.has(from) && other.has(to))
    }

    pub(super) fn ways(&self) -> usize {
        self.ways.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn node(ordinal: u32) -> End {
        NodeName::new("cache", 0, ordinal).into()
    }

    #[test]
    fn a_node_is_cut_off_from_all_others_and_not_from_itself() {
        let around = Pairs::around(Ends::only([node(0)]));
        assert!(around.has(&node(0), &node(1)) && around.has(&node(1), &node(0)));
        assert!(around.has(&End::Clients(None), &node(0)) && around.has(&node(0), &End::Outside));
        assert!(!around.has(&node(0), &node(0)) && !around.has(&node(1), &node(2)));
    }

    #[test]
    fn one_way_leads_one_way() {
        let way = Pairs::one_way(Ends::only([node(0)]), Ends::only([node(1)]));
        assert!(way.has(&node(0), &node(1)) && !way.has(&node(1), &node(0)));
        let both = way.and(Pairs::one_way(Ends::only([node(1)]), Ends::all()));
        assert_eq!(both.way(&node(0), &node(1)), Some(0));
        assert_eq!(both.way(&node(1), &node(0)), Some(1));
        assert!(!both.has(&node(0), &node(2)));
    }
}
