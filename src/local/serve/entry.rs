//! One application of the manifests: what is asked for, what is in force, and why that is not the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::prepare::{Prepared, Serving, Wish};
use super::stamp::Stamp;
use crate::apps::{AppSpec, Failure};
use crate::gateway::{Route, Serves};
use crate::reason::Reason;
use crate::settings::Settings;
use crate::visitors::{AccessRule, rule_of};

/// What failed for want of storage is tried again soon, everything else once in a while.
const SOON: Duration = Duration::from_secs(30);
const LATER: Duration = Duration::from_secs(300);

/// An application.
#[derive(Debug)]
pub struct Entry {
    /// What is asked for.
    pub wish: Wish,
    /// The manifest's file.
    pub file: String,
    /// What is in force.
    pub current: Option<Arc<Prepared>>,
    /// Why what is asked for is not in force.
    pub problem: Option<Problem>,
    /// Whether its address could not be had.
    pub is_displaced: bool,
    /// Whether it is being prepared, and whether that has to be done again then.
    pub work: Work,
    /// What is being done.
    pub doing: &'static str,
    /// The source as it was last deployed, and as it was last seen.
    pub stamps: (Option<Stamp>, Option<Stamp>),
}

/// How far a preparation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing is to be done.
    Rests,
    /// It is being done.
    Runs,
    /// It is being done, and will be done again.
    RunsAgain,
}

/// Why what is asked for is not in force.
#[derive(Clone, Debug)]
pub struct Problem {
    /// A word of the closed list.
    pub reason: Reason,
    /// The whole sentence, for administrators.
    pub message: String,
    /// The sentence for visitors.
    pub public: String,
    /// When it is tried again.
    pub retry_at: Instant,
}

impl Problem {
    /// A problem that was just met.
    #[must_use]
    pub fn new(reason: Reason, message: String, public: &str) -> Self {
        let pause = match reason {
            Reason::DataUnavailable | Reason::OutOfStorage => SOON,
            _ => LATER,
        };
        Self {
            reason,
            message,
            public: public.to_owned(),
            retry_at: Instant::now() + pause,
        }
    }
}

impl Entry {
    /// An application that is not prepared yet.
    #[must_use]
    pub fn new(wish: Wish, file: String) -> Self {
        Self {
            wish,
            file,
            current: None,
            problem: None,
            is_displaced: false,
            work: Work::Rests,
            doing: "is being prepared",
            stamps: (None, None),
        }
    }

    /// Where its bundle comes from, if its manifest says so.
    #[must_use]
    pub fn source(&self) -> Option<PathBuf> {
        let path = self.wish.app.spec.bundle.path.as_ref()?;
        Some(self.wish.base.join(path))
    }

    /// Its route at the gateway.
    #[must_use]
    pub fn route(&self, settings: &Settings) -> Route {
        // What can not be held is not shown, whatever was in force before.
        let rule = rule_of(self.wish.app.spec.access.as_ref(), settings.access_limits());
        let (access, serves) = match rule {
            Ok(rule) => (rule, self.serves()),
            Err(_) => (AccessRule::All, Serves::Held(inaccessible())),
        };
        Route {
            app: self.wish.id(),
            name: self.wish.app.metadata.name.clone(),
            path: self.wish.path(),
            host: self.wish.host(settings),
            access,
            serves,
        }
    }

    fn serves(&self) -> Serves {
        match self.current.as_deref().map(|current| &current.serves) {
            Some(Serving::Processes { how, .. }) => Serves::Processes(how.clone()),
            Some(Serving::Files { .. }) if self.wish.app.spec.suspended => Serves::Held(suspended()),
            Some(Serving::Files { files, .. }) => Serves::Files(files.clone()),
            None => Serves::Held(self.held()),
        }
    }

    /// Why nothing is served.
    fn held(&self) -> Failure {
        let (reason, message) = match &self.problem {
            Some(problem) => {
                let message = format!("the application can not be served at present: {}", problem.public);
                (problem.reason, message)
            }
            None => (
                Reason::Installing,
                format!("the application {}; try again in a while", self.doing),
            ),
        };
        Failure {
            reason: reason.name().to_owned(),
            message,
            process: None,
            exit_code: None,
        }
    }

    /// What the hub has to know; none where there are no processes.
    #[must_use]
    pub fn spec(&self) -> Option<AppSpec> {
        match &self.current.as_ref()?.serves {
            Serving::Processes { source, bounds, .. } => Some(AppSpec {
                deployment: source.deployment.clone(),
                bounds: bounds.clone(),
                held: self.wish.app.spec.suspended.then(suspended),
                has_pools: self.wish.app.spec.run_as_current_user,
            }),
            Serving::Files { .. } => None,
        }
    }
}

fn inaccessible() -> Failure {
    Failure {
        reason: Reason::InvalidInput.name().to_owned(),
        message: "the application can not be shown to those whom it is for, since nobody can log in here as it asks \
                  for; the server's log says why"
            .to_owned(),
        process: None,
        exit_code: None,
    }
}

fn suspended() -> Failure {
    Failure {
        reason: Reason::Suspended.name().to_owned(),
        message: "the application is suspended; whoever manages it can set spec.suspended to false"
            .to_owned(),
        process: None,
        exit_code: None,
    }
}
