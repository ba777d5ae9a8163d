//! Why something on a cluster did not work, told to the person who asked for it.

use thiserror::Error;

use super::client::ClientError;
use super::pack::PackError;
use crate::reason::Reason;

/// Why it did not work.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No cluster is known.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The content can not be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The API server gives no answer.
    #[error(
        "the API server gives no answer: {cause}; check the network, or name another cluster with --context"
    )]
    Unreachable {
        /// The innermost cause.
        cause: String,
    },
    /// The credentials are not taken.
    #[error("the API server does not know you: {said}; log in again, or name another context with --context")]
    Unauthorized {
        /// What it said.
        said: String,
    },
    /// A permission is missing.
    #[error(
        "{said}; ask an administrator for the permission to {verb} {resource} in namespace '{namespace}'"
    )]
    Forbidden {
        /// What the API server said.
        said: String,
        /// The verb that is missing.
        verb: &'static str,
        /// On this resource.
        resource: String,
        /// In this namespace.
        namespace: String,
    },
    /// The cluster has no such resource.
    #[error(
        "the cluster has no ContentJob; install offhost on it, or its definition: offhost crd | kubectl apply --server-side -f -"
    )]
    NoDefinition,
    /// There is no such namespace.
    #[error("there is no namespace '{namespace}'; name another with --namespace")]
    NoNamespace {
        /// The namespace.
        namespace: String,
    },
    /// There is no such job.
    #[error(
        "there is no job '{name}' in namespace '{namespace}'; see them with: kubectl get contentjobs -n {namespace}"
    )]
    NoJob {
        /// The job.
        name: String,
        /// The namespace.
        namespace: String,
    },
    /// The API server refuses the object.
    #[error("the API server refuses the job: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
    /// Another answer that was not expected.
    #[error("the API server can not {verb} {resource}: {said}; try again")]
    Api {
        /// What was asked.
        verb: &'static str,
        /// Of this resource.
        resource: String,
        /// What it said.
        said: String,
    },
    /// Nobody does anything about the job.
    #[error(
        "no controller has taken job '{name}' in {seconds} s; see whether offhost runs in namespace '{namespace}': kubectl get pods -n {namespace} -l app.kubernetes.io/part-of=offhost"
    )]
    NotTaken {
        /// The job.
        name: String,
        /// The namespace.
        namespace: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Where archives are sent to is not known.
    #[error("{problem}; name the Service that takes uploads with --service")]
    NoService {
        /// What was found instead.
        problem: String,
    },
    /// The archive was not taken.
    #[error("the archive was not taken: {said}")]
    Upload {
        /// Why, and what to do.
        said: String,
    },
    /// The archive can not be read again.
    #[error("the archive can not be read: {0}; try again")]
    Archive(std::io::Error),
    /// The job was deleted while it was waited for.
    #[error("job '{name}' was deleted while it was waited for")]
    Deleted {
        /// The job.
        name: String,
    },
    /// The job did not succeed.
    #[error("job '{name}' did not succeed ({reason}): {message}")]
    Failed {
        /// The job.
        name: String,
        /// Why.
        reason: String,
        /// The same in a sentence.
        message: String,
        /// Exit code of its process.
        exit_code: Option<i32>,
    },
    /// There is no output to show.
    #[error("{0}")]
    NoLog(String),
    /// The person has stopped it before the job could begin.
    #[error("stopped; the job was taken back")]
    Interrupted,
    /// The person has stopped waiting.
    #[error(
        "stopped waiting; job '{name}' goes on, and is ended by: kubectl delete contentjob {name} -n {namespace}"
    )]
    Left {
        /// The job.
        name: String,
        /// The namespace.
        namespace: String,
    },
}

impl ClusterError {
    /// The meaning of what kube's client gave.
    #[must_use]
    pub fn of(verb: &'static str, resource: &str, namespace: &str, error: kube::Error) -> Self {
        let kube::Error::Api(status) = &error else {
            return Self::Unreachable {
                cause: innermost(&error),
            };
        };
        let said = status.message.trim().trim_end_matches('.').to_owned();
        let resource = resource.to_owned();
        let namespace = namespace.to_owned();
        match status.code {
            401 => Self::Unauthorized { said },
            403 if said.contains(" cannot ") => Self::Forbidden {
                said,
                verb,
                resource,
                namespace,
            },
            404 if said.starts_with("namespaces ") => Self::NoNamespace { namespace },
            404 if resource.starts_with("contentjobs") => Self::NoDefinition,
            400 | 403 | 413 | 422 => Self::Refused { said },
            _ => Self::Api { verb, resource, said },
        }
    }

    /// The reason, for the exit code.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Client(_)
            | Self::Unreachable { .. }
            | Self::NotTaken { .. }
            | Self::Api { .. }
            | Self::Upload { .. }
            | Self::Archive(_)
            | Self::Deleted { .. }
            | Self::Interrupted
            | Self::Left { .. } => Reason::Interrupted,
            Self::Unauthorized { .. } | Self::Forbidden { .. } => Reason::AccountRefused,
            Self::Failed { reason, .. } => Reason::from_name(reason).unwrap_or(Reason::ProcessFailed),
            _ => Reason::InvalidInput,
        }
    }

    /// Exit code of the process that failed by itself, as it was (SB8).
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        let Self::Failed { exit_code, .. } = self else {
            return None;
        };
        let own = matches!(self.reason(), Reason::ProcessFailed | Reason::InstallFailed);
        exit_code
            .and_then(|code| u8::try_from(code).ok())
            .filter(|code| own && *code != 0)
    }
}

/// The cause that says most: the errors around it only name the layer they passed.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn error(code: u16, message: &str) -> ClusterError {
        let status = Status::failure(message, "").with_code(code).boxed();
        ClusterError::of("create", "contentjobs", "reports", kube::Error::Api(status))
    }

    /// Proves: OH1 (P)
    #[test]
    fn answers_of_the_api_server_are_sentences_with_what_to_do() {
        for (code, said, told, exit) in [
            (401, "Unauthorized", "log in again", 77),
            (
                403,
                r#"contentjobs.offhost.dev is forbidden: User "u" cannot create resource "contentjobs""#,
                "permission to create contentjobs in namespace 'reports'",
                77,
            ),
            (
                403,
                r#"exceeded quota: jobs"#,
                "the API server refuses the job: exceeded quota",
                65,
            ),
            (
                404,
                r#"namespaces "reports" not found"#,
                "there is no namespace 'reports'",
                65,
            ),
            (404, "404 page not found", "offhost crd | kubectl apply", 65),
            (
                422,
                "spec.content: Invalid value",
                "spec.content: Invalid value",
                65,
            ),
            (
                500,
                "etcd is gone",
                "can not create contentjobs: etcd is gone",
                75,
            ),
        ] {
            let error = error(code, said);
            assert!(error.to_string().contains(told), "{error}");
            assert_eq!(error.reason().exit_code(), exit, "{error}");
        }
    }

    #[test]
    fn the_exit_code_is_that_of_the_process_where_it_failed_by_itself() {
        let failed = |reason: &str, exit_code| ClusterError::Failed {
            name: "a".to_owned(),
            reason: reason.to_owned(),
            message: String::new(),
            exit_code,
        };
        assert_eq!(failed("ProcessFailed", Some(3)).exit_code(), Some(3));
        assert_eq!(failed("OutOfMemory", Some(137)).exit_code(), None);
        assert_eq!(failed("OutOfMemory", Some(137)).reason().exit_code(), 137);
        assert_eq!(failed("ImageUnavailable", None).reason().exit_code(), 71);
        assert_eq!(failed("NewerReason", Some(9)).exit_code(), Some(9));
    }
}
