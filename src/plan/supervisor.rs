//! The supervisor's words in front of a command line (SV1, SV2, SV3): the same for content and for installs.

use super::process::Scope;
use super::{Mode, PlanError};

/// The words, with the setting they come from. Empty if there is no supervisor.
pub(super) fn words<'a>(scope: &Scope<'a>) -> Result<&'a [String], PlanError> {
    let (words, setting) = match scope.task.mode {
        Mode::Local => (
            &scope.settings.applications.supervisor,
            "Applications.Supervisor".to_owned(),
        ),
        Mode::Pod => (
            &scope.choice.supervisor,
            format!("the supervisor of runtime '{}'", scope.choice.runtime),
        ),
    };
    match words.first() {
        Some(program) if !program.starts_with('/') => Err(PlanError::Supervisor {
            setting,
            program: program.clone(),
        }),
        _ => Ok(words),
    }
}
