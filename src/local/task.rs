//! The task itself: a fresh copy of the source, the process, and what becomes of its result (RD1–RD3, ST1–ST3).

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::LocalError;
use super::job::Job;
use super::process::{self, Finished};
use crate::api::job::TaskKind;
use crate::data::{CopyOptions, Finish, JobDir, Rendering, SourceCopy, copy_tree, layout, remove_tree};
use crate::names::LIMIT_MISSING;
use crate::plan::{Output, ProcessPlan};

/// Runs the task. A result is finished, and activated if that was asked for, only after success.
pub(super) fn run(
    job: &Job<'_>,
    directory: &JobDir,
    plan: &ProcessPlan,
    kind: TaskKind,
    rendering: Option<Rendering>,
) -> Result<Option<PathBuf>, LocalError> {
    let place = match &rendering {
        Some(rendering) => set_up_result(job, plan, rendering),
        None => Ok(()),
    };
    let answer = place
        .and_then(|()| run_on_copy(job, directory, plan, kind))
        .and_then(|finished| {
            // A process can miss that a write of its own was cut off; what is served must be whole (RD3).
            let cut_off = rendering.is_some() && finished.full.is_some();
            if finished.ended.succeeded() && !cut_off {
                Ok(())
            } else {
                Err(LocalError::Process(finished.failed()))
            }
        });
    match (answer, rendering) {
        (Ok(()), Some(rendering)) => match job.watcher.may_finish() {
            Ok(()) => finish(job, plan, rendering).map(Some),
            Err(error) => {
                job.discard(Some(rendering));
                Err(error)
            }
        },
        (Ok(()), None) => job.watcher.may_finish().map(|()| None),
        (Err(error), rendering) => {
            job.discard(rendering);
            Err(error)
        }
    }
}

/// Gives the output directory to the account; a site gets the source into it first (ST1).
fn set_up_result(job: &Job<'_>, plan: &ProcessPlan, rendering: &Rendering) -> Result<(), LocalError> {
    let owner = process::owner(&plan.identity);
    if let Output::Result {
        source_copy: None, ..
    } = &plan.output
    {
        job.watcher.step("copying the source");
        let source = job.server.data.path(layout::bundle(&job.content, job.bundle));
        // The copy makes the directory itself; the claim on its name stays ours meanwhile.
        remove_tree(rendering.path())?;
        copy_tree(
            &source,
            rendering.path(),
            CopyOptions {
                owner,
                ..CopyOptions::default()
            },
        )?;
    }
    Ok(rendering.give_to(owner)?)
}

/// Runs the process on a copy of its own, where it has one, and removes that afterwards (RD1).
fn run_on_copy(
    job: &Job<'_>,
    directory: &JobDir,
    plan: &ProcessPlan,
    kind: TaskKind,
) -> Result<Finished, LocalError> {
    let copy = match &plan.output {
        Output::Result {
            source_copy: Some(_), ..
        }
        | Output::Scratch { .. } => {
            job.watcher.step("copying the source");
            let owner = process::owner(&plan.identity);
            Some(SourceCopy::make(
                &job.server.data,
                &job.content,
                job.bundle,
                &job.key,
                owner,
            )?)
        }
        _ => None,
    };
    let finished = start(job, directory, plan, kind);
    let removed = copy.map_or(Ok(()), SourceCopy::remove);
    // What the process failed of comes first.
    let finished = finished?;
    removed?;
    Ok(finished)
}

fn start(
    job: &Job<'_>,
    directory: &JobDir,
    plan: &ProcessPlan,
    kind: TaskKind,
) -> Result<Finished, LocalError> {
    if super::signals::stop_asked() {
        return Err(LocalError::Stopped);
    }
    job.watcher.step(match kind {
        TaskKind::Run => "running",
        _ => "rendering",
    });
    job.watcher.pause();
    let finished = match &job.private {
        Some(private) => process::run_private(job.server, directory, plan, private),
        None => process::run(job.server, directory, plan),
    };
    let layers = finished.iter().flat_map(|finished| &finished.ended.layers);
    for missing in layers.filter(|layer| layer.contains(LIMIT_MISSING)) {
        job.watcher.done(&format!("note: {missing}"));
    }
    // Of one that failed they are part of what is said of that.
    let succeeded = finished.iter().filter(|finished| finished.ended.succeeded());
    for met in succeeded.flat_map(Finished::met) {
        job.watcher.done(&format!("note: {met}"));
    }
    finished
}

/// Makes the result whole and, if that was asked for, the one that is served. Gives its main file.
fn finish(job: &Job<'_>, plan: &ProcessPlan, rendering: Rendering) -> Result<PathBuf, LocalError> {
    let Output::Result {
        site_output_dir,
        index,
        activate,
        ..
    } = &plan.output
    else {
        return Ok(rendering.path().to_owned());
    };
    let renders = job.renders();
    let number = rendering.number();
    let record = renders.finish(
        rendering,
        &Finish {
            bundle: job.bundle,
            job: &job.key,
            site_output_dir: site_output_dir.as_deref().map(Path::new),
            index: index.as_deref().map(Path::new),
            now: Timestamp::now(),
        },
    )?;
    for note in &record.notes {
        job.watcher.done(&format!("note: {note}"));
    }
    if *activate {
        renders.activate(number)?;
        job.watcher.done(&format!("result {number} is served now"));
    } else {
        let (content, variant) = (&job.content, &job.variant);
        job.watcher.done(&format!(
            "result {number} is kept; serve it with: offhost content activate {content} {number} --variant {variant}"
        ));
    }
    let path = renders.path(number);
    Ok(match record.index {
        Some(index) => path.join(index),
        None => path,
    })
}
