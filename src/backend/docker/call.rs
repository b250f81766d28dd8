//! What is asked of the engine, as lines of the log.

use std::fmt::Display;
use std::time::{Duration, Instant};

use bollard::errors::Error;
use tracing::{debug, info};

/// After this long an engine that did not answer is asked again.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// Waits for the engine's answer to a request: to do `what` with `of`.
pub(super) async fn call<T>(
    what: &'static str,
    of: impl Display,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let begun = Instant::now();
    let answer = request.await;
    let took = begun.elapsed();
    match &answer {
        Ok(_) => debug!(what, %of, ?took),
        Err(error) => info!(what, %of, %error, ?took),
    }
    answer
}
