//! `PATH/__offhost__/state`: how an application is, for the page that waits for it. As JSON, or as events for as long as
//! somebody listens.

use http::{Method, Request, Response};
use tokio::sync::watch;

use super::backend::AppState;
use super::body::Body;
use super::notice::Notice;
use super::plain;
use super::route::{Entry, Processes, Serves};
use super::runs_as;
use super::service::Visit;
use super::watchers::STATE;

/// What begins with this below an application's path is the gateway's.
const RESERVED: &str = "/__offhost__/";

/// Whether the path, below the application's, is the gateway's.
#[must_use]
pub(super) fn is_asked(below: &str) -> bool {
    below.starts_with(RESERVED)
}

/// Says how the application is: for a visitor with processes of their own, how those are.
pub(super) async fn answer<B>(visit: &Visit<'_>, entry: &Entry, request: &Request<B>) -> Response<Body> {
    let headers = request.headers();
    if &request.uri().path()[entry.route.path.len()..] != STATE {
        return plain::nothing(headers);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain::only("GET, HEAD", headers);
    }
    let state = match &entry.route.serves {
        Serves::Processes(processes) => match processes_of(visit, entry, processes).await {
            Ok(Some(state)) => state,
            Ok(None) => return plain::nothing(headers),
            Err(notice) => return visit.notice(&notice, Some(entry), request.method(), headers).1,
        },
        Serves::Files(_) => watch::channel(AppState::Ready).1,
        Serves::Held(failure) => watch::channel(AppState::Failed(failure.clone())).1,
    };
    let shared = visit.shared();
    let closing = shared.stages.draining.clone();
    let answer = shared.watchers.answer(headers, &entry.route.app, state, closing);
    answer.map(Body::from)
}

/// How the processes are that the visitor gets; none where nothing is served.
async fn processes_of(
    visit: &Visit<'_>,
    entry: &Entry,
    processes: &Processes,
) -> Result<Option<watch::Receiver<AppState>>, Notice> {
    let backend = &visit.shared().backend;
    let app = &entry.route.app;
    let Some(account) = runs_as::account(visit, processes).await? else {
        return Ok(backend.state(app));
    };
    // One that nobody has asked for yet is not there, and is no other for that.
    let idle = || backend.state(app).map(|_| watch::channel(AppState::Idle).1);
    Ok(backend.state(&app.pool(&account)).or_else(idle))
}
