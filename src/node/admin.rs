//! One connection to one server. It is made when it is first needed, and made again after it
//! broke.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError,
    RedisResult, Value,
};
use tokio::sync::Mutex;
use tracing::Instrument;

use super::{ClusterInfo, Info, Instance, NodeError, NodeLine, Problem, Section, Shard, asked};
use crate::model::{NodeName, Password};
use crate::peer;

/// What redrill calls its own connections, those of loads and probes excepted (CLIENT SETNAME).
pub const OWN_NAME: &str = "redrill";
/// How long a request may take by default.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Sends requests to one server. Clones share one connection, and the server answers its
/// requests in the order in which they were sent. Use [`Admin::apart`] for a request that keeps
/// the server busy.
///
/// An error of the connection (not an error reply) drops the connection, and the next request
/// makes a new one. No request is sent twice.
#[derive(Clone)]
pub struct Admin {
    shared: Arc<Shared>,
    timeout: Duration,
    routine: bool,
}

struct Shared {
    node: NodeName,
    addr: SocketAddr,
    password: Option<Password>,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// The server has not joined yet, or has left: requests are not sent.
    absent: Arc<AtomicBool>,
}

impl Admin {
    pub fn new(node: NodeName, addr: SocketAddr) -> Admin {
        Admin::over(node, addr, None, Arc::default())
    }

    fn over(
        node: NodeName,
        addr: SocketAddr,
        password: Option<Password>,
        absent: Arc<AtomicBool>,
    ) -> Admin {
        let shared = Shared { node, addr, password, connection: Mutex::new(None), absent };
        Admin { shared: Arc::new(shared), timeout: TIMEOUT, routine: false }
    }

    /// Sets whether the server is absent: it has not joined yet, or has left. Every request to
    /// an absent server fails at once, on all connections to it.
    pub fn set_absent(&self, absent: bool) {
        self.shared.absent.store(absent, Ordering::Relaxed);
    }

    /// The same server over a separate connection.
    pub fn apart(&self) -> Admin {
        self.authenticated(self.password().cloned())
    }

    /// The same over a connection with this password.
    pub fn authenticated(&self, password: Option<Password>) -> Admin {
        let (node, absent) = (self.node().clone(), self.shared.absent.clone());
        let apart = Admin::over(node, self.addr(), password, absent);
        Admin { timeout: self.timeout, routine: self.routine, ..apart }
    }

    /// The same connection for what is asked many times a second: no line of a log each time.
    pub fn routinely(&self) -> Admin {
        Admin { routine: true, ..self.clone() }
    }

    /// The same connection with another time-out, for connecting and for each answer.
    pub fn with_timeout(&self, timeout: Duration) -> Admin {
        Admin { timeout, ..self.clone() }
    }

    pub fn node(&self) -> &NodeName {
        &self.shared.node
    }

    pub fn addr(&self) -> SocketAddr {
        self.shared.addr
    }

    /// What its server asks of clients.
    pub fn password(&self) -> Option<&Password> {
        self.shared.password.as_ref()
    }

    /// Sends `cmd` once and reads its answer.
    pub async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, NodeError> {
        let span = asked::query(self.node(), cmd, self.routine);
        let answer = self.ask(cmd).instrument(span.clone()).await;
        asked::answered(&span, &answer, self.routine);
        self.read(answer?, cmd)
    }

    async fn ask(&self, cmd: &Cmd) -> Result<Value, NodeError> {
        let mut connection = self.connection(cmd).await?;
        let answer = connection.req_packed_command(cmd).await.and_then(Value::extract_error);
        self.checked(answer, cmd).await
    }

    /// Sends all of `pipeline` at once. The first error reply is this request's error; the
    /// server carries out the other commands all the same.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, NodeError> {
        let answers = self.replies(pipeline).await?;
        let Some(first) = pipeline.cmd_iter().next() else {
            return Err(self.error(Problem::Unreadable("an empty pipeline".into()), "nothing"));
        };
        let mut values = Vec::with_capacity(answers.len());
        for (answer, cmd) in answers.into_iter().zip(pipeline.cmd_iter()) {
            values.push(answer.map_err(|e| self.error(Problem::Refused(e), &words(cmd)))?);
        }
        self.read(Value::Array(values), first)
    }

    /// Sends all of `pipeline` at once and returns each command's answer or error reply. The
    /// server carries out an atomic pipeline (MULTI) as a whole, or refuses it as a whole.
    pub async fn replies(&self, pipeline: &Pipeline) -> Result<Vec<RedisResult<Value>>, NodeError> {
        let span = asked::pipeline(self.node(), pipeline, self.routine);
        let answers = self.ask_all(pipeline).instrument(span.clone()).await;
        asked::answered_all(&span, &answers, self.routine);
        answers
    }

    async fn ask_all(&self, pipeline: &Pipeline) -> Result<Vec<RedisResult<Value>>, NodeError> {
        let Some(first) = pipeline.cmd_iter().next() else { return Ok(Vec::new()) };
        let mut connection = self.connection(first).await?;
        // EXEC's answer comes after one answer for MULTI and one for each command.
        let (skipped, read) = match pipeline.is_transaction() {
            true => (pipeline.len() + 1, 1),
            false => (0, pipeline.len()),
        };
        let answers = connection.req_packed_commands(pipeline, skipped, read).await;
        let mut answers = self.checked(answers, first).await?;
        if pipeline.is_transaction() {
            answers = match answers.pop() {
                Some(Value::Array(done)) => done,
                other => {
                    let why = format!("EXEC answered {other:?}");
                    return Err(self.error(Problem::Unreadable(why), &words(first)));
                }
            };
        }
        Ok(answers.into_iter().map(Value::extract_error).collect())
    }

    /// CLUSTER NODES: the cluster as this node sees it.
    pub async fn cluster_nodes(&self) -> Result<Vec<NodeLine>, NodeError> {
        self.parsed(&cluster("NODES"), |text: String| NodeLine::parse_all(&text)).await
    }

    /// CLUSTER SHARDS: the same, grouped by shard, with the health of each node.
    pub async fn cluster_shards(&self) -> Result<Vec<Shard>, NodeError> {
        self.parsed(&cluster("SHARDS"), |reply| Shard::parse_all(&reply)).await
    }

    /// CLUSTER INFO.
    pub async fn cluster_info(&self) -> Result<ClusterInfo, NodeError> {
        let text: String = self.query(&cluster("INFO")).await?;
        Ok(ClusterInfo::parse(&text))
    }

    /// INFO, or one section of it.
    pub async fn info(&self, section: Section) -> Result<Info, NodeError> {
        let text: String = self.query(redis::cmd("INFO").arg(section.as_str())).await?;
        Ok(Info::parse(&text))
    }

    /// Has the server watch its stalls from a millisecond on, and tells the longest one of each kind
    /// of work since it began to, in milliseconds (LATENCY LATEST).
    pub async fn stalls(&self) -> Result<BTreeMap<String, u64>, NodeError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("CONFIG").arg("SET").arg("latency-monitor-threshold").arg(1);
        pipeline.cmd("LATENCY").arg("LATEST");
        // Newer servers tell more of each, after these.
        type Latest = (Value, Vec<Vec<Value>>);
        let (_, kinds): Latest = self.pipeline(&pipeline).await?;
        let longest = |kind: &Vec<Value>| match &kind[..] {
            [Value::BulkString(name), _, _, Value::Int(most), ..] => {
                Some((String::from_utf8_lossy(name).into_owned(), u64::try_from(*most).ok()?))
            }
            _ => None,
        };
        Ok(kinds.iter().filter_map(longest).collect())
    }

    /// SENTINEL MASTER: the primary of the group `name`, as this sentinel sees it.
    pub async fn sentinel_master(&self, name: &str) -> Result<Instance, NodeError> {
        self.parsed(&sentinel("MASTER", name), |reply| Instance::parse(&reply)).await
    }

    /// SENTINEL GET-MASTER-ADDR-BY-NAME: the primary that this sentinel sends clients to. While
    /// the sentinel leads a failover, it names the new primary here sooner than in SENTINEL
    /// MASTER.
    pub async fn sentinel_names(&self, name: &str) -> Result<Option<SocketAddr>, NodeError> {
        let named: Option<(String, u16)> =
            self.query(&sentinel("GET-MASTER-ADDR-BY-NAME", name)).await?;
        Ok(named.and_then(|(host, port)| Some(SocketAddr::new(host.parse().ok()?, port))))
    }

    /// SENTINEL REPLICAS: the replicas that this sentinel knows.
    pub async fn sentinel_replicas(&self, name: &str) -> Result<Vec<Instance>, NodeError> {
        self.parsed(&sentinel("REPLICAS", name), |reply| Instance::parse_all(&reply)).await
    }

    /// SENTINEL SENTINELS: the other sentinels that this one knows.
    pub async fn sentinel_others(&self, name: &str) -> Result<Vec<Instance>, NodeError> {
        self.parsed(&sentinel("SENTINELS", name), |reply| Instance::parse_all(&reply)).await
    }

    /// The answer to `cmd`, or why it makes no sense.
    async fn parsed<A: FromRedisValue, T>(
        &self,
        cmd: &Cmd,
        parse: impl FnOnce(A) -> Result<T, String>,
    ) -> Result<T, NodeError> {
        let answer = self.query(cmd).await?;
        parse(answer).map_err(|why| self.error(Problem::Unreadable(why), &words(cmd)))
    }

    /// PING.
    pub async fn ping(&self) -> Result<(), NodeError> {
        self.query::<Value>(&redis::cmd("PING")).await.map(drop)
    }

    async fn connection(&self, cmd: &Cmd) -> Result<MultiplexedConnection, NodeError> {
        let mut held = self.shared.connection.lock().await;
        let mut connection = match &*held {
            Some(connection) => connection.clone(),
            None => {
                let made =
                    self.connect().await.map_err(|problem| self.error(problem, &words(cmd)))?;
                held.insert(made).clone()
            }
        };
        connection.set_response_timeout(self.timeout);
        Ok(connection)
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Problem> {
        if self.shared.absent.load(Ordering::Relaxed) {
            return Err(Problem::Absent);
        }
        let addr = self.addr();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(self.timeout));
        let redis = RedisConnectionInfo::default();
        let redis = match self.password() {
            Some(password) => redis.set_password(password.reveal()),
            None => redis,
        };
        let connecting = tokio::time::timeout(self.timeout, connect(addr, &redis, config));
        let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
        let connected = connecting.await.unwrap_or_else(late);
        let mut connection = connected.map_err(Problem::Unreachable)?;
        // A step that ends connections of clients spares those with this name.
        let mut name = redis::cmd("CLIENT");
        name.arg("SETNAME").arg(OWN_NAME);
        name.exec_async(&mut connection).await.map_err(Problem::Unreachable)?;
        Ok(connection)
    }

    /// Distinguishes an error reply from a broken connection, and drops a broken connection.
    async fn checked<T>(&self, answer: RedisResult<T>, cmd: &Cmd) -> Result<T, NodeError> {
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let problem = match self.problem(error) {
            refused @ Problem::Refused(_) => refused,
            broken => {
                *self.shared.connection.lock().await = None;
                broken
            }
        };
        Err(self.error(problem, &words(cmd)))
    }

    fn problem(&self, error: RedisError) -> Problem {
        match error.kind() {
            redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => Problem::Refused(error),
            _ if error.is_timeout() => Problem::Timeout(self.timeout),
            _ => Problem::Lost(error),
        }
    }

    fn read<T: FromRedisValue>(&self, value: Value, cmd: &Cmd) -> Result<T, NodeError> {
        redis::from_redis_value(value)
            .map_err(|e| self.error(Problem::Unreadable(e.to_string()), &words(cmd)))
    }

    fn error(&self, problem: Problem, command: &str) -> NodeError {
        NodeError {
            node: self.node().clone(),
            addr: self.addr(),
            command: command.to_owned(),
            problem: Box::new(problem),
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admin({} {})", self.node(), self.addr())
    }
}

fn cluster(what: &str) -> Cmd {
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg(what);
    cmd
}

fn sentinel(what: &str, name: &str) -> Cmd {
    let mut cmd = redis::cmd("SENTINEL");
    cmd.arg(what).arg(name);
    cmd
}

/// The words that name `cmd` in messages.
fn words(cmd: &Cmd) -> String {
    let named = |n| {
        cmd.args_iter().take(n).filter_map(|arg| match arg {
            redis::Arg::Simple(word) => Some(String::from_utf8_lossy(word).into_owned()),
            _ => None,
        })
    };
    let first: Vec<String> = named(1).collect();
    match first.first().map(String::as_str) {
        Some("CLUSTER" | "SENTINEL" | "CONFIG" | "CLIENT" | "INFO" | "MEMORY") => {
            named(3).collect::<Vec<_>>().join(" ")
        }
        Some(name) => name.to_owned(),
        None => "nothing".to_owned(),
    }
}

/// A connection to a server that is no other user's, which gets the password.
pub async fn connect(
    addr: SocketAddr,
    redis: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let stream = peer::connect(addr).await?;
    let (connection, driver) =
        MultiplexedConnection::new_with_config(redis, stream, config).await?;
    tokio::spawn(driver);
    Ok(connection)
}
