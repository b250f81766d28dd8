//! The nodes' files on disk while they live: a directory each.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::config;
use super::super::logs::{Logs, cannot_write};
use super::super::preload::{self, Control};
use super::super::private::nodes_dir;
use super::super::programs::remove;
use super::super::{BackendError, NodePlan};
use crate::files::make;
use crate::model::NodeName;

/// `nodes/` in a run folder.
pub struct Folder {
    nodes: PathBuf,
}

impl Folder {
    /// `run_folder` must be absolute: servers change their directory.
    pub fn make(run_folder: &Path) -> Result<Folder, BackendError> {
        let folder = Folder { nodes: nodes_dir(run_folder) };
        make::dir(&folder.nodes).map_err(|e| cannot_write(&folder.nodes, e))?;
        Ok(folder)
    }

    /// The node's own directory.
    pub fn node(&self, name: &NodeName) -> PathBuf {
        self.nodes.join(name.file_name())
    }

    /// The node's redis.conf, as [`Folder::write_node`] wrote it.
    pub fn conf(&self, name: &NodeName) -> PathBuf {
        self.node(name).join(config::FILE)
    }

    /// Creates the node's directory, with the files that it starts from.
    pub fn write_node(&self, plan: &NodePlan, logs: &Logs) -> Result<(), BackendError> {
        let dir = self.node(&plan.name);
        make::dir(&dir).map_err(|e| cannot_write(&dir, e))?;
        let text = config::text(plan, &dir, &logs.path(&plan.name));
        let conf = (config::FILE.to_owned(), text);
        for (name, content) in plan.files.iter().chain([&conf]) {
            let path = dir.join(name);
            make::write(&path, content).map_err(|e| cannot_write(&path, e))?;
        }
        Ok(())
    }

    /// The folder of the preload library, with a control file for each node.
    pub fn preload(&self) -> PathBuf {
        // No node has this name: their names end with two numbers.
        self.nodes.join("preload")
    }

    pub fn control(&self, name: &NodeName) -> PathBuf {
        self.preload().join(name.file_name())
    }

    pub fn write_preload(&self) -> Result<(), BackendError> {
        let path = self.preload().join(preload::FILE);
        let made = make::dir(&self.preload());
        made.and_then(|()| make::write(&path, preload::LIBRARY)).map_err(|e| cannot_write(&path, e))
    }

    /// Replaces the file at once, because it is read all the time.
    pub fn write_control(&self, name: &NodeName, control: &Control) -> Result<(), BackendError> {
        let path = self.control(name);
        make::replace(&path, control.to_bytes()).map_err(|e| cannot_write(&path, e))
    }

    /// Removes everything that the node wrote, but for the files that its plan gave it, which stay
    /// as the node left them.
    pub fn drop_data(&self, plan: &NodePlan, logs: &Logs) -> Result<(), BackendError> {
        let (dir, mut plan) = (self.node(&plan.name), plan.clone());
        for (name, content) in &mut plan.files {
            let path = dir.join(name);
            *content = fs::read_to_string(&path).map_err(|e| cannot_write(&path, e))?;
        }
        remove(&dir)?;
        self.write_node(&plan, logs)
    }
}
