//! Loads whose keys are there for a time only.

use crate::model::Workload;
use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostics;
use crate::spec::expiry::Expiry;
use crate::spec::file::scenario::LoadMap;
use crate::spec::quantity::{Percent, Time, Times};
use crate::spec::scenario::ClientKind;
use crate::spec::topology::Group;

/// What the load sets and looks at; none if its workload is another one.
pub fn check(
    map: &LoadMap,
    (workload, client): (Workload, &ClientKind),
    group: &Group,
    errors: &mut Diagnostics,
) -> Option<Expiry> {
    if workload != Workload::Expiry {
        if let Some(at) = map.expiry.given() {
            let message = format!("the workload `{}` has no `expiry`", workload.word());
            errors.add(&at.span, message, "write `workload: expiry`, or leave `expiry` out");
        }
        return None;
    }
    if let (true, Some(at)) = (client.is_of_a_library(), map.client.given()) {
        let message = "a library has no order that looks at keys around their end";
        errors.add(&at.span, message, "use `client: redrill`");
    }
    let usual = Expiry::USUAL;
    let Some(At { value: own, .. }) = map.expiry.given() else { return Some(usual) };
    let Times(shortest, longest) = own.lives.or(Times(Time(usual.lives.0), Time(usual.lives.1)));
    if let Some(at) = own.lives.given()
        && shortest.0.is_zero()
    {
        let message = "a key that is there for no time is not there";
        errors.add(&at.span, message, "write how long keys are there, like `500ms..3s`");
    }
    let replicas = own.replicas.or(Percent(0.0)).0 / 100.0;
    if let Some(at) = own.replicas.given()
        && replicas > 0.0
        && !(group.is_cluster() && group.replicas() > 0)
    {
        let message = format!("clients know no replicas of `{}`", group.name);
        let advice = "use a cluster whose shards have replicas, or leave `replicas` out";
        errors.add(&at.span, message, advice);
    }
    Some(Expiry {
        lives: (shortest.0, longest.0),
        together: own.together.or(Time(usual.together)).0,
        looked: own.looked.or(Percent(usual.looked * 100.0)).0 / 100.0,
        replicas,
        every: own.every.or(Time(usual.every)).0,
    })
}
