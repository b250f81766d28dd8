//! Writes through the cluster client of the `redis` crate at a steady rate, and prints each
//! second how many calls were answered. README.md says what it shows.
//!
//! Arguments: ADDRESS:PORT of one node, the rate (calls a second), seconds, and `renew` if it
//! is to connect anew when nothing was answered for two seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;

const PATIENCE: Duration = Duration::from_secs(1);
/// Calls begin in bursts, so many in a second.
const BURSTS: u64 = 100;

#[derive(Clone, Default)]
struct Count {
    answered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [node, rate, seconds, rest @ ..] = &args[..] else {
        return Err("arguments: ADDRESS:PORT RATE SECONDS [renew]".into());
    };
    let (rate, seconds): (u64, u64) = (rate.parse()?, seconds.parse()?);
    let renews = rest.first().is_some_and(|word| word == "renew");
    let client = ClusterClientBuilder::new([format!("redis://{node}")])
        .connection_timeout(PATIENCE)
        .response_timeout(PATIENCE)
        .build()?;
    let mut connection = client.get_async_connection().await?;
    let (count, mut silent) = (Count::default(), 0);
    for second in 0..seconds {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / BURSTS as u32);
        for burst in 0..BURSTS {
            tick.tick().await;
            for call in 0..rate / BURSTS {
                let key = (second * 7919 + burst * 131 + call) % 1000;
                tokio::spawn(write(connection.clone(), key, count.clone()));
            }
        }
        let (answered, failed) = (count.answered.swap(0, Relaxed), count.failed.swap(0, Relaxed));
        println!("{second:3} s: {answered:6} answered, {failed:6} failed");
        silent = if answered == 0 && failed > 0 { silent + 1 } else { 0 };
        if renews && silent == 2 {
            connection = client.get_async_connection().await?;
            println!("      a new connection");
        }
    }
    Ok(())
}

async fn write(mut connection: ClusterConnection, key: u64, count: Count) {
    let mut set = redis::cmd("SET");
    set.arg(format!("key:{key}")).arg("value");
    let call = set.query_async::<()>(&mut connection);
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(())) => count.answered.fetch_add(1, Relaxed),
        _ => count.failed.fetch_add(1, Relaxed),
    };
}
