//! Reads a job file (pure): YAML or JSON, one document, every key known, every bound kept.

use serde::Deserialize;
use thiserror::Error;

use super::bounds;
use super::checks::{self, Fault};
use super::job::{JobFile, TaskKind};
use crate::names::{API_VERSION, KIND_CONTENT_JOB};
use crate::text::suggestion;

/// Why the file of a job or application can not be used.
#[derive(Debug, Error)]
pub enum JobFileError {
    /// Two objects in one file.
    #[error(
        "{file}:{line}: a second document begins here, and a file holds one object; put it in a file of its own"
    )]
    TwoDocuments {
        /// The file.
        file: String,
        /// Where the second one begins.
        line: u64,
    },
    /// Nothing in it.
    #[error("{file}: is empty; write apiVersion: {API_VERSION}, kind: {kind}, metadata and spec")]
    Empty {
        /// The file.
        file: String,
        /// What it should hold.
        kind: &'static str,
    },
    /// It is no YAML, or has an unknown key or a value of the wrong type.
    #[error("{file}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// Position, what is wrong, and a suggestion.
        message: String,
    },
    /// Another kind of object.
    #[error("{file}: {key} is '{found}', and '{expected}' is wanted here; correct it")]
    Kind {
        /// The file.
        file: String,
        /// `apiVersion` or `kind`.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it must say.
        expected: &'static str,
    },
    /// `apiVersion` or `kind` is not there.
    #[error("{file}: has no {key}; add '{key}: {expected}'")]
    NoKind {
        /// The file.
        file: String,
        /// `apiVersion` or `kind`.
        key: &'static str,
        /// What it must say.
        expected: &'static str,
    },
    /// A value out of its bounds, or two that exclude each other.
    #[error("{file}: {field} {problem}")]
    Value {
        /// The file.
        file: String,
        /// Path of the field: `spec.env[2].name`.
        field: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// What is read first, so that another kind of object is named as such and not by its first unknown key.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
}

/// Reads the job file `file` with the content `text`.
///
/// # Errors
/// [`JobFileError`], which names the file and the line or the field.
pub fn parse_job(text: &str, file: &str) -> Result<JobFile, JobFileError> {
    parse(text, file, KIND_CONTENT_JOB, check)
}

/// Reads a file that holds one object of this kind, and checks it.
pub(super) fn parse<T: for<'de> Deserialize<'de>>(
    text: &str,
    file: &str,
    kind: &'static str,
    check: impl FnOnce(&T) -> Result<(), Fault>,
) -> Result<T, JobFileError> {
    let header: Option<Header> = read(text, file)?;
    let header = header.ok_or_else(|| JobFileError::Empty {
        file: file.to_owned(),
        kind,
    })?;
    check_header(&header, file, kind)?;
    let object: T = read(text, file)?;
    match check(&object) {
        Ok(()) => Ok(object),
        Err((field, problem)) => Err(JobFileError::Value {
            file: file.to_owned(),
            field,
            problem,
        }),
    }
}

fn read<T: for<'de> Deserialize<'de>>(text: &str, file: &str) -> Result<T, JobFileError> {
    use serde_saphyr::Error;
    let unknown = |what: &str, given: &str, expected: &[&'static str], line: u64| {
        let suggestion = suggestion(given, expected.iter().copied());
        JobFileError::Syntax {
            file: format!("{file}:{line}"),
            message: format!(
                "unknown {what} '{given}'; known are {}{suggestion}",
                expected.join(", ")
            ),
        }
    };
    serde_saphyr::from_str(text).map_err(|error| match error.without_snippet() {
        Error::MultipleDocuments { location, .. } => JobFileError::TwoDocuments {
            file: file.to_owned(),
            line: location.line(),
        },
        Error::SerdeUnknownField {
            field,
            expected,
            location,
        } => unknown("key", field, expected, location.line()),
        Error::SerdeUnknownVariant {
            variant,
            expected,
            location,
        } => unknown("value", variant, expected, location.line()),
        plain => JobFileError::Syntax {
            file: file.to_owned(),
            message: format!("{plain}; correct it"),
        },
    })
}

fn check_header(header: &Header, file: &str, kind: &'static str) -> Result<(), JobFileError> {
    for (key, found, expected) in [
        ("apiVersion", &header.api_version, API_VERSION),
        ("kind", &header.kind, kind),
    ] {
        let file = file.to_owned();
        match found {
            None => return Err(JobFileError::NoKind { file, key, expected }),
            Some(found) if found != expected => {
                return Err(JobFileError::Kind {
                    file,
                    key,
                    found: found.clone(),
                    expected,
                });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn check(job: &JobFile) -> Result<(), Fault> {
    if let Some(fault) = bounds::first_fault(job) {
        return Err(fault);
    }
    for (field, value) in [
        ("metadata.name", Some(&job.metadata.name)),
        ("metadata.namespace", job.metadata.namespace.as_ref()),
        ("spec.content", job.spec.content.as_ref()),
        ("spec.variant", job.spec.variant.as_ref()),
    ] {
        if let Some(value) = value {
            checks::label(field, value)?;
        }
    }
    checks::bundle(&job.spec.bundle)?;
    checks::env(&job.spec.env)?;
    check_task(job)?;
    checks::unique(
        "spec.parameters",
        job.spec
            .parameters
            .iter()
            .map(|parameter| parameter.name.as_str()),
    )?;
    checks::unique(
        "spec.schedulingGates",
        job.spec.scheduling_gates.iter().map(String::as_str),
    )?;
    checks::resources(&job.spec.resources)?;
    checks::schedule(job)
}

fn check_task(job: &JobFile) -> Result<(), Fault> {
    let fault = |field: String, problem: &str| Err((field, problem.to_owned()));
    let bundle = &job.spec.bundle;
    if job.spec.language.is_some() && job.spec.task != Some(TaskKind::Install) {
        return fault(
            "spec.language".to_owned(),
            "is given, and only the task Install has one; remove it or set spec.task to Install",
        );
    }
    match job.spec.task {
        Some(TaskKind::Deploy) if bundle.path.is_none() && bundle.archive.is_none() => fault(
            "spec.bundle".to_owned(),
            "names nothing to deploy, and spec.task is Deploy; set spec.bundle.path",
        ),
        Some(TaskKind::Run) if job.spec.command.is_empty() => fault(
            "spec.command".to_owned(),
            "is empty, and spec.task is Run; name the program and its arguments",
        ),
        Some(TaskKind::Deploy | TaskKind::Install | TaskKind::Render | TaskKind::RenderSite)
            if !job.spec.command.is_empty() =>
        {
            fault(
                "spec.command".to_owned(),
                "is given, and spec.task runs none; remove it or set spec.task to Run",
            )
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
