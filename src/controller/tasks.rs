//! What runs beside the work: servers, watches. If one of them ends before it is told to, the controller does.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::{Id, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::run::RunError;

/// How long connections may take to end.
const TO_END: Duration = Duration::from_secs(5);

/// What runs beside the work.
#[derive(Debug)]
pub struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    stop: CancellationToken,
}

impl Tasks {
    /// Nothing yet. Everything is to end with `stop`.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Self {
        Self {
            running: JoinSet::new(),
            names: HashMap::new(),
            stop,
        }
    }

    /// Runs something under a name.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Serves routes.
    pub fn serve(&mut self, name: &'static str, port: TcpListener, routes: Router) {
        let stop = self.stop.clone();
        self.spawn(name, async move {
            let served = axum::serve(port, routes).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!("The {name} ended: {error}");
            }
        });
    }

    /// Does the work, unless something beside it ends before it is told to.
    ///
    /// # Errors
    /// That of the work, or [`RunError::Broken`].
    pub async fn unless_broken(
        &mut self,
        work: impl Future<Output = Result<(), RunError>>,
    ) -> Result<(), RunError> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(ended) = self.running.join_next_with_id() => {
                    let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, ())| *id);
                    let name = self.names.remove(&id).unwrap_or("part of the controller");
                    if !self.stop.is_cancelled() {
                        return Err(RunError::Broken(name));
                    }
                }
            }
        }
    }

    /// Waits until everything has ended that was told to, but not for ever.
    pub async fn end(mut self) {
        let all = async { while self.running.join_next().await.is_some() {} };
        if timeout(TO_END, all).await.is_err() {
            tracing::debug!("Connections cut off");
        }
    }
}
