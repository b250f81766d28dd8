//! Servers that ended though nobody asked them to: a drill cannot go on without one.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backend::Backend;

/// A broken connection is often noticed before the end of the process behind it.
const MOMENT: Duration = Duration::from_millis(500);

/// Hears of every server's end from its making on, so that none is missed between
/// two things that a drill waits for. Dropping it ends the hearing.
pub struct Deaths {
    first: watch::Receiver<Option<String>>,
    listener: JoinHandle<()>,
}

impl Deaths {
    pub fn watch(backend: &dyn Backend) -> Deaths {
        let mut exits = backend.exits();
        let (tell, first) = watch::channel(None);
        let listener = tokio::spawn(async move {
            let died = loop {
                match exits.recv().await {
                    Ok(exit) if exit.asked => {}
                    Ok(exit) => break Some(format!("the server of {exit}")),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break None,
                }
            };
            tell.send_replace(died);
        });
        Deaths { first, listener }
    }

    /// Waits for the first one, in the words of an error; for ever if there is none.
    pub async fn first(&self) -> String {
        let mut first = self.first.clone();
        let told = first.wait_for(Option::is_some).await.ok().and_then(|text| text.clone());
        match told {
            Some(text) => text,
            None => std::future::pending().await,
        }
    }

    /// The first one, if that is why something has just failed.
    pub async fn just_now(&self) -> Option<String> {
        tokio::time::timeout(MOMENT, self.first()).await.ok()
    }
}

impl Drop for Deaths {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
