//! What a process is given: variables, directories, a supervisor.

use std::path::Path;

use super::{Answer, REPORT, list};
use crate::audit::Subject;
use crate::names::{ENV_PREFIX, SERVE_DIR};

pub(in crate::audit) fn variables(subject: &Subject) -> Answer {
    let (facts, planned) = (&subject.facts.variables, &subject.expected.variables);
    let settings = facts.iter().filter(|name| name.starts_with(ENV_PREFIX));
    let settings: Vec<&String> = settings.collect();
    if !settings.is_empty() {
        let found = format!("settings of the server are passed on: {}", list(settings));
        return Answer::broken(found, REPORT);
    }
    // A supervisor may set some of its own.
    let more: Vec<&String> = facts.difference(planned).collect();
    if !more.is_empty() && subject.expected.supervisor.is_empty() {
        let found = format!("set and not planned: {}", list(more));
        return Answer::broken(found, REPORT).by("Applications.InheritSystemEnvVars");
    }
    Answer::kept("every variable was planned")
}

pub(in crate::audit) fn exposures(subject: &Subject) -> Answer {
    let mut wrong = Vec::new();
    for wanted in &subject.expected.exposures {
        let fact = subject
            .facts
            .exposures
            .iter()
            .find(|fact| fact.path == wanted.path);
        let what = match fact {
            Some(fact) if !fact.readable => "can not be read",
            Some(fact) if fact.writable && wanted.read_only => "can be written and should not",
            Some(fact) if !fact.writable && !wanted.read_only => "can not be written and should",
            Some(_) => continue,
            None => "was not looked at",
        };
        wrong.push(format!("{} {what}", wanted.path.display()));
    }
    match wrong.is_empty() {
        true => Answer::kept("all that is shown can be read, and written where it is meant to be"),
        false => Answer::broken(list(wrong), REPORT),
    }
}

pub(in crate::audit) fn temporary_files(subject: &Subject) -> Answer {
    const SETTING: &str = "Server.TempDir";
    let (places, wanted) = (&subject.facts.places, &subject.expected.tmp);
    if places.tmp.as_ref() != Some(wanted) {
        let found = format!(
            "TMPDIR is {}, not {}",
            shown(places.tmp.as_deref()),
            wanted.display()
        );
        return Answer::broken(found, REPORT).by(SETTING);
    }
    if let Some(problem) = &places.tmp_problem {
        let found = format!("{} is of no use: {problem}", wanted.display());
        return Answer::broken(found, "name a directory on a file system without noexec").by(SETTING);
    }
    // The helper makes the directory in which an application says that it can answer; a supervisor may make what it likes.
    let others = places.tmp_holds.iter().filter(|name| *name != SERVE_DIR);
    let others: Vec<&String> = others.collect();
    if !others.is_empty() && subject.expected.supervisor.is_empty() {
        let found = format!("there was something in it: {}", list(others));
        return Answer::broken(found, REPORT).by(SETTING);
    }
    if !subject.seen.tmp_removed {
        return Answer::broken("it is still there after the end", "remove what is left in it").by(SETTING);
    }
    Answer::kept("it was new, could be written and executed from, and is gone")
}

pub(in crate::audit) fn home(subject: &Subject) -> Answer {
    const SETTING: &str = "Applications.HomeMounting";
    let (places, wanted) = (&subject.facts.places, &subject.expected);
    if places.home.as_ref() != Some(&wanted.home) || !places.home_exists {
        let found = format!(
            "HOME is {}, which should be the directory {}",
            shown(places.home.as_deref()),
            wanted.home.display()
        );
        return Answer::broken(found, "give the account a home that it can enter, or none").by(SETTING);
    }
    let uncovered = subject
        .facts
        .mounts
        .iter()
        .all(|mount| mount.at != Path::new("/home"));
    if wanted.home_covered && uncovered {
        return Answer::broken("/home is not covered", REPORT).by(SETTING);
    }
    let covered = if wanted.home_covered {
        ", and /home is covered"
    } else {
        ""
    };
    Answer::kept(format!("HOME is {}{covered}", wanted.home.display())).by(SETTING)
}

pub(in crate::audit) fn supervisor(subject: &Subject) -> Answer {
    const SETTING: &str = "Applications.Supervisor";
    match subject.expected.supervisor.first() {
        None => Answer::untried("Applications.Supervisor is not set").by(SETTING),
        // The probe was its target, and all that was found of the probe holds for it.
        Some(program) => Answer::kept(format!("the probe ran under {program}")).by(SETTING),
    }
}

pub(in crate::audit) fn exit_code(subject: &Subject) -> Answer {
    match subject.seen.exit {
        [wanted, got] if wanted == got && got.is_some() => {
            Answer::kept("facts and exit code came through whole")
        }
        [wanted, got] => {
            let words =
                [wanted, got].map(|code| code.map_or_else(|| "none".to_owned(), |code| code.to_string()));
            let found = format!("exit code {} came where {} was given", words[1], words[0]);
            Answer::broken(found, "let the supervisor end with: exec \"$@\"").by("Applications.Supervisor")
        }
    }
}

fn shown(path: Option<&Path>) -> String {
    path.map_or_else(|| "not set".to_owned(), |path| path.display().to_string())
}
