//! Links that are cut, slow, narrow, or lose their connections.

use std::net::IpAddr;

use async_trait::async_trait;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{ActiveFault, Fault, Injected, Note, Site, Undo};
use crate::backend::{Backend, CutId, Deaf};
use crate::model::traffic::End;
use crate::net::{CutEntry, Fabric, Guard, Pairs, Rule};
use crate::node::Node;
use crate::spec::network;
use crate::spec::step::{Bandwidth, Latency, Partition, Refuse, Reset, Trickle, Via};

#[async_trait]
impl Fault for Partition {
    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        let entry = hit.pairs.clone().map(|pairs| site.deployment.cuts.add(pairs));
        let (mut active, error) = match self.via {
            Via::Relay => apply(Rule::cut(), site, hit),
            Via::Kernel => cut(site, hit).await,
        };
        if error.is_none() {
            active.undo.push(Box::new(Listed(entry)));
        }
        (active, error)
    }
}

#[async_trait]
impl Fault for Latency {
    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        apply(Rule { jitter: self.jitter, ..Rule::latency(self.latency.0) }, site, hit)
    }
}

#[async_trait]
impl Fault for Bandwidth {
    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        apply(Rule::bandwidth(self.bandwidth.0), site, hit)
    }
}

#[async_trait]
impl Fault for Trickle {
    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        let trickle = network::Trickle { bytes: self.bytes.0 as usize, rest: self.rest.0 };
        apply(Rule { trickle: Some(trickle), ..Rule::default() }, site, hit)
    }
}

#[async_trait]
impl Fault for Refuse {
    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        apply(Rule::refuse(self.share.0 / 100.0), site, hit)
    }
}

#[async_trait]
impl Fault for Reset {
    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        let Some((fabric, pairs)) = relayed(site, hit) else { return failed(FaultError::NoRelay) };
        fabric.reset(pairs, self.share.0 / 100.0);
        active(hit, None)
    }
}

fn active(hit: &Hit, undo: Option<Box<dyn Undo>>) -> Injected {
    let undo = undo.into_iter().collect();
    (ActiveFault { nodes: hit.nodes.clone(), undo, ..ActiveFault::default() }, None)
}

fn failed(error: FaultError) -> Injected {
    (ActiveFault::default(), Some(error))
}

fn relayed<'f>(site: Site<'f>, hit: &'f Hit) -> Option<(&'f Fabric, &'f Pairs)> {
    Some((site.deployment.network.as_ref()?.fabric(), hit.pairs.as_ref()?))
}

/// The rule holds for the links that are hit until it is undone.
fn apply(rule: Rule, site: Site<'_>, hit: &Hit) -> Injected {
    match relayed(site, hit) {
        Some((fabric, pairs)) => active(hit, Some(Box::new(fabric.apply(&rule, pairs.clone())))),
        None => failed(FaultError::NoRelay),
    }
}

/// The kernel cuts nodes off from each other.
async fn cut(site: Site<'_>, hit: &Hit) -> Injected {
    let nodes: Vec<&Node> = site.deployment.nodes().collect();
    let Some(pairs) = &hit.pairs else { return failed(FaultError::NoRelay) };
    match site.backend.cut(deaf(pairs, &nodes)).await {
        Ok(cut) => active(hit, Some(Box::new(Cut(Some(cut))))),
        Err(error) => failed(error.into()),
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

#[async_trait]
impl Undo for Guard {
    async fn undo(&mut self, _: &dyn Backend) -> Result<Option<Note>, FaultError> {
        Guard::undo(self);
        Ok(None)
    }
}

/// A cut that is on the deployment's list.
struct Listed(Option<CutEntry>);

#[async_trait]
impl Undo for Listed {
    async fn undo(&mut self, _: &dyn Backend) -> Result<Option<Note>, FaultError> {
        self.0 = None;
        Ok(None)
    }
}

/// A cut that the kernel makes. It ends with its containers at the latest.
struct Cut(Option<CutId>);

#[async_trait]
impl Undo for Cut {
    async fn undo(&mut self, backend: &dyn Backend) -> Result<Option<Note>, FaultError> {
        if let Some(cut) = self.0.take() {
            backend.heal(cut).await?;
        }
        Ok(None)
    }
}
