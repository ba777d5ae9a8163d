//! Stand-in for the selection of a runtime: the first one that has every language.

use std::collections::BTreeMap;

use super::{Choice, Needs, Runtimes};

/// No runtime fits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no runtime has what the content needs: {needed}; add one to runtimes.yaml")]
pub struct NoCandidate {
    /// The languages, for people.
    pub needed: String,
}

/// Chooses the runtime and its interpreters (EX3, EX5).
///
/// # Errors
/// When no runtime has every language.
pub fn select(needs: &Needs, runtimes: &Runtimes) -> Result<Choice, NoCandidate> {
    let named = needs
        .named_by_job
        .as_ref()
        .or(needs.named_by_manifest.as_ref())
        .or(needs.content_default.as_ref());
    runtimes
        .runtimes
        .iter()
        .filter(|runtime| named.is_none_or(|name| *name == runtime.name))
        .find_map(|runtime| {
            let interpreters: Option<BTreeMap<_, _>> = needs
                .languages
                .keys()
                .map(|language| Some((*language, runtime.installations.get(language)?.first()?.clone())))
                .collect();
            Some(Choice {
                runtime: runtime.name.clone(),
                supervisor: runtime.supervisor.clone(),
                interpreters: interpreters?,
                explanation: vec![format!("{} has every language", runtime.name)],
                volume_mounts: runtime.volume_mounts.clone(),
            })
        })
        .ok_or_else(|| NoCandidate {
            needed: format!("{:?}", needs.languages.keys()),
        })
}
