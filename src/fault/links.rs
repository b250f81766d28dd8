//! Links that are cut, slow, narrow, or lose their connections.

use std::net::IpAddr;

use futures::FutureExt;
use futures::future::ready;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{ActiveFault, Fault, Injected, Site, Undo, Undone};
use crate::backend::{Backend, CutId, Deaf};
use crate::model::traffic::End;
use crate::net::{Fabric, Guard, Pairs, Rule};
use crate::node::Node;
use crate::spec::network;
use crate::spec::step::{Bandwidth, Latency, Partition, Refuse, Reset, Trickle, Via};

impl Fault for Partition {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        match self.via {
            Via::Relay => ready(apply(Rule::cut(), site, hit)).boxed(),
            Via::Kernel => cut(site, hit).boxed(),
        }
    }
}

impl Fault for Latency {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        let rule = Rule { jitter: self.jitter, ..Rule::latency(self.latency.0) };
        ready(apply(rule, site, hit)).boxed()
    }
}

impl Fault for Bandwidth {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        ready(apply(Rule::bandwidth(self.bandwidth.0), site, hit)).boxed()
    }
}

impl Fault for Trickle {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        let trickle = network::Trickle { bytes: self.bytes.0 as usize, rest: self.rest.0 };
        ready(apply(Rule { trickle: Some(trickle), ..Rule::default() }, site, hit)).boxed()
    }
}

impl Fault for Refuse {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        ready(apply(Rule::refuse(self.share.0 / 100.0), site, hit)).boxed()
    }
}

impl Fault for Reset {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        let Some((fabric, pairs)) = relayed(site, hit) else { return ready(no_relay()).boxed() };
        fabric.reset(pairs, self.share.0 / 100.0);
        ready((done(hit), None)).boxed()
    }
}

fn done(hit: &Hit) -> ActiveFault {
    ActiveFault { nodes: hit.nodes.clone(), ..ActiveFault::default() }
}

fn no_relay() -> (ActiveFault, Option<FaultError>) {
    (ActiveFault::default(), Some(FaultError::NoRelay))
}

fn relayed<'f>(site: Site<'f>, hit: &'f Hit) -> Option<(&'f Fabric, &'f Pairs)> {
    Some((site.deployment.network.as_ref()?.fabric(), hit.pairs.as_ref()?))
}

/// The rule holds for the links that are hit until it is undone.
fn apply(rule: Rule, site: Site<'_>, hit: &Hit) -> (ActiveFault, Option<FaultError>) {
    let Some((fabric, pairs)) = relayed(site, hit) else { return no_relay() };
    let guard = fabric.apply(&rule, pairs.clone());
    let undo: Box<dyn Undo> = Box::new(Held(Some(guard)));
    (ActiveFault { undo: vec![undo], ..done(hit) }, None)
}

/// The kernel cuts nodes off from each other.
async fn cut(site: Site<'_>, hit: &Hit) -> (ActiveFault, Option<FaultError>) {
    let nodes: Vec<&Node> = site.deployment.nodes().collect();
    let Some(pairs) = &hit.pairs else { return no_relay() };
    match site.backend.cut(deaf(pairs, &nodes)).await {
        Ok(cut) => (ActiveFault { undo: vec![Box::new(Cut(Some(cut)))], ..done(hit) }, None),
        Err(error) => (ActiveFault::default(), Some(error.into())),
    }
}

/// Which of `nodes` no longer hear which, where `pairs` are cut.
pub fn deaf(pairs: &Pairs, nodes: &[&Node]) -> Deaf {
    let end = |node: &Node| End::from(node.name.clone());
    let unheard = |to: &Node| -> Vec<IpAddr> {
        let from = nodes.iter().filter(|from| pairs.has(&end(from), &end(to)));
        from.map(|from| from.addr.ip()).collect()
    };
    let deaf = nodes.iter().map(|to| (to.name.clone(), unheard(to)));
    deaf.filter(|(_, from)| !from.is_empty()).collect()
}

/// A rule of the relay.
struct Held(Option<Guard>);

impl Undo for Held {
    fn undo<'u>(&'u mut self, _: &'u dyn Backend) -> Undone<'u> {
        self.0.take();
        ready(Ok(None)).boxed()
    }
}

/// A cut that the kernel makes. It ends with its containers at the latest.
struct Cut(Option<CutId>);

impl Undo for Cut {
    fn undo<'u>(&'u mut self, backend: &'u dyn Backend) -> Undone<'u> {
        let cut = self.0.take();
        async move {
            if let Some(cut) = cut {
                backend.heal(cut).await?;
            }
            Ok(None)
        }
        .boxed()
    }
}
