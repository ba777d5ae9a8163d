//! What a page that waits asks for: how an application is, at once or as it changes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accept;
use super::backend::AppState;
use super::local_body::LocalBody;
use crate::apps::AppId;
use crate::text::sentence;

/// Where it is, below the path of each application.
pub const STATE: &str = "/__offhost__/state";
/// What is on the way closes connections that are silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Then the browser asks again, perhaps another gateway.
const LONGEST: Duration = Duration::from_secs(600);
/// Streams of one application; who comes later asks now and then instead.
const MOST_STREAMS: usize = 2000;

/// A state in JSON.
#[derive(Serialize)]
struct Told<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
}

impl<'a> Told<'a> {
    fn of(state: &'a AppState) -> Self {
        let plain = |state| Self {
            state,
            seconds: None,
            reason: None,
            message: None,
        };
        match state {
            AppState::Idle => plain("idle"),
            AppState::Starting { since } => Self {
                seconds: Some(since.elapsed().as_secs()),
                ..plain("starting")
            },
            AppState::Ready => plain("ready"),
            AppState::Busy => plain("busy"),
            AppState::Queued => plain("queued"),
            AppState::Failed(failure) => Self {
                reason: Some(&failure.reason),
                message: Some(sentence(&failure.message)),
                ..plain("failed")
            },
        }
    }

    fn json(&self) -> String {
        // Texts and numbers always have a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Tells the states of applications.
#[derive(Debug, Default)]
pub struct Watchers {
    open: Arc<Mutex<HashMap<AppId, usize>>>,
}

/// One stream, counted until it is dropped.
#[derive(Debug)]
struct Counted {
    open: Arc<Mutex<HashMap<AppId, usize>>>,
    app: AppId,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(self.app.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Watchers {
    /// The answer to who asks how `app` is. Streams end with `closing`: browsers come back to another gateway, or to
    /// this one's successor.
    #[must_use]
    pub fn answer(
        &self,
        headers: &HeaderMap,
        app: &AppId,
        state: watch::Receiver<AppState>,
        closing: CancellationToken,
    ) -> Response<LocalBody> {
        if !accept::wants_events(headers) {
            let now = Told::of(&state.borrow()).json();
            return told(StatusCode::OK, "application/json", now.into());
        }
        let Some(counted) = self.count(app) else {
            let mut answer = told(
                StatusCode::SERVICE_UNAVAILABLE,
                "application/json",
                LocalBody::Empty,
            );
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("2"));
            return answer;
        };
        let events = events(state, counted, closing);
        told(
            StatusCode::OK,
            "text/event-stream",
            LocalBody::stream(events, None),
        )
    }

    fn count(&self, app: &AppId) -> Option<Counted> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(app.clone()).or_default();
        if *count >= MOST_STREAMS {
            return None;
        }
        *count += 1;
        Some(Counted {
            open: Arc::clone(&self.open),
            app: app.clone(),
        })
    }
}

fn told(status: StatusCode, kind: &'static str, body: LocalBody) -> Response<LocalBody> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        // Understood by nginx, which else collects what it passes on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// One who waits for a change.
struct Watcher {
    state: watch::Receiver<AppState>,
    closing: CancellationToken,
    end: Instant,
    was_told: bool,
    _counted: Counted,
}

/// The state now and whenever it changes, and a sign of life in between.
fn events(
    state: watch::Receiver<AppState>,
    counted: Counted,
    closing: CancellationToken,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let watcher = Watcher {
        state,
        closing,
        end: Instant::now() + LONGEST,
        was_told: false,
        _counted: counted,
    };
    stream::unfold(watcher, async |mut watcher| {
        let text = watcher.next().await?;
        Some((Ok(Bytes::from(text)), watcher))
    })
}

impl Watcher {
    async fn next(&mut self) -> Option<String> {
        if self.was_told {
            tokio::select! {
                () = self.closing.cancelled() => return None,
                () = tokio::time::sleep_until(self.end) => return None,
                changed = self.state.changed() => changed.ok()?,
                () = tokio::time::sleep(HEARTBEAT) => return Some(":\n\n".to_owned()),
            }
        }
        self.was_told = true;
        Some(event(&mut self.state))
    }
}

fn event(state: &mut watch::Receiver<AppState>) -> String {
    let told = Told::of(&state.borrow_and_update()).json();
    format!("retry: 2000\nevent: state\ndata: {told}\n\n")
}

#[cfg(test)]
#[path = "watchers_tests.rs"]
mod tests;
