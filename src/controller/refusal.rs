//! What it means when the API server does not take a Pod: what is missing, by name, and what to do.

use super::call_error::CallError;
use crate::reason::Reason;
use crate::status::Problem;

/// The problem of a Pod that was refused; `None` where trying again is all there is to do.
#[must_use]
pub fn problem(pod: &str, error: &CallError) -> Option<Problem> {
    match error {
        CallError::Refused { said, .. } => Some(explain(pod, said)),
        CallError::Forbidden { .. } | CallError::Gone { .. } => Some(Problem {
            reason: Reason::PodRefused,
            message: format!("Pod '{pod}' can not be made: {error}"),
        }),
        CallError::Stale { .. }
        | CallError::Exists { .. }
        | CallError::Late { .. }
        | CallError::Failed { .. } => None,
    }
}

/// The problem of a name that is taken by a Pod of somebody else.
#[must_use]
pub fn foreign(pod: &str) -> Problem {
    Problem {
        reason: Reason::PodRefused,
        message: format!(
            "there is a Pod '{pod}' that does not belong to this job; delete it with `kubectl delete pod {pod}`, or give the job another name"
        ),
    }
}

/// What admission says, by the plugins that say it.
fn explain(pod: &str, said: &str) -> Problem {
    let missing = |kind: &str, field: &str| {
        let name = quoted(said).unwrap_or_default();
        Problem {
            reason: Reason::ReferenceNotFound,
            message: format!(
                "there is no {kind} '{name}' for Pod '{pod}'; create it, or name another one in {field}"
            ),
        }
    };
    let not_found = said.contains("not found") || said.contains("no PriorityClass");
    if not_found && said.contains("service account") {
        return missing(
            "service account",
            "spec.serviceAccountName or Kubernetes.ServiceAccount",
        );
    }
    if not_found && said.contains("PriorityClass") {
        return missing(
            "priority class",
            "spec.priorityClassName or Kubernetes.PriorityClassName",
        );
    }
    if not_found && said.contains("RuntimeClass") {
        return missing("runtime class", "Kubernetes.RuntimeClassName");
    }
    let advice = if said.contains("exceeded quota") {
        "it is tried again; wait until other Pods have ended, or raise the quota"
    } else if said.contains("must specify") && said.contains("quota") {
        "set spec.resources, or Scheduler.CPURequest, CPULimit, MemoryRequest and MemoryLimit"
    } else if said.contains("PodSecurity") {
        "content Pods pass the standard 'restricted'; see which volume, runtime class or other policy is in the way"
    } else {
        "it is tried again; change the job, or what refuses it"
    };
    Problem {
        reason: Reason::PodRefused,
        message: format!("the API server refuses Pod '{pod}': {said}; {advice}"),
    }
}

/// The last name in quotes: `serviceaccount "x" not found`, `no PriorityClass with name x was found`.
fn quoted(said: &str) -> Option<String> {
    if let Some((_, rest)) = said.split_once("with name ") {
        return rest.split_whitespace().next().map(str::to_owned);
    }
    let mut parts: Vec<&str> = said.split('"').collect();
    // Text after the last quote, then the name in it.
    parts.pop()?;
    parts.pop().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(said: &str) -> Problem {
        let error = CallError::Refused {
            call: "create pods p".to_owned(),
            said: said.to_owned(),
        };
        problem("p", &error).unwrap()
    }

    /// Proves: OH1 (P)
    #[test]
    fn a_missing_reference_is_told_by_its_name() {
        let cases = [
            (
                r#"pods "p" is forbidden: error looking up service account n/runner: serviceaccount "runner" not found"#,
                "there is no service account 'runner' for Pod 'p'",
            ),
            (
                r#"pods "p" is forbidden: no PriorityClass with name high was found"#,
                "there is no priority class 'high' for Pod 'p'",
            ),
            (
                r#"pods "p" is forbidden: pod rejected: RuntimeClass "gvisor" not found"#,
                "there is no runtime class 'gvisor' for Pod 'p'",
            ),
        ];
        for (said, start) in cases {
            let problem = told(said);
            assert_eq!(problem.reason, Reason::ReferenceNotFound);
            assert!(problem.message.starts_with(start), "{}", problem.message);
        }
    }

    /// Proves: OH1 (P)
    #[test]
    fn a_quota_is_told_with_what_to_do() {
        let said = r#"pods "p" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2"#;
        let problem = told(said);
        assert_eq!(problem.reason, Reason::PodRefused);
        assert!(problem.message.contains("raise the quota"), "{}", problem.message);
    }
}
