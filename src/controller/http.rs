//! What the controller answers to probes and scrapes: `/livez`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::cache::Cache;
use super::health::Health;
use super::seen::SeenJob;
use crate::api::status::SUCCEEDED;
use crate::reason::Progress;
use crate::telemetry::metrics::{ByReason, Metrics};

/// Form of the metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the answers are made of.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Whether this replica is ready.
    pub health: Arc<Health>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// The jobs, to count them.
    pub jobs: Arc<Cache<SeenJob>>,
}

/// The routes.
pub fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    let waits = admin.health.waits_for();
    if waits.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", waits.join("\n")))
    }
}

async fn scrape(State(admin): State<Admin>) -> impl IntoResponse {
    count_jobs(&admin);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], admin.metrics.text())
}

/// Jobs by how far they are, counted when somebody asks.
fn count_jobs(admin: &Admin) {
    let jobs = &admin.metrics.jobs;
    jobs.clear();
    for seen in admin.jobs.all() {
        let conditions = seen.job.status.iter().flat_map(|status| &status.conditions);
        let succeeded = conditions
            .into_iter()
            .find(|condition| condition.type_ == SUCCEEDED);
        let reason = succeeded.map(|condition| condition.reason.clone());
        let reason = reason.unwrap_or_else(|| Progress::Pending.name().to_owned());
        jobs.get_or_create(&ByReason { reason }).inc();
    }
}
