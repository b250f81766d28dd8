//! A server that does not run: a stalled machine. Connections stay, and nothing answers.

use futures::FutureExt;

use super::hit::Hit;
use super::life::{Fault, Injected, Site, on_each};
use super::strains::Strain;
use crate::spec::step::Pause;

impl Fault for Pause {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(
            hit,
            move |name| async move { site.strain(&site.node(name)?, Strain::Paused).await },
        )
        .boxed()
    }
}
