//! What is checked alike of every file, whatever it holds.

use std::collections::BTreeSet;

use super::access::{Access, AccessType};
use super::job::{BundleRef, EnvVar, JobFile, Resources};
use super::schedule::{Missed, Schedule};
use crate::schedule::{LONGEST_NAME, Rule};
use crate::text::suggestion;

/// A field and what is wrong with it.
pub(super) type Fault = (String, String);

/// A DNS-1123 label: the name of an object, part of a host name, and one component of a path.
pub(super) fn label(field: &str, value: &str) -> Result<(), Fault> {
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

/// One way to name a bundle, and a digest that can become part of an address and of a path.
pub(super) fn bundle(bundle: &BundleRef) -> Result<(), Fault> {
    let named = [
        bundle.path.is_some(),
        bundle.id.is_some(),
        bundle.archive.is_some(),
    ];
    if named.iter().filter(|given| **given).count() > 1 {
        let problem = "has more than one of path, id and archive; keep one of them";
        return Err(("spec.bundle".to_owned(), problem.to_owned()));
    }
    let Some(archive) = &bundle.archive else {
        return Ok(());
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if archive.sha256.bytes().all(is_digit) {
        return Ok(());
    }
    let problem = format!("is '{}'; use lower-case hexadecimal digits", archive.sha256);
    Err(("spec.bundle.archive.sha256".to_owned(), problem))
}

/// Each variable once, with one source of its value.
pub(super) fn env(variables: &[EnvVar]) -> Result<(), Fault> {
    for (index, variable) in variables.iter().enumerate() {
        let problem = match (&variable.value, &variable.value_from) {
            (Some(_), Some(_)) => "has both value and valueFrom; keep one of them",
            (None, None) => "has neither value nor valueFrom; add one of them",
            _ => continue,
        };
        return Err((format!("spec.env[{index}]"), problem.to_owned()));
    }
    unique(
        "spec.env",
        variables.iter().map(|variable| variable.name.as_str()),
    )
}

/// Each name once.
pub(super) fn unique<'a>(field: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
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

/// Resources that there are.
pub(super) fn resources(resources: &Resources) -> Result<(), Fault> {
    const KNOWN: [&str; 4] = ["cpu", "memory", "pids", "ephemeral-storage"];
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

/// A schedule that means something, in a job that can be made again and again.
pub(super) fn schedule(job: &JobFile) -> Result<(), Fault> {
    let Some(schedule) = &job.spec.schedule else {
        return Ok(());
    };
    if job.metadata.name.len() > LONGEST_NAME {
        let problem = format!(
            "is longer than {LONGEST_NAME} characters, and the minute of each run comes after it; shorten it"
        );
        return Err(("metadata.name".to_owned(), problem));
    }
    if job.spec.bundle.archive.is_some() {
        let problem = "is sent once, and spec.schedule asks for many runs; deploy it first, and name the content or spec.bundle.id";
        return Err(("spec.bundle.archive".to_owned(), problem.to_owned()));
    }
    schedule_words(schedule)
}

fn schedule_words(schedule: &Schedule) -> Result<(), Fault> {
    if schedule.missed == Missed::Skip && schedule.starting_deadline_seconds.is_some() {
        let problem =
            "is given, and with missed: Skip nothing late is begun; remove it or set missed to RunOnce";
        return Err((
            "spec.schedule.startingDeadlineSeconds".to_owned(),
            problem.to_owned(),
        ));
    }
    match Rule::read(schedule) {
        Ok(_) => Ok(()),
        Err(error) => Err((format!("spec.schedule.{}", error.field()), error.to_string())),
    }
}

/// Names where they count, each once.
pub(super) fn access(access: &Access) -> Result<(), Fault> {
    let is_named = access.r#type == AccessType::Named;
    for (list, names) in [("users", &access.users), ("groups", &access.groups)] {
        let field = format!("spec.access.{list}");
        if !is_named && !names.is_empty() {
            let problem = format!(
                "counts only with the type Named, and the type is {:?}; set one of them right",
                access.r#type
            );
            return Err((field, problem));
        }
        unique(&field, names.iter().map(String::as_str))?;
    }
    if is_named && access.users.is_empty() && access.groups.is_empty() {
        let problem = "has the type Named and names nobody; add users or groups";
        return Err(("spec.access".to_owned(), problem.to_owned()));
    }
    Ok(())
}
