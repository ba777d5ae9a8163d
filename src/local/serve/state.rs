//! What the keeper tells of everything, for `offhost apps`.

use super::entry::{Entry, Work};
use super::keeper::Keeper;
use super::prepare::Serving;
use super::report::{AppLine, FailureLine, ProcessLine, ServerReport};
use crate::apps::wire::Stage;
use crate::apps::{AccountName, AppId};

impl Keeper {
    pub(super) fn report(&self) -> ServerReport {
        ServerReport {
            pid: std::process::id(),
            started: self.started,
            manifests: self.directory.as_ref().map(|path| path.display().to_string()),
            apps: self
                .apps
                .iter()
                .map(|(name, entry)| self.line(name, entry))
                .collect(),
            jobs: [self.jobs.lines(), self.schedules.lines()].concat(),
            faults: self.faults(),
        }
    }

    fn line(&self, name: &str, entry: &Entry) -> AppLine {
        let app = entry.wish.id();
        let current = entry.current.as_deref();
        let seen = self.hub.app(&app);
        let seen = seen.as_deref();
        AppLine {
            name: name.to_owned(),
            state: state(entry, seen.map(|seen| &seen.stage)).to_owned(),
            kind: current.map(|current| current.mode.name().to_owned()),
            url: self.url(entry),
            content: current.map(|current| current.content.to_string()),
            bundle: current.map(|current| current.bundle),
            processes: self.processes(&app, entry),
            ready: seen.map_or(0, |seen| seen.ready),
            sessions: seen.map_or(0, |seen| seen.sessions),
            waiting: seen.map_or(0, |seen| seen.waiting),
            last_use: seen.and_then(|seen| seen.last_use),
            last_failure: seen
                .and_then(|seen| seen.last_failure.as_ref())
                .map(|(failure, time)| FailureLine {
                    time: *time,
                    reason: failure.reason.clone(),
                    message: failure.message.clone(),
                    process: failure.process.as_ref().map(ToString::to_string),
                }),
            problem: entry.problem.as_ref().map(|problem| problem.message.clone()),
            manifest: entry.file.clone(),
        }
    }

    fn processes(&self, app: &AppId, entry: &Entry) -> Vec<ProcessLine> {
        let deployment = entry.spec().map(|spec| spec.deployment);
        let line = |(process, from, account): (_, _, Option<AccountName>)| ProcessLine {
            key: String::from(process),
            account: account.map(|account| account.user().to_owned()),
            drains: deployment.as_ref() != Some(&from),
        };
        self.fleet.processes(app).into_iter().map(line).collect()
    }

    /// Where an application is found: at its own host, whose scheme and port are those of the server's address.
    pub(super) fn url(&self, entry: &Entry) -> String {
        let path = entry.wish.path();
        let address = &self.address;
        match entry.wish.host(&self.server.settings) {
            None => format!("{address}{path}/"),
            Some(host) => {
                let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
                let port = rest.rsplit_once(':').map(|(_, port)| port);
                let port = port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
                let port = port.map_or_else(String::new, |port| format!(":{port}"));
                format!("{scheme}://{host}{port}{path}/")
            }
        }
    }
}

fn state(entry: &Entry, stage: Option<&Stage>) -> &'static str {
    let Some(current) = &entry.current else {
        return if entry.problem.is_some() && entry.work == Work::Rests {
            "Failed"
        } else {
            "Preparing"
        };
    };
    if entry.wish.app.spec.suspended {
        return "Suspended";
    }
    match (&current.serves, stage) {
        (Serving::Files { .. }, _) => "Served",
        (_, None | Some(Stage::Idle)) => "Idle",
        (_, Some(Stage::Starting { .. })) => "Starting",
        (_, Some(Stage::Ready)) => "Ready",
        (_, Some(Stage::Busy)) => "Busy",
        (_, Some(Stage::Queued)) => "Queued",
        (_, Some(Stage::Failed(_))) => "Failed",
        (_, Some(Stage::Held(_))) => "Held",
    }
}
