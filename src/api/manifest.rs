//! Reads a manifest (pure): an application that is served, or a job that is run once.

use serde::Deserialize;

use super::app::AppFile;
use super::job::JobFile;
use super::{JobFileError, parse_app, parse_job};
use crate::names::{KIND_CONTENT_APP, KIND_CONTENT_JOB};

/// What a manifest asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Manifest {
    /// Something that is served.
    App(Box<AppFile>),
    /// Something that is run once.
    Job(Box<JobFile>),
}

impl Manifest {
    /// Its kind and name; no two manifests have the same.
    #[must_use]
    pub fn id(&self) -> (&'static str, &str) {
        match self {
            Self::App(app) => (KIND_CONTENT_APP, &app.metadata.name),
            Self::Job(job) => (KIND_CONTENT_JOB, &job.metadata.name),
        }
    }
}

/// What is read first.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    kind: Option<String>,
}

/// Reads the manifest `file` with the content `text`.
///
/// # Errors
/// [`JobFileError`], which names the file and the line or the field.
pub fn parse_manifest(text: &str, file: &str) -> Result<Manifest, JobFileError> {
    let header: Option<Header> = serde_saphyr::from_str(text).ok();
    match header.and_then(|header| header.kind).as_deref() {
        Some(KIND_CONTENT_JOB) => Ok(Manifest::Job(Box::new(parse_job(text, file)?))),
        // What can not be read at all is told by the reader.
        None | Some(KIND_CONTENT_APP) => Ok(Manifest::App(Box::new(parse_app(text, file)?))),
        Some(other) => Err(JobFileError::Kind {
            file: file.to_owned(),
            key: "kind",
            found: other.to_owned(),
            expected: "ContentApp' or 'ContentJob",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: &str, spec: &str) -> String {
        format!("apiVersion: offhost.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: sales}}\nspec: {spec}\n")
    }

    #[test]
    fn each_kind_is_read_as_what_it_is() {
        let parse = |kind| parse_manifest(&text(kind, "{}"), "sales.yaml");
        assert_eq!(parse("ContentApp").unwrap().id(), ("ContentApp", "sales"));
        assert_eq!(parse("ContentJob").unwrap().id(), ("ContentJob", "sales"));
        let error = parse("Deployment").unwrap_err().to_string();
        assert!(
            error.contains("'Deployment'") && error.contains("'ContentApp' or 'ContentJob'"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_manifest_is_told_with_its_line() {
        let error = parse_manifest("a: b: c\n", "sales.yaml").unwrap_err().to_string();
        assert!(error.starts_with("sales.yaml"), "{error}");
        let wrong = text("ContentJob", "{tassk: Run}");
        let error = parse_manifest(&wrong, "sales.yaml").unwrap_err().to_string();
        assert!(error.starts_with("sales.yaml:4: unknown key 'tassk'"), "{error}");
    }
}
