//! What the content asks of a runtime (EX3, EX5): the manifest's versions, the kind's languages, the job's wishes.

use std::collections::{BTreeMap, BTreeSet};

use super::work::{Doing, Work};
use super::{Mode, Task};
use crate::api::job::TaskKind;
use crate::runtimes::{LanguageName, LanguageNeed, Matching, Needs};
use crate::settings::Settings;

pub(super) fn of(task: &Task, settings: &Settings, work: &Work) -> Needs {
    let languages = names(task, work)
        .into_iter()
        // What is only deployed is not run.
        .filter(|_| work.doing != Doing::Task(TaskKind::Deploy))
        .map(|language| (language, need(language, task, settings)))
        .collect::<BTreeMap<_, _>>();
    Needs {
        languages,
        named_by_job: task.spec.runtime.name.clone(),
        named_by_manifest: task.facts.image.clone(),
        content_default: task.content_image.clone(),
    }
}

fn names(task: &Task, work: &Work) -> BTreeSet<LanguageName> {
    let mut names: BTreeSet<LanguageName> = task.facts.languages.keys().copied().collect();
    names.extend(work.app_mode.kind().languages);
    if task.facts.r.is_some() {
        names.insert(LanguageName::R);
    }
    if task.facts.python.is_some() {
        names.insert(LanguageName::Python);
    }
    names.extend(LANGUAGES.into_iter().filter(|name| wish(*name, task).is_some()));
    names
}

/// The languages whose version a job can ask for.
const LANGUAGES: [LanguageName; 4] = [
    LanguageName::R,
    LanguageName::Python,
    LanguageName::Quarto,
    LanguageName::Nodejs,
];

fn wish(language: LanguageName, task: &Task) -> Option<&str> {
    let wishes = &task.spec.runtime;
    match language {
        LanguageName::R => wishes.r.as_deref(),
        LanguageName::Python => wishes.python.as_deref(),
        LanguageName::Quarto => wishes.quarto.as_deref(),
        LanguageName::Nodejs => wishes.nodejs.as_deref(),
        LanguageName::Tensorflow => None,
    }
}

/// Whether this machine may run the language at all.
fn is_on(language: LanguageName, settings: &Settings) -> bool {
    match language {
        LanguageName::R => settings.r.enabled,
        LanguageName::Python => settings.python.enabled,
        LanguageName::Quarto => settings.quarto.enabled,
        LanguageName::Nodejs => settings.nodejs.enabled,
        LanguageName::Tensorflow => true,
    }
}

/// The job's wish replaces what the manifest says; it is a specifier if it starts with an operator.
fn need(language: LanguageName, task: &Task, settings: &Settings) -> LanguageNeed {
    let matching = match language {
        LanguageName::R => settings.r.version_matching,
        LanguageName::Python => settings.python.version_matching,
        LanguageName::Quarto => settings.quarto.version_matching,
        LanguageName::Nodejs => settings.nodejs.version_matching,
        LanguageName::Tensorflow => Matching::Nearest,
    };
    let facts = task.facts.languages.get(&language);
    let (version, requires) = match wish(language, task) {
        Some(wish) if wish.trim_start().starts_with(['=', '<', '>', '~', '!']) => {
            (None, Some(wish.to_owned()))
        }
        Some(wish) => (Some(wish.to_owned()), None),
        None => (
            facts.and_then(|facts| facts.version.clone()),
            facts.and_then(|facts| facts.requires.clone()),
        ),
    };
    LanguageNeed {
        version,
        requires,
        matching,
        off: task.mode == Mode::Local && !is_on(language, settings),
    }
}
