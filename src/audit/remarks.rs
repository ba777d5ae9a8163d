//! What a process can see, reach and write that no promise is about: the machine's own affair, and worth knowing.

use std::path::Path;

use serde::Serialize;

use super::judge::list;
use super::{DirectoryFact, Role, Subject};

/// One thing worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// What it is about, in one word: `network`, `sockets`, `devices`, `writes`, `reads`, `secrets`, `sees`, `limits`, `walk`.
    pub about: &'static str,
    /// Of which processes.
    pub roles: Vec<Role>,
    /// What was found, in one sentence.
    pub found: String,
    /// What would change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The setting that would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<&'static str>,
}

/// Words in names of variables that usually hold secrets.
const SECRET_WORDS: [&str; 8] = [
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "API_KEY",
    "PRIVATE_KEY",
    "CREDENTIAL",
    "ACCESS_KEY",
];

/// What is worth knowing of all probes; what several share stands there once.
#[must_use]
pub fn remarks(subjects: &[Subject]) -> Vec<Remark> {
    let mut all: Vec<Remark> = Vec::new();
    for subject in subjects {
        for remark in of(subject) {
            let same = |other: &&mut Remark| (other.about, &other.found) == (remark.about, &remark.found);
            match all.iter_mut().find(same) {
                Some(other) => other.roles.push(subject.role),
                None => all.push(remark),
            }
        }
    }
    all.sort_by_key(|remark| remark.about);
    all
}

fn of(subject: &Subject) -> Vec<Remark> {
    let all = [
        network(subject),
        abstract_sockets(subject),
        sockets(subject),
        devices(subject),
        shared_tmp(subject),
        writes(subject),
        reads(subject),
        secrets(subject),
        Some(mounts(subject)),
        Some(limits(subject)),
        walk(subject),
    ];
    all.into_iter().flatten().collect()
}

fn remark(about: &'static str, subject: &Subject, found: String) -> Remark {
    Remark {
        about,
        roles: vec![subject.role],
        found,
        remedy: None,
        setting: None,
    }
}

impl Remark {
    fn remedy(self, remedy: &str) -> Self {
        Self {
            remedy: Some(remedy.to_owned()),
            ..self
        }
    }

    fn by(self, setting: &'static str) -> Self {
        Self {
            setting: Some(setting),
            ..self
        }
    }
}

fn network(subject: &Subject) -> Option<Remark> {
    let found = match subject.facts.loopback? {
        true => "the network of the machine is reached, services on its loopback included",
        false => "services on the machine's loopback are not reached",
    };
    let remark = remark("network", subject, found.to_owned());
    Some(match subject.facts.loopback? {
        true => remark.remedy("let services that trust the loopback ask for a password"),
        false => remark,
    })
}

fn abstract_sockets(subject: &Subject) -> Option<Remark> {
    let reached = subject.facts.abstract_socket?;
    let found = match reached {
        true => "abstract sockets of the machine are reached",
        false => "abstract sockets of the machine are not reached",
    };
    let remark = remark("sockets", subject, found.to_owned());
    Some(match reached {
        true => remark.remedy("a kernel from 6.12 on with Landlock keeps content from them"),
        false => remark,
    })
}

fn sockets(subject: &Subject) -> Option<Remark> {
    let sockets = &subject.facts.sockets;
    let found = format!(
        "sockets that answer: {}",
        list(sockets.iter().map(|path| path.display()))
    );
    (!sockets.is_empty()).then(|| {
        remark("sockets", subject, found)
            .remedy("take from the account the groups that may connect to services it does not need")
            .by("Applications.RunAs")
    })
}

fn devices(subject: &Subject) -> Option<Remark> {
    let devices = &subject.facts.devices;
    (!devices.is_empty()).then(|| {
        remark(
            "devices",
            subject,
            format!("devices that can be opened: {}", list(devices)),
        )
        .remedy("take from the account the groups that own devices it does not need")
        .by("Applications.RunAs")
    })
}

/// Directories in which every account may make files, and only remove its own.
fn is_shared(directory: &DirectoryFact) -> bool {
    directory.mode & 0o1002 == 0o1002
}

fn foreign(subject: &Subject) -> impl Iterator<Item = &DirectoryFact> {
    let expected = &subject.expected;
    let own = move |path: &Path| {
        let shown = expected.exposures.iter().filter(|shown| !shown.read_only);
        shown
            .map(|shown| shown.path.as_path())
            .any(|shown| path.starts_with(shown))
            || path.starts_with(&expected.tmp)
            || path.starts_with(&expected.home)
            || path.starts_with("/dev/shm")
    };
    subject
        .facts
        .writable
        .iter()
        .filter(move |directory| !own(&directory.path))
}

fn shared_tmp(subject: &Subject) -> Option<Remark> {
    let shared = foreign(subject).filter(|directory| is_shared(directory));
    let shared: Vec<String> = shared.map(|one| one.path.display().to_string()).collect();
    (!shared.is_empty()).then(|| {
        let found = format!(
            "directories that all accounts share can be written: {}",
            list(&shared)
        );
        let remark = remark("writes", subject, found);
        let covered = ["/tmp", "/var/tmp"];
        if shared.iter().any(|path| covered.contains(&path.as_str())) {
            remark
                .remedy("set it to true to cover /tmp and /var/tmp")
                .by("Sandbox.MaskTmp")
        } else {
            remark
        }
    })
}

fn writes(subject: &Subject) -> Option<Remark> {
    let others = foreign(subject).filter(|directory| !is_shared(directory));
    let others: Vec<String> = others.map(|one| one.path.display().to_string()).collect();
    (!others.is_empty()).then(|| {
        let found = format!("directories of the machine can be written: {}", list(&others));
        remark("writes", subject, found)
            .remedy("take the right to write from other accounts (chmod o-w), or from the account's groups")
            .by("Applications.RunAs")
    })
}

fn reads(subject: &Subject) -> Option<Remark> {
    let readable = &subject.facts.readable;
    (!readable.is_empty()).then(|| {
        let found = format!(
            "what is usually nobody else's business can be read: {}",
            list(readable.iter().map(|path| path.display()))
        );
        remark("reads", subject, found)
            .remedy(
                "take the right to read from other accounts (chmod o-rx), or set it to true to cover /home",
            )
            .by("Applications.HomeMounting")
    })
}

fn secrets(subject: &Subject) -> Option<Remark> {
    let is_secret = |name: &&String| {
        let name = name.to_ascii_uppercase();
        SECRET_WORDS.iter().any(|word| name.contains(word))
    };
    let named: Vec<&String> = subject.facts.variables.iter().filter(is_secret).collect();
    (!named.is_empty()).then(|| {
        let found = format!("variables that look like secrets: {}", list(named));
        remark("secrets", subject, found)
            .remedy("take them out of the server's own environment, or set it to false")
            .by("Applications.InheritSystemEnvVars")
    })
}

fn mounts(subject: &Subject) -> Remark {
    let facts = &subject.facts;
    let found = format!(
        "{} mounts, {} variables, {} processes outside are seen",
        facts.mounts.len(),
        facts.variables.len(),
        facts.strangers.len()
    );
    remark("sees", subject, found)
}

fn limits(subject: &Subject) -> Remark {
    let facts = &subject.facts;
    let hard = facts
        .rlimits
        .iter()
        .filter_map(|(name, [_, hard])| Some((name, (*hard)?)));
    let hard: Vec<String> = hard.map(|(name, hard)| format!("{name} {hard}")).collect();
    let found = match hard.is_empty() {
        true => "no resource limit is in force".to_owned(),
        false => format!("resource limits in force: {}", list(hard)),
    };
    remark("limits", subject, found)
}

fn walk(subject: &Subject) -> Option<Remark> {
    let walk = &subject.facts.walk;
    (!walk.complete).then(|| {
        let found = format!(
            "only {} directories were looked at in the time there is",
            walk.directories
        );
        remark("walk", subject, found)
    })
}
