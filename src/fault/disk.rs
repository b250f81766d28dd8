//! A disk that is full or slow for a server, by the preload library.

use futures::FutureExt;

use super::hit::Hit;
use super::life::{Fault, Injected, Site, on_each};
use super::strains::Strain;
use crate::spec::step::{DiskFull, SlowDisk};

impl Fault for DiskFull {
    /// A server that cannot write its append-only file or `nodes.conf` ends.
    fn may_end_servers(&self) -> bool {
        true
    }

    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(hit, move |name| async move {
            let files = self.files.part_of_path(&site.group.spec);
            site.strain_by_library(&site.node(name)?, Strain::FullDisk { files }).await
        })
        .boxed()
    }
}

impl Fault for SlowDisk {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(hit, move |name| async move {
            let files = self.files.part_of_path(&site.group.spec);
            let strain = Strain::SlowDisk { fsync: self.fsync.0, write: self.write.0, files };
            site.strain_by_library(&site.node(name)?, strain).await
        })
        .boxed()
    }
}
