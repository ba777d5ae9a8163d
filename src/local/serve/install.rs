//! Installs the packages of an application before its first process, as a job of its own (PK1, PK2, RA4).

use jiff::Timestamp;

use super::source::Base;
use crate::content::kinds;
use crate::data::{JobDir, JobRecord, JobState, new_key};
use crate::gather::Listings;
use crate::local::error::LocalError;
use crate::local::server::Server;
use crate::local::{install, process};
use crate::plan::{Plan, Purpose};

/// Installs what is missing.
///
/// # Errors
/// Why it could not be installed, in one sentence.
pub fn run(server: &Server, base: &Base, name: &str) -> Result<(), LocalError> {
    let key = new_key();
    let plan = base.plan(server, &key, None, &Listings::default())?;
    let directory = JobDir::make(&server.data, &base.content, &key, process::owner(&server.run_as))?;
    let mut record = JobRecord {
        name: name.to_owned(),
        tag: tag(&plan).to_owned(),
        bundle: base.bundle,
        variant: "default".to_owned(),
        rendering: None,
        started: Timestamp::now(),
        finished: None,
        state: JobState::Running,
        exit_code: None,
        reason: None,
        message: None,
    };
    directory.write_record(&record)?;
    let installed = install_all(server, &directory, &plan);
    record.finished = Some(Timestamp::now());
    match &installed {
        Ok(()) => (record.state, record.exit_code) = (JobState::Succeeded, Some(0)),
        Err(error) => {
            record.state = JobState::Failed;
            record.exit_code = error.process_code();
            record.reason = Some(error.reason().name().to_owned());
            record.message = Some(error.to_string());
        }
    }
    let kept = directory.write_record(&record).map(|()| directory.close());
    // What the installation failed of comes first.
    installed?;
    Ok(kept?)
}

fn tag(plan: &Plan) -> &'static str {
    let language = plan.processes.iter().find_map(|process| match &process.purpose {
        Purpose::Install(key) => Some(key.language),
        _ => None,
    });
    language.map_or("unknown", kinds::install_tag)
}

fn install_all(server: &Server, directory: &JobDir, plan: &Plan) -> Result<(), LocalError> {
    for process in &plan.processes {
        if let Purpose::Install(key) = &process.purpose {
            let began = Timestamp::now();
            let done = install::run(server, directory, process, key, || {})?;
            let took = Timestamp::now().duration_since(began).as_secs();
            tracing::info!(environment = %key.path, ?done, seconds = took, "packages are installed");
        }
    }
    Ok(())
}
