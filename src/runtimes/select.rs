//! Which runtime a content item gets, and why not the others (EX5).
//!
//! Order: the image the job names; the image the manifest names; the content item's default; else the best of
//! those whose `matching` is `any`. An image that is named but does not fit is an error: nothing else is taken
//! in its place. `matching: exact` is chosen only by name, `matching: none` never.
//!
//! The best image is the one whose least fitting language fits best, by the steps of `nearest` (the very
//! version, the same minor, a higher one, a lower one); of equal ones the one that is closer in R, then in
//! Python, Quarto, Node.js, TensorFlow; of equal ones the first in the file. With one language this is the
//! choice that matching would make if all images' interpreters were in one image.
//!
//! In local mode, where [`LOCAL_RUNTIME`] is all there is, names of images are not looked at.

use std::{cmp::Reverse, collections::BTreeMap, fmt};

use serde::Serialize;

use super::{
    Choice, Closeness, ImageMatching, Installation, LOCAL_RUNTIME, LanguageName, Match, NeedError, Needs,
    Runtime, Runtimes, Wanted, words,
};
use crate::text::suggestion;

/// One runtime, and whether and why it fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CandidateReport {
    /// Image reference, or `local`.
    pub name: String,
    /// Title, where the file gives one: several entries may share an image.
    pub title: Option<String>,
    /// Whether it may run the content.
    pub fits: bool,
    /// Whether it is the one that will.
    pub chosen: bool,
    /// Why, in one sentence.
    pub reason: String,
    /// The interpreters it would use, where it fits.
    pub interpreters: BTreeMap<LanguageName, Installation>,
}

/// Why no runtime was chosen.
#[derive(Debug, thiserror::Error)]
pub enum NoCandidate {
    /// What the content needs can not be read.
    #[error(transparent)]
    Need(#[from] NeedError),
    /// There is nothing to choose from.
    #[error(
        "there is no image to run content in; add one to runtimes.yaml, with its name and the versions and paths of its interpreters"
    )]
    NoRuntimes,
    /// An image is named that is not there.
    #[error(
        "{by} names the image '{image}', which runtimes.yaml does not list; add it there, or name one of: {listed}{suggestion}"
    )]
    NotListed {
        /// Who names it.
        by: &'static str,
        /// The image.
        image: String,
        /// The images there are, in the order of the file.
        listed: String,
        /// `; did you mean …?` or nothing.
        suggestion: String,
    },
    /// None fits.
    #[error("no {place} fits content that needs {needs}; {advice}:{}", lines(candidates))]
    NoneFits {
        /// What the content needs, in words.
        needs: String,
        /// What was looked at: images, or this machine's own installations.
        place: &'static str,
        /// What to do.
        advice: String,
        /// Every runtime, in the order of the file.
        candidates: Vec<CandidateReport>,
    },
}

fn lines(candidates: &[CandidateReport]) -> String {
    let line = |candidate: &CandidateReport| format!("\n  {}: {}", candidate.label(), candidate.reason);
    candidates.iter().map(line).collect()
}

/// What to do where none fits: a language that is switched off is not missed but not wanted.
fn advice(wanted: &BTreeMap<LanguageName, Wanted>, local: bool) -> String {
    if !local {
        return "add an image that has them, or publish the content with versions that are there".to_owned();
    }
    let off: Vec<String> = wanted
        .values()
        .filter(|wanted| wanted.is_off())
        .map(|wanted| format!("{}.Enabled = true", wanted.language().label()))
        .collect();
    if !off.is_empty() {
        return format!("set {} in the configuration", words::and(&off));
    }
    let settings: Vec<String> = wanted
        .keys()
        .map(|language| format!("{}.Executable", language.label()))
        .collect();
    format!("install what is missing, or name it in {}", words::and(&settings))
}

impl CandidateReport {
    fn label(&self) -> String {
        match &self.title {
            Some(title) => format!("{} ({title})", self.name),
            None => self.name.clone(),
        }
    }
}

/// The image asked for and by whom.
#[derive(Clone, Copy)]
struct Named<'a> {
    by: &'static str,
    image: &'a str,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} names the image '{}'", self.by, self.image)
    }
}

fn named(needs: &Needs) -> Option<Named<'_>> {
    [
        ("the job", &needs.named_by_job),
        ("the manifest", &needs.named_by_manifest),
        ("the content item's default", &needs.content_default),
    ]
    .into_iter()
    .find_map(|(by, image)| {
        let image = image.as_deref()?;
        Some(Named { by, image })
    })
}

fn is_local(runtimes: &Runtimes) -> bool {
    !runtimes.runtimes.is_empty()
        && runtimes
            .runtimes
            .iter()
            .all(|runtime| runtime.name == LOCAL_RUNTIME)
}

/// Chooses the runtime for what content needs.
///
/// # Errors
/// [`NoCandidate`], which lists each runtime and why it does not fit.
pub fn select(needs: &Needs, runtimes: &Runtimes) -> Result<Choice, NoCandidate> {
    let wanted = read(needs)?;
    if runtimes.runtimes.is_empty() {
        return Err(NoCandidate::NoRuntimes);
    }
    let local = is_local(runtimes);
    let asked = named(needs);
    let named = asked.filter(|_| !local);
    if let Some(named) = named {
        require_listed(named, runtimes)?;
    }
    let candidates = judge(&wanted, named, runtimes);
    let reports = reports(&candidates);
    let Some(chosen) = best(&candidates) else {
        return Err(NoCandidate::NoneFits {
            needs: in_words(&wanted),
            place: if local {
                "installation on this machine"
            } else {
                "image of runtimes.yaml"
            },
            advice: advice(&wanted, local),
            candidates: reports,
        });
    };
    let runtime = candidates[chosen].runtime;
    let mut explanation: Vec<String> = reports
        .iter()
        .map(|report| format!("{}: {}", report.label(), report.reason))
        .collect();
    if let Some(asked) = asked.filter(|_| local) {
        explanation.push(format!("{asked}, which local mode does not use"));
    }
    Ok(Choice {
        runtime: runtime.name.clone(),
        supervisor: runtime.supervisor.clone(),
        interpreters: reports[chosen].interpreters.clone(),
        explanation,
        volume_mounts: runtime.volume_mounts.clone(),
    })
}

/// Says of each runtime, in the order of the file, whether and why it fits; it never fails, so that it can
/// also explain what [`select`] refuses.
#[must_use]
pub fn explain(needs: &Needs, runtimes: &Runtimes) -> Vec<CandidateReport> {
    let named = named(needs).filter(|_| !is_local(runtimes));
    match read(needs) {
        Ok(wanted) => reports(&judge(&wanted, named, runtimes)),
        Err(error) => runtimes
            .runtimes
            .iter()
            .map(|runtime| refusal(runtime, &error.to_string()))
            .collect(),
    }
}

fn read(needs: &Needs) -> Result<BTreeMap<LanguageName, Wanted>, NeedError> {
    needs
        .languages
        .iter()
        .map(|(language, need)| Ok((*language, Wanted::read(*language, need)?)))
        .collect()
}

fn in_words(wanted: &BTreeMap<LanguageName, Wanted>) -> String {
    if wanted.is_empty() {
        return "no interpreter".to_owned();
    }
    words::and(&wanted.values().map(ToString::to_string).collect::<Vec<_>>())
}

fn require_listed(named: Named<'_>, runtimes: &Runtimes) -> Result<(), NoCandidate> {
    let mut listed: Vec<&str> = Vec::new();
    for runtime in &runtimes.runtimes {
        if !listed.contains(&runtime.name.as_str()) {
            listed.push(&runtime.name);
        }
    }
    if listed.contains(&named.image) {
        return Ok(());
    }
    Err(NoCandidate::NotListed {
        by: named.by,
        image: named.image.to_owned(),
        suggestion: suggestion(named.image, listed.iter().copied()),
        listed: listed.join(", "),
    })
}

/// A runtime, and the interpreters that fit or the sentence that says why not.
struct Candidate<'a> {
    runtime: &'a Runtime,
    outcome: Result<BTreeMap<LanguageName, Match>, String>,
}

fn judge<'a>(
    wanted: &BTreeMap<LanguageName, Wanted>,
    named: Option<Named<'_>>,
    runtimes: &'a Runtimes,
) -> Vec<Candidate<'a>> {
    let judged = runtimes.runtimes.iter().map(|runtime| Candidate {
        runtime,
        outcome: admit(runtime, named).and_then(|()| fit(runtime, wanted)),
    });
    judged.collect()
}

fn admit(runtime: &Runtime, named: Option<Named<'_>>) -> Result<(), String> {
    match (runtime.matching, named) {
        (_, Some(named)) if named.image != runtime.name => Err(format!("{named}, not this one")),
        (ImageMatching::None, _) => Err("its matching is 'none', so that it is never used".to_owned()),
        (ImageMatching::Exact, None) => {
            Err("its matching is 'exact', so that it is used only when it is named".to_owned())
        }
        _ => Ok(()),
    }
}

fn fit(
    runtime: &Runtime,
    wanted: &BTreeMap<LanguageName, Wanted>,
) -> Result<BTreeMap<LanguageName, Match>, String> {
    let mut matches = BTreeMap::new();
    let mut missing = Vec::new();
    for (language, wanted) in wanted {
        let installations = runtime.installations.get(language).map_or(&[][..], Vec::as_slice);
        match wanted.choose(installations) {
            Ok(chosen) => {
                matches.insert(*language, chosen);
            }
            Err(mismatch) => missing.push(mismatch.to_string()),
        }
    }
    if missing.is_empty() {
        Ok(matches)
    } else {
        Err(missing.join("; "))
    }
}

/// The place of the best candidate that fits. The steps, worst first, are compared before the details.
fn best(candidates: &[Candidate<'_>]) -> Option<usize> {
    let rank = |(place, candidate): (usize, &Candidate<'_>)| {
        let matches = candidate.outcome.as_ref().ok()?;
        let closeness: Vec<Closeness> = matches.values().map(|found| found.closeness.clone()).collect();
        let mut steps: Vec<u8> = closeness.iter().map(Closeness::step).collect();
        steps.sort_unstable_by_key(|step| Reverse(*step));
        Some((steps, closeness, place))
    };
    candidates
        .iter()
        .enumerate()
        .filter_map(rank)
        .min()
        .map(|(.., place)| place)
}

fn reports(candidates: &[Candidate<'_>]) -> Vec<CandidateReport> {
    let chosen = best(candidates);
    let report = |(place, candidate): (usize, &Candidate<'_>)| match &candidate.outcome {
        Err(reason) => refusal(candidate.runtime, reason),
        Ok(matches) => accepted(candidate.runtime, matches, chosen == Some(place)),
    };
    candidates.iter().enumerate().map(report).collect()
}

fn refusal(runtime: &Runtime, reason: &str) -> CandidateReport {
    CandidateReport {
        name: runtime.name.clone(),
        title: runtime.title.clone(),
        fits: false,
        chosen: false,
        reason: reason.to_owned(),
        interpreters: BTreeMap::new(),
    }
}

fn accepted(runtime: &Runtime, matches: &BTreeMap<LanguageName, Match>, chosen: bool) -> CandidateReport {
    let verdict = if chosen {
        "chosen"
    } else {
        "fits, but another fits as well or better"
    };
    let why: Vec<&str> = matches.values().map(|found| found.explanation.as_str()).collect();
    let why = if why.is_empty() {
        "the content needs no interpreter".to_owned()
    } else {
        why.join("; ")
    };
    CandidateReport {
        fits: true,
        chosen,
        reason: format!("{verdict}: {why}"),
        interpreters: matches
            .iter()
            .map(|(language, found)| (*language, found.installation.clone()))
            .collect(),
        ..refusal(runtime, "")
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
