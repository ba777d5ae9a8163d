//! Lines of the log that say who logged in, who did not, and who logged out. No line has a password, nor a name that is
//! nobody's: it may be a password at the wrong place.

use crate::gateway::service::Visit;
use crate::telemetry::gateway::ByWhy;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    LoggedIn(&'a str),
    /// With the name, where it is somebody's, and the cause.
    Refused(Option<&'a str>, &'a str),
    Throttled,
    Expired(&'a str),
    Unavailable(&'a str),
    LoggedOut(&'a str),
}

/// Writes it down and counts it.
pub(super) fn note(visit: &Visit<'_>, event: Event<'_>) {
    let address = visit.public.visitor;
    let request = visit.id.to_str().unwrap_or_default();
    let why = match event {
        Event::LoggedIn(user) => {
            tracing::info!(target: "offhost::audit", user, %address, request, "logged in");
            "logged_in"
        }
        Event::Refused(user, why) => {
            let user = user.unwrap_or("(nobody's name)");
            tracing::warn!(target: "offhost::audit", user, %address, request, "log-in refused: {why}");
            "refused"
        }
        Event::Throttled => {
            tracing::warn!(target: "offhost::audit", %address, request, "log-in refused: too many attempts");
            "throttled"
        }
        Event::Expired(user) => {
            tracing::warn!(target: "offhost::audit", user, %address, request, "log-in refused: the password has expired");
            "expired"
        }
        Event::Unavailable(why) => {
            tracing::error!(target: "offhost::audit", %address, request, "log-in not possible: {why}");
            "unavailable"
        }
        Event::LoggedOut(user) => {
            tracing::info!(target: "offhost::audit", user, %address, request, "logged out");
            "logged_out"
        }
    };
    visit.shared().metrics.logins.get_or_create(&ByWhy { why }).inc();
}
