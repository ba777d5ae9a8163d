//! Reads a job file (pure): YAML or JSON, one document, every key known, every bound kept.

use serde::Deserialize;
use thiserror::Error;

use super::bounds;
use super::job::{JobFile, TaskKind};
use crate::names::{API_VERSION, KIND_CONTENT_JOB};
use crate::text::suggestion;

/// Why a job file can not be used.
#[derive(Debug, Error)]
pub enum JobFileError {
    /// Two jobs in one file.
    #[error(
        "{file}:{line}: a second document begins here, and a job file holds one job; put it in a file of its own"
    )]
    TwoDocuments {
        /// The file.
        file: String,
        /// Where the second one begins.
        line: u64,
    },
    /// Nothing in it.
    #[error("{file}: is empty; write apiVersion: {API_VERSION}, kind: {KIND_CONTENT_JOB}, metadata and spec")]
    Empty {
        /// The file.
        file: String,
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
    #[error("{file}: {key} is '{found}', and a job file has '{expected}'; correct it")]
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
    let header: Option<Header> = read(text, file)?;
    check_header(
        &header.ok_or_else(|| JobFileError::Empty {
            file: file.to_owned(),
        })?,
        file,
    )?;
    let job: JobFile = read(text, file)?;
    let checked = check(&job);
    match checked {
        Ok(()) => Ok(job),
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

fn check_header(header: &Header, file: &str) -> Result<(), JobFileError> {
    for (key, found, expected) in [
        ("apiVersion", &header.api_version, API_VERSION),
        ("kind", &header.kind, KIND_CONTENT_JOB),
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

/// A field and what is wrong with it.
type Fault = (String, String);

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
            check_label(field, value)?;
        }
    }
    check_exclusive(job)?;
    check_digest(job)?;
    check_unique(
        "spec.env",
        job.spec.env.iter().map(|variable| variable.name.as_str()),
    )?;
    check_unique(
        "spec.parameters",
        job.spec
            .parameters
            .iter()
            .map(|parameter| parameter.name.as_str()),
    )?;
    check_unique(
        "spec.schedulingGates",
        job.spec.scheduling_gates.iter().map(String::as_str),
    )?;
    check_resources(job)
}

/// A DNS-1123 label: the name of an object, part of a host name, and one component of a path.
fn check_label(field: &str, value: &str) -> Result<(), Fault> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = value.as_bytes();
    let plain = bytes.iter().all(|byte| letter(*byte) || *byte == b'-');
    let ends = [bytes.first(), bytes.last()];
    if plain && bytes.len() <= 63 && ends.iter().all(|end| end.is_some_and(|byte| letter(*byte))) {
        return Ok(());
    }
    let problem = format!(
        "is '{value}'; use 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends"
    );
    Err((field.to_owned(), problem))
}

/// The digest becomes part of an address and of a path.
fn check_digest(job: &JobFile) -> Result<(), Fault> {
    let Some(archive) = &job.spec.bundle.archive else {
        return Ok(());
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if archive.sha256.bytes().all(is_digit) {
        return Ok(());
    }
    let problem = format!("is '{}'; use lower-case hexadecimal digits", archive.sha256);
    Err(("spec.bundle.archive.sha256".to_owned(), problem))
}

fn check_exclusive(job: &JobFile) -> Result<(), Fault> {
    let fault = |field: String, problem: &str| Err((field, problem.to_owned()));
    let bundle = &job.spec.bundle;
    let named = [
        bundle.path.is_some(),
        bundle.id.is_some(),
        bundle.archive.is_some(),
    ];
    if named.iter().filter(|given| **given).count() > 1 {
        return fault(
            "spec.bundle".to_owned(),
            "has more than one of path, id and archive; keep one of them",
        );
    }
    for (index, variable) in job.spec.env.iter().enumerate() {
        let field = format!("spec.env[{index}]");
        match (&variable.value, &variable.value_from) {
            (Some(_), Some(_)) => return fault(field, "has both value and valueFrom; keep one of them"),
            (None, None) => return fault(field, "has neither value nor valueFrom; add one of them"),
            _ => {}
        }
    }
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

fn check_unique<'a>(field: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err((
                field.to_owned(),
                format!("names '{name}' twice; remove one of the two"),
            ));
        }
    }
    Ok(())
}

fn check_resources(job: &JobFile) -> Result<(), Fault> {
    const KNOWN: [&str; 4] = ["cpu", "memory", "pids", "ephemeral-storage"];
    let resources = &job.spec.resources;
    for (list, names) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        // Devices are `domain/name`; which can be had, the plan says.
        let unknown = |name: &&String| !KNOWN.contains(&name.as_str()) && !name.contains('/');
        if let Some(name) = names.keys().find(unknown) {
            return Err((
                format!("spec.resources.{list}"),
                format!(
                    "has '{name}'; known are {}, and devices such as nvidia.com/gpu{}",
                    KNOWN.join(", "),
                    suggestion(name, KNOWN)
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
