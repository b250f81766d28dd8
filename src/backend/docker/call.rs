//! What is asked of the engine: a span of the log for each request.

use std::fmt::Display;
use std::time::Duration;

use bollard::errors::Error;
use tracing::{Instrument, debug_span, info};

/// After this long an engine that did not answer is asked again.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// Waits for the engine's answer to a request: to do `what` with `of`.
pub(super) async fn call<T>(
    what: &'static str,
    of: impl Display,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let span = debug_span!("engine", what, %of);
    let answer = request.instrument(span.clone()).await;
    if let Err(error) = &answer {
        span.in_scope(|| info!(%error));
    }
    answer
}
