//! What a process makes, and what becomes of it (RD1–RD3, ST1–ST3).

use super::process::Scope;
use super::work::Doing;
use super::{Output, paths};
use crate::api::job::{Activation, TaskKind};
use crate::content::AppMode;

/// The output directory of a site whose configuration names none.
const SITE_OUTPUT: &str = "_site";

pub(super) fn of_task(scope: &Scope<'_>) -> Output {
    let (task, work) = (scope.task, scope.work);
    let result = |source_copy, site_output_dir, index: String| Output::Result {
        source_copy,
        directory: paths::result(task),
        site_output_dir,
        index: Some(index),
        activate: task.spec.activation == Activation::OnSuccess,
    };
    let index = "index.html".to_owned();
    let Doing::Task(kind) = work.doing else {
        return Output::None;
    };
    match kind {
        TaskKind::Deploy | TaskKind::Install => Output::None,
        TaskKind::Run => Output::Scratch {
            source_copy: paths::source_copy(task),
        },
        TaskKind::RenderSite => {
            let configured = task.facts.site_output_dir.as_deref().unwrap_or(SITE_OUTPUT);
            let moved = Some(configured.to_owned()).filter(|directory| directory != ".");
            result(None, moved, index)
        }
        TaskKind::Render if work.app_mode == AppMode::QuartoStatic => {
            result(Some(paths::source_copy(task)), None, quarto_output(scope))
        }
        TaskKind::Render => result(Some(paths::source_copy(task)), None, index),
    }
}

/// Quarto names the page after the document.
fn quarto_output(scope: &Scope<'_>) -> String {
    let entrypoint = scope.work.entrypoint.as_deref().unwrap_or("index");
    let file = entrypoint.rsplit('/').next().unwrap_or(entrypoint);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    format!("{stem}.html")
}
