//! What the builder answers to probes and scrapes: `/livez`, `/readyz`, `/metrics`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::metrics::BuildMetrics;
use crate::builds::error::BuildError;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether packages can be built; why not where there is a text.
#[derive(Clone, Debug)]
pub(super) struct Health(Arc<Mutex<Option<String>>>);

impl Health {
    pub(super) fn ready(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn off(&self, why: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }
}

#[derive(Clone, Debug)]
struct Admin {
    health: Health,
    metrics: Arc<BuildMetrics>,
}

/// Answers from now on, in a thread of its own that ends with the program.
///
/// # Errors
/// The address can not be had.
pub(super) fn start(address: SocketAddr, metrics: Arc<BuildMetrics>) -> Result<Health, BuildError> {
    let listen = |source| BuildError::Listen { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(BuildError::Begin)?;
    let health = Health(Arc::new(Mutex::new(Some(
        "R is looked for in the sandbox".to_owned(),
    ))));
    let admin = Admin {
        health: health.clone(),
        metrics,
    };
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(admin);
    std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, routes).await
            });
            if let Err(error) = served {
                tracing::error!("health and metrics are off: {error}");
            }
        })
        .map_err(BuildError::Begin)?;
    tracing::info!("health and metrics at http://{address}");
    Ok(health)
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    let why = admin
        .health
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match why {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn scrape(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], admin.metrics.text())
}
