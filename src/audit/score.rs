//! Findings of several probes, counted.

use serde::Serialize;

use super::judge::Answer;
use super::{Facts, PROMISES, Promise, Remark, Role, Subject};

/// Whether a promise is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Kept,
    /// Nobody can say.
    NotTried,
    /// It is not.
    NotKept,
}

/// What was found of a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The promise.
    pub promise: &'static str,
    /// The behaviours it belongs to.
    pub spec: &'static str,
    /// What is promised.
    pub text: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// Of which processes.
    pub roles: Vec<Role>,
    /// What was found, in one sentence.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The setting that it depends on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<&'static str>,
}

/// How many promises are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Kept by every process.
    pub kept: usize,
    /// Not kept by some process.
    pub not_kept: usize,
    /// Not tried.
    pub not_tried: usize,
}

/// What the probe has found in place of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Which.
    pub role: Role,
    /// What it found.
    pub facts: Facts,
}

/// A whole audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The form of the sandbox, in words.
    pub form: String,
    /// Better forms that are not to be had, with the reason.
    pub declined: Vec<String>,
    /// The layers in force.
    pub layers: Vec<String>,
    /// How many promises are kept.
    pub score: Score,
    /// What was found of each promise.
    pub findings: Vec<Finding>,
    /// What a process can see, reach and write, and no promise is about.
    pub remarks: Vec<Remark>,
    /// Everything that was found.
    pub processes: Vec<Process>,
}

impl Score {
    /// Counts promises; of one that differs between processes the worst counts.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let mut score = Self::default();
        for promise in PROMISES {
            let of_it = findings.iter().filter(|finding| finding.promise == promise.id);
            match of_it.map(|finding| finding.verdict).max() {
                Some(Verdict::Kept) => score.kept += 1,
                Some(Verdict::NotKept) => score.not_kept += 1,
                Some(Verdict::NotTried) | None => score.not_tried += 1,
            }
        }
        score
    }
}

/// Judges every promise for every process. Processes of which the same was found share a finding.
#[must_use]
pub fn findings(subjects: &[Subject]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for promise in PROMISES {
        let first = findings.len();
        for subject in subjects {
            let finding = of(promise, subject.role, (promise.judge)(subject));
            let same = |other: &&mut Finding| {
                (other.verdict, &other.found, &other.remedy)
                    == (finding.verdict, &finding.found, &finding.remedy)
            };
            match findings[first..].iter_mut().find(same) {
                Some(other) => other.roles.push(subject.role),
                None => findings.push(finding),
            }
        }
    }
    findings
}

fn of(promise: &Promise, role: Role, answer: Answer) -> Finding {
    Finding {
        promise: promise.id,
        spec: promise.spec,
        text: promise.text,
        verdict: answer.verdict,
        roles: vec![role],
        found: answer.found,
        remedy: answer.remedy,
        setting: answer.setting,
    }
}
