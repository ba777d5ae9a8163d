//! One application as the gateway knows it: where it is found, and what answers there.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};

use super::body::Body;
use super::form::Desk;
use super::runs_as::RunsAs;
use super::sockjs::Fallbacks;
use crate::api::app::{Affinity, ContentAppSpec};
use crate::apps::{AppId, Failure, bounds_of};
use crate::content::AppMode;
use crate::settings::AppDefaults;
use crate::visitors::AccessRule;

/// An application and its address.
#[derive(Clone, Debug)]
pub struct Route {
    /// The application.
    pub app: AppId,
    /// Its name, for people.
    pub name: String,
    /// Its path, without a slash at its end: `/content/sales`.
    pub path: String,
    /// A host name of its own, in lower case and without a port.
    pub host: Option<String>,
    /// Who may see it.
    pub access: AccessRule,
    /// What answers.
    pub serves: Serves,
}

/// What answers at the address of an application.
#[derive(Clone, Debug)]
pub enum Serves {
    /// Processes.
    Processes(Processes),
    /// Files: static content, or the active result of a document.
    Files(Arc<dyn Files>),
    /// Nothing may be served at present.
    Held(Failure),
}

/// Answers the requests of an application that has no processes.
pub trait Files: Send + Sync + std::fmt::Debug {
    /// Answers a request. Its path is the part below the application's and begins with a slash.
    fn answer(&self, request: Request<()>) -> BoxFuture<'_, Response<Body>>;

    /// What asks for the parameters of a document that has some.
    fn desk(&self) -> Option<Arc<dyn Desk>> {
        None
    }
}

/// How requests reach the processes of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    /// Whether the application sees its path as a part of each request's.
    pub keeps_prefix: bool,
    /// Whether a visitor stays with one process (SC5).
    pub affinity: bool,
    /// Whether it learns its visitor as Shiny does.
    pub is_shiny: bool,
    /// How long a connection may be silent in both directions (SC3); `None` for ever.
    pub connection_timeout: Option<Duration>,
    /// How long a visitor may be silent (SC3); `None` for ever.
    pub read_timeout: Option<Duration>,
    /// How long a request is held until a process is ready.
    pub max_hold: Duration,
    /// How its pages may speak with it besides by a WebSocket, if it is of a kind whose pages can.
    pub fallbacks: Option<Fallbacks>,
    /// Says which account's processes a visitor gets, where visitors have some of their own (CU1).
    pub runs_as: Option<RunsAs>,
}

impl Processes {
    /// For an application of this kind that asks for this.
    #[must_use]
    pub fn of(spec: &ContentAppSpec, mode: AppMode, defaults: &AppDefaults) -> Self {
        let limit = |given: Option<i64>, default: Duration| {
            let given = given.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or_default()));
            Some(given.unwrap_or(default)).filter(|limit| !limit.is_zero())
        };
        Self {
            keeps_prefix: mode.keeps_prefix(),
            is_shiny: mode.is_shiny(),
            affinity: match spec.affinity {
                Some(affinity) => affinity == Affinity::Session,
                None => mode.needs_affinity(),
            },
            connection_timeout: limit(spec.connection_timeout_seconds, defaults.connection_timeout),
            read_timeout: limit(spec.read_timeout_seconds, defaults.read_timeout),
            // One that asks for more than may be is not started, and told so.
            max_hold: bounds_of(spec, defaults).map_or(defaults.init_timeout, |bounds| bounds.init_timeout),
            fallbacks: Fallbacks::of(mode, defaults),
            runs_as: None,
        }
    }
}

/// A route in the table, with what each request to it needs made once.
#[derive(Debug)]
pub struct Entry {
    /// The route.
    pub route: Route,
    /// Its path as `X-Forwarded-Prefix`.
    pub prefix: HeaderValue,
}

impl Entry {
    /// Of a route whose path is one.
    pub(super) fn new(route: Route) -> Option<Self> {
        let prefix = HeaderValue::from_str(&route.path).ok()?;
        Some(Self { route, prefix })
    }
}
