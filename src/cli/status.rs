//! `redrill status`: what runs on this machine, and the state of its servers.

use std::process::ExitCode;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;

use super::exit::{self, Failure};
use super::out::{self, Format};
use super::runtime;
use crate::backend::registry::{NodeRecord, Record, Registry, RegistryError, RunKind};
use crate::model::event::{EngineInfo, Role};
use crate::model::slot::SlotSet;
use crate::model::{NodeKind, NodeName, Password, printable_lines};
use crate::node::{Admin, NodeError, Section};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this one
    name: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn main(args: Args) -> ExitCode {
    exit::of(show(&args))
}

fn show(args: &Args) -> Result<ExitCode, Failure> {
    let records = records(args.name.as_deref())?;
    if let (Some(name), true) = (&args.name, records.is_empty()) {
        return Err(Failure::new(exit::USAGE, format!("nothing named `{name}` is running")));
    }
    let surveys: Vec<Survey> = runtime::block_on(join_all(records.iter().map(survey)))?;
    Ok(out::print(&match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&surveys);
            json.map_err(|e| Failure::new(exit::BUG, e))? + "\n"
        }
        Format::Text if surveys.is_empty() => "nothing is running\n".to_owned(),
        Format::Text => surveys.iter().map(Survey::text).collect::<Vec<_>>().join("\n"),
    }))
}

fn records(name: Option<&str>) -> Result<Vec<Record>, RegistryError> {
    let registry = Registry::locate()?;
    match name {
        Some(name) => Ok(registry.find(name)?.into_iter().collect()),
        None => registry.records(),
    }
}

/// A healthy server answers in far less.
const PATIENCE: Duration = Duration::from_secs(1);

/// A drill or an `up`, as `redrill status --format json` shows it.
#[derive(Debug, Serialize)]
pub struct Survey {
    pub id: String,
    pub kind: RunKind,
    /// Whether the redrill that owns the servers still runs.
    pub live: bool,
    pub owner_pid: u32,
    pub topology: String,
    pub engine: EngineInfo,
    pub directory: String,
    /// The file with the password of its servers, if they have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    pub nodes: Vec<NodeSurvey>,
}

#[derive(Debug, Serialize)]
pub struct NodeSurvey {
    pub name: NodeName,
    pub address: String,
    pub pid: Option<u32>,
    /// Its answer, or why there is none.
    #[serde(flatten)]
    pub answer: Answer,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Answer {
    Up {
        role: Role,
        /// Empty outside a cluster.
        #[serde(skip_serializing_if = "SlotSet::is_empty")]
        slots: SlotSet,
        keys: u64,
        memory_bytes: u64,
    },
    Down {
        error: String,
    },
}

/// Asks all servers of `record`; none if its owner is dead.
pub async fn survey(record: &Record) -> Survey {
    let live = record.is_live();
    let nodes = if live { record.nodes.as_slice() } else { &[] };
    let password = record.password();
    let password_file = password.as_ref().map(|_| record.password_file().display().to_string());
    Survey {
        id: record.id.clone(),
        kind: record.kind,
        live,
        owner_pid: record.owner.pid,
        topology: record.topology.clone(),
        engine: record.engine.clone(),
        directory: record.directory.display().to_string(),
        password_file,
        nodes: join_all(nodes.iter().map(|node| survey_node(node, password.as_ref()))).await,
    }
}

async fn survey_node(node: &NodeRecord, password: Option<&Password>) -> NodeSurvey {
    let answer = match node.address.parse() {
        Ok(addr) => {
            let admin = Admin::new(node.name.clone(), addr).authenticated(password.cloned());
            let answer = ask(node, &admin.with_timeout(PATIENCE)).await;
            answer.unwrap_or_else(|e| Answer::Down { error: e.to_string() })
        }
        Err(e) => Answer::Down { error: format!("`{}`: {e}", node.address) },
    };
    NodeSurvey {
        name: node.name.clone(),
        address: node.address.clone(),
        pid: node.process.map(|process| process.pid),
        answer,
    }
}

async fn ask(node: &NodeRecord, admin: &Admin) -> Result<Answer, NodeError> {
    if node.name.is_sentinel() {
        admin.ping().await?;
        let (slots, keys, memory_bytes) = (SlotSet::default(), 0, 0);
        return Ok(Answer::Up { role: Role::Sentinel, slots, keys, memory_bytes });
    }
    let info = admin.info(Section::Everything).await?;
    let slots = match node.cluster_id.is_empty() {
        true => SlotSet::default(),
        false => {
            let seen = admin.cluster_nodes().await?;
            seen.into_iter()
                .find(|line| line.flags.myself)
                .map(|line| line.slots)
                .unwrap_or_default()
        }
    };
    Ok(match info.role() {
        Some(role) => {
            let memory_bytes = info.used_memory().unwrap_or(0);
            Answer::Up { role, slots, keys: info.keys(), memory_bytes }
        }
        None => Answer::Down { error: "it does not say its role".to_owned() },
    })
}

impl Survey {
    /// The survey as text for people.
    pub fn text(&self) -> String {
        let kind = match self.kind {
            RunKind::Drill => "drill",
            RunKind::Kept => "kept after a drill",
            RunKind::Up => "up",
        };
        let (id, engine) = (&self.id, &self.engine);
        let head = format!("{id}  {kind} of {}, {} {}", self.topology, engine.kind, engine.version);
        // Servers and records may say anything.
        printable_lines(&match self.live {
            true if self.nodes.is_empty() => {
                format!("{head}, starting (pid {})\n", self.owner_pid)
            }
            true => format!("{head}, pid {}\n\n{}", self.owner_pid, self.table()),
            false => format!("{head}: was killed; `redrill gc` removes what it left\n"),
        })
    }

    /// The nodes, one a line.
    fn table(&self) -> String {
        let heading = ["NODE", "ROLE", "ADDRESS", "KEYS", "MEMORY", "SLOTS"].map(str::to_owned);
        let rows = self.nodes.iter().map(NodeSurvey::row);
        out::table(&std::iter::once(heading.to_vec()).chain(rows).collect::<Vec<_>>())
    }

    /// How to connect to each group by hand.
    pub fn connect(&self) -> Vec<String> {
        let first =
            |node: &&NodeSurvey| node.name.kind == NodeKind::Shard(0) && node.name.ordinal == 0;
        let line = |node: &NodeSurvey| {
            let cli = if self.engine.kind == "valkey" { "valkey-cli" } else { "redis-cli" };
            let in_cluster = matches!(&node.answer, Answer::Up { slots, .. } if !slots.is_empty());
            let follow = if in_cluster { " -c" } else { "" };
            let (host, port) = node.address.rsplit_once(':').unwrap_or((&node.address, "6379"));
            format!("{cli}{follow} -h {host} -p {port}")
        };
        let password = self.password_file.as_ref();
        let password = password.map(|file| format!("export REDISCLI_AUTH=\"$(cat '{file}')\""));
        password.into_iter().chain(self.nodes.iter().filter(first).map(line)).collect()
    }
}

impl NodeSurvey {
    fn row(&self) -> Vec<String> {
        let nothing = String::new;
        let (role, keys, memory, slots) = match &self.answer {
            Answer::Up { role: Role::Sentinel, .. } => {
                ("sentinel", nothing(), nothing(), nothing())
            }
            Answer::Up { role, slots, keys, memory_bytes } => (
                if *role == Role::Primary { "primary" } else { "replica" },
                keys.to_string(),
                format!("{:.1} MB", *memory_bytes as f64 / 1e6),
                slots.to_string(),
            ),
            Answer::Down { error } => ("down", nothing(), nothing(), error.clone()),
        };
        vec![self.name.to_string(), role.to_owned(), self.address.clone(), keys, memory, slots]
    }
}
