//! `offhost audit`: starts a probe in the sandbox, as a job, as an installation and as a process of an application, and has
//! what it found judged.

mod place;
mod probe;

use crate::audit::{self, Process, Report, Role, Score, Subject};
use crate::gather;
use crate::plan::{self, Mode, Probe, ProcessPlan};
use crate::settings::Loaded;

use super::error::LocalError;
use super::probe::describe;
use super::server::Server;
use crate::data::new_key;
use place::{Place, orders_seen, program_seen};

/// Looks around in the sandbox that these settings give.
///
/// # Errors
/// What would keep content from running as well, or a probe that gave no answer.
pub fn examine(loaded: Loaded) -> Result<Report, LocalError> {
    let server = Server::open(loaded)?;
    let accounts = gather::accounts(Mode::Local, &server.settings, None)?;
    let probe = Probe {
        key: format!("audit-{}", new_key()),
        server_env: std::env::vars().collect(),
        command: vec![program_seen(), crate::names::PROBE.to_owned(), orders_seen()],
    };
    let [job, install, application] = plan::probes(&probe, &server.settings, &accounts)?;
    let all = [
        (Role::Job, job),
        (Role::Install, install),
        (Role::Application, application),
    ];
    let mut subjects = Vec::new();
    for (role, plan) in all {
        subjects.push(look(&server, role, &plan)?);
    }
    Ok(report(&server, subjects))
}

fn look(server: &Server, role: Role, plan: &ProcessPlan) -> Result<Subject, LocalError> {
    let place = Place::make(server, plan)?;
    probe::run(server, &place, role, plan)
}

fn report(server: &Server, subjects: Vec<Subject>) -> Report {
    let findings = audit::findings(&subjects);
    let declined = server.form.declined.iter();
    let layers = subjects.first().map(|subject| subject.seen.layers.clone());
    Report {
        form: describe(server.form.mode).to_owned(),
        declined: declined
            .map(|(mode, reason)| format!("{}: {reason}", describe(*mode)))
            .collect(),
        layers: layers.unwrap_or_default(),
        score: Score::of(&findings),
        findings,
        remarks: audit::remarks(&subjects),
        processes: subjects
            .into_iter()
            .map(|Subject { role, facts, .. }| Process { role, facts })
            .collect(),
    }
}
