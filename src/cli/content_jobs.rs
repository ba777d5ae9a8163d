//! `offhost content jobs` and `offhost content set`: what became of each job, and what jobs take unasked.

use std::collections::BTreeMap;

use super::args::Format;
use super::args_content::ContentDefaultsArgs;
use super::content_index::{self, existing};
use super::failure::Failure;
use super::printer;
use crate::data::{self, ContentId, DataDir, JobEntry, JobState, Store, layout};
use crate::gather;
use crate::local::error::LocalError;
use crate::plan::Mode;
use crate::settings::Settings;

/// Lists the jobs of a content item, newest last (PK10).
pub(super) fn list(
    data: &DataDir,
    settings: &Settings,
    content: &str,
    format: Format,
) -> Result<u8, Failure> {
    let id = ContentId::parse(content).map_err(LocalError::from)?;
    Store::new(data).content(&id).map_err(LocalError::from)?;
    let jobs = history(data, settings, &id)?;
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

/// What the state remembers. Of a job that is not over there, and of one that is not there, the data directory knows more.
pub(super) fn history(
    data: &DataDir,
    settings: &Settings,
    content: &ContentId,
) -> Result<Vec<JobEntry>, Failure> {
    let there = data::jobs(data, content).map_err(LocalError::from)?;
    let Some(state) = existing(data, settings)? else {
        return Ok(there);
    };
    let mut jobs: BTreeMap<String, JobEntry> = there.into_iter().map(|job| (job.key.clone(), job)).collect();
    for job in state.jobs(content.as_str()).map_err(LocalError::from)? {
        if job.record.state != JobState::Running || !jobs.contains_key(&job.key) {
            let path = data.path(layout::job(content, &job.key));
            let entry = JobEntry {
                key: job.key.clone(),
                path,
                record: job.record,
            };
            jobs.insert(job.key, entry);
        }
    }
    let mut jobs: Vec<JobEntry> = jobs.into_values().collect();
    jobs.sort_by(|a, b| (a.record.started, &a.key).cmp(&(b.record.started, &b.key)));
    Ok(jobs)
}

/// What became of a job, for people.
pub(super) fn word(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::CutOff => "cut off",
    }
}

fn row(job: &JobEntry) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let record = &job.record;
    vec![
        job.key.clone(),
        record.tag.clone(),
        word(record.state).to_owned(),
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
        let accounts =
            gather::accounts(Mode::Local, settings, [account.as_str()]).map_err(LocalError::from)?;
        crate::plan::content_identity(account, settings, &accounts).map_err(LocalError::from)?;
    }
    store.set_defaults(&id, defaults).map_err(LocalError::from)?;
    printer::line(format!("content/{content} set"));
    content_index::note(data, settings, &id);
    Ok(0)
}
