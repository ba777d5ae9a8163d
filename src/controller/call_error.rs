//! What an answer of the API server means to the controller.

use thiserror::Error;

/// Why a call did not do what was asked.
#[derive(Debug, Error)]
pub enum CallError {
    /// The object has changed since it was seen. Its new state comes by the watch.
    #[error("{call}: it has changed meanwhile")]
    Stale {
        /// What was asked.
        call: String,
    },
    /// There is an object of that name.
    #[error("{call}: there is one of that name already")]
    Exists {
        /// What was asked.
        call: String,
    },
    /// There is no such object.
    #[error("{call}: there is none: {said}")]
    Gone {
        /// What was asked.
        call: String,
        /// What the API server said.
        said: String,
    },
    /// The controller's own account may not do that.
    #[error(
        "this program may not {verb} {resource}: {said}; give its role the verb {verb} on {resource}, as docs/rbac.md lists it"
    )]
    Forbidden {
        /// The verb that is missing.
        verb: &'static str,
        /// On this resource.
        resource: &'static str,
        /// What the API server said.
        said: String,
    },
    /// The API server does not take the object as it is: its schema, admission, a quota.
    #[error("{call}: refused: {said}")]
    Refused {
        /// What was asked.
        call: String,
        /// What the API server said.
        said: String,
    },
    /// There was no answer.
    #[error("{call}: no answer from the API server in {seconds} s")]
    Late {
        /// What was asked.
        call: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The API server has a fault, or can not be reached.
    #[error("{call}: {source}")]
    Failed {
        /// What was asked.
        call: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
}

impl CallError {
    /// The meaning of what kube's client gave.
    #[must_use]
    pub fn of(verb: &'static str, resource: &'static str, name: &str, error: kube::Error) -> Self {
        let call = format!("{verb} {resource} {name}");
        let kube::Error::Api(status) = error else {
            return Self::Failed {
                call,
                source: Box::new(error),
            };
        };
        let said = status.message.clone();
        match status.code {
            409 if status.is_already_exists() => Self::Exists { call },
            409 => Self::Stale { call },
            404 | 410 => Self::Gone { call, said },
            // The authorizer's own words; what admission refuses reads otherwise.
            403 if said.contains(&format!(" cannot {verb} resource ")) => {
                Self::Forbidden { verb, resource, said }
            }
            400 | 403 | 413 | 422 => Self::Refused { call, said },
            _ => Self::Failed {
                call,
                source: Box::new(kube::Error::Api(status)),
            },
        }
    }

    /// Label of the metric that counts it.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Stale { .. } => "stale",
            Self::Exists { .. } => "exists",
            Self::Gone { .. } => "gone",
            Self::Forbidden { .. } => "forbidden",
            Self::Refused { .. } => "refused",
            Self::Late { .. } => "timeout",
            Self::Failed { .. } => "api",
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn error(code: u16, reason: &str, message: &str) -> CallError {
        let status = Status::failure(message, reason).with_code(code).boxed();
        CallError::of("create", "pods", "p", kube::Error::Api(status))
    }

    /// Proves: OH1 (P)
    #[test]
    fn a_missing_permission_is_told_from_what_admission_refuses() {
        let said = r#"pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n""#;
        let text = error(403, "Forbidden", said).to_string();
        assert!(text.contains("give its role the verb create on pods"), "{text}");
        let said = r#"pods "p" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2"#;
        let text = error(403, "Forbidden", said).to_string();
        assert_eq!(text, format!("create pods p: refused: {said}"));
    }

    #[test]
    fn conflicts_are_two_kinds() {
        assert_eq!(error(409, "AlreadyExists", "").label(), "exists");
        assert_eq!(error(409, "Conflict", "").label(), "stale");
        assert_eq!(error(404, "NotFound", "").label(), "gone");
        assert_eq!(error(500, "InternalError", "").label(), "api");
        assert_eq!(error(429, "TooManyRequests", "").label(), "api");
    }
}
