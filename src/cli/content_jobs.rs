//! `offhost content jobs` and `offhost content set`: what became of each job, and what jobs take unasked.

use super::args::{ContentDefaultsArgs, Format};
use super::failure::Failure;
use super::printer;
use crate::data::{self, ContentId, DataDir, JobEntry, JobState, Store};
use crate::local::error::LocalError;
use crate::settings::Settings;

/// Lists the jobs of a content item, newest last (PK10).
pub(super) fn list(data: &DataDir, content: &str, format: Format) -> Result<u8, Failure> {
    let id = ContentId::parse(content).map_err(LocalError::from)?;
    Store::new(data).content(&id).map_err(LocalError::from)?;
    let jobs = data::jobs(data, &id).map_err(LocalError::from)?;
    if format == Format::Json {
        printer::json(&jobs);
        return Ok(0);
    }
    let head = [
        "JOB", "TASK", "STATE", "EXIT", "REASON", "RESULT", "STARTED", "OUTPUT",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(jobs.iter().map(row));
    printer::table(&rows);
    Ok(0)
}

fn row(job: &JobEntry) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let record = &job.record;
    let state = match record.state {
        JobState::Running => "running",
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::CutOff => "cut off",
    };
    vec![
        job.key.clone(),
        record.tag.clone(),
        state.to_owned(),
        or_dash(record.exit_code.map(|code| code.to_string())),
        or_dash(record.reason.clone()),
        or_dash(record.rendering.clone()),
        record.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        job.path.display().to_string(),
    ]
}

/// Sets what the jobs of a content item take where they ask for nothing. The data directory is the administrator's, and
/// so is the right to name another account (RA2). An account that could not run content is refused here already.
pub(super) fn set(
    data: &DataDir,
    settings: &Settings,
    content: &str,
    args: &ContentDefaultsArgs,
) -> Result<u8, Failure> {
    let id = ContentId::parse(content).map_err(LocalError::from)?;
    let store = Store::new(data);
    let mut defaults = store.content(&id).map_err(LocalError::from)?.defaults;
    for (flag, field) in [
        (&args.run_as, &mut defaults.run_as),
        (&args.image, &mut defaults.image),
    ] {
        match flag.as_deref() {
            Some("") => *field = None,
            Some(value) => *field = Some(value.to_owned()),
            None => {}
        }
    }
    if let Some(account) = &defaults.run_as {
        let accounts = crate::local::server::gather_accounts(settings, Some(account))?;
        crate::plan::content_identity(account, settings, &accounts).map_err(LocalError::from)?;
    }
    store.set_defaults(&id, defaults).map_err(LocalError::from)?;
    printer::line(format!("content/{content} set"));
    Ok(0)
}
