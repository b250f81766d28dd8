//! Hearing of a new primary from a sentinel, as it happens.
//!
//! Sentinels publish `+switch-master` once a failover is done. What a client missed while it
//! was not subscribed it must ask for, see the guidelines for Sentinel clients:
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>

use std::net::SocketAddr;
use std::rc::Rc;

use futures::StreamExt;
use redis::aio::PubSub;
use redis::{RedisConnectionInfo, RedisResult};

use super::node::{Shared, stream};

/// What a sentinel gives cause for.
pub(super) enum News {
    /// It was not heard for a while: it is to be asked.
    Listening,
    /// There is a new primary.
    Switched(SocketAddr),
}

/// Listens to the sentinel at `address` for as long as the thread lives.
pub(super) async fn listen(
    address: SocketAddr,
    name: String,
    shared: Rc<Shared>,
    tell: impl Fn(News),
) {
    loop {
        let subscribing = tokio::time::timeout(shared.options.timeout, subscribe(address, &shared));
        if let Ok(Ok(subscribed)) = subscribing.await {
            tell(News::Listening);
            let mut messages = subscribed.into_on_message();
            while let Some(message) = messages.next().await {
                let text: RedisResult<String> = message.get_payload();
                if let Some(primary) = text.ok().and_then(|text| switched(&text, &name)) {
                    tell(News::Switched(primary));
                }
            }
        }
        tokio::time::sleep(shared.options.pause).await;
    }
}

async fn subscribe(address: SocketAddr, shared: &Shared) -> RedisResult<PubSub> {
    let stream = stream(address, shared.from).await?;
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let mut subscribed = PubSub::new(&info, stream).await?;
    subscribed.subscribe("+switch-master").await?;
    Ok(subscribed)
}

/// `cache 127.0.0.1 7000 127.0.0.2 7000`: the group, where its primary was and where it is.
fn switched(message: &str, name: &str) -> Option<SocketAddr> {
    match message.split_whitespace().collect::<Vec<_>>()[..] {
        [group, _, _, host, port] if group == name => format!("{host}:{port}").parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_groups_primary_is_heard_of() {
        let message = "cache 127.0.0.1 7000 127.0.0.2 7001";
        assert_eq!(switched(message, "cache"), Some("127.0.0.2:7001".parse().unwrap()));
        assert_eq!(switched(message, "other"), None);
        assert_eq!(switched("cache 127.0.0.1", "cache"), None);
    }
}
