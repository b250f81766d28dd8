//! Bringing up every kind of group on real servers, and taking it down again.

/// Each test once with processes and once with containers.
macro_rules! on_every_backend {
    ($($name:ident)*) => {
        mod process {
            use super::*;
            $(#[tokio::test] async fn $name() { super::$name(Place::process()).await })*
        }
        mod docker {
            use super::*;
            $(#[tokio::test] async fn $name() {
                if let Some(place) = Place::docker().await {
                    super::$name(place).await
                }
            })*
        }
    };
}

mod actors;
mod hardships;
mod composed;
mod conformance;
mod place;
mod refusals;
