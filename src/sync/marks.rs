//! Marks: a number in a key of each group, which others look for. Of a replicator that tells
//! nothing they are the only way to know how far it is.

use futures::future::join_all;
use redis::Value;

use crate::node::Admin;

fn key(group: &str) -> String {
    format!("redrill:mark:{group}")
}

/// Writes `number` as the mark of the group `own`, and reads the marks of `others` there: 0 for one
/// that has not come. None if none of its nodes takes writes, or answers.
pub async fn exchange(
    nodes: &[Admin],
    own: &str,
    number: u64,
    others: &[&str],
) -> Option<Vec<u64>> {
    let mut asked = redis::pipe();
    asked.set(key(own), number);
    asked.cmd("MGET").arg(others.iter().map(|other| key(other)).collect::<Vec<_>>());
    let answers = nodes.iter().map(|node| node.pipeline::<(Value, Vec<Option<u64>>)>(&asked));
    // Replicas refuse the write.
    let (_, marks) = join_all(answers).await.into_iter().flatten().next()?;
    Some(marks.into_iter().map(Option::unwrap_or_default).collect())
}
