//! Every parser that is fed with bytes, and what must hold whatever they are: no panic, and what was promised of its answer.
//! The seeds are read through these by an ordinary test too.

use std::io::{self, Write};
use std::path::{Component, Path};

use offhost::api::job::ContentJobSpec;
use offhost::api::parse_manifest;
use offhost::content::archive::{Limits, unpack};
use offhost::content::form::form;
use offhost::content::{Files, Presence, gather, manifest};
use offhost::runtimes;
use offhost::sandbox;
use offhost::settings::gcfg;

/// Reads bytes, and panics where a promise is broken.
pub(crate) type Target = fn(&[u8]);

/// All of them, by name; the seeds of each are in the directory of that name.
pub(crate) const TARGETS: [(&str, Target); 7] = [
    ("gcfg", settings),
    ("runtimes", runtimes_file),
    ("manifest", content_manifest),
    ("job", job),
    ("archive", archive),
    ("spec", specification),
    ("bundle", bundle),
];

/// The target of a name.
pub(crate) fn named(name: &str) -> Option<Target> {
    TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, target)| *target)
}

/// A message is one line: it stands in conditions, events and logs.
fn one_sentence(error: &impl ToString) {
    let message = error.to_string();
    assert!(!message.trim().is_empty(), "an error without a word");
}

fn settings(data: &[u8]) {
    if let Err(error) = gcfg::parse(data, "fuzz.gcfg") {
        one_sentence(&error);
    }
}

fn runtimes_file(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data)
        && let Err(error) = runtimes::parse(text, "runtimes.yaml")
    {
        one_sentence(&error);
    }
}

fn content_manifest(data: &[u8]) {
    if let Err(error) = manifest::parse(data, "manifest.json") {
        one_sentence(&error);
    }
}

fn job(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data)
        && let Err(error) = parse_manifest(text, "job.yaml")
    {
        one_sentence(&error);
    }
}

/// Nothing is made outside of the directory, whatever an entry is called, and nothing stays of what was refused.
fn archive(data: &[u8]) {
    let place = tempfile::tempdir().expect("a directory can be made");
    let (file, into) = (place.path().join("archive"), place.path().join("into"));
    std::fs::create_dir(&into).expect("it is not there yet");
    let mut written = std::fs::File::create(&file).expect("it can be made");
    written.write_all(data).expect("it can be written");
    let limits = Limits {
        entries: 64,
        bytes: 1 << 16,
    };
    let unpacked = unpack(&file, &into, limits);
    let count = |directory: &Path| std::fs::read_dir(directory).expect("it is there").count();
    assert_eq!(count(place.path()), 2, "something was made outside");
    match unpacked {
        Ok(unpacked) => assert!(unpacked.entries <= limits.entries && unpacked.bytes <= limits.bytes),
        Err(error) => {
            one_sentence(&error);
            assert_eq!(count(&into), 0, "something stays of what was refused");
        }
    }
}

fn specification(data: &[u8]) {
    let Ok(spec) = sandbox::read(data) else {
        return;
    };
    assert!(spec.uid != 0 && spec.gid != 0, "root");
    for bind in &spec.binds {
        let mut parts = bind.target.components();
        assert!(bind.target.is_absolute() && parts.all(|part| part != Component::ParentDir));
    }
    let text = serde_json::to_vec(&spec).expect("it is plain data");
    assert_eq!(sandbox::read(&text).expect("it was read before"), spec);
}

/// A bundle of one document: its first line is its name, the rest its text.
struct OneFile<'a> {
    name: &'a str,
    text: &'a [u8],
}

impl Files for OneFile<'_> {
    fn read(&self, rel: &str) -> io::Result<Option<Vec<u8>>> {
        Ok((rel == self.name).then(|| self.text.to_owned()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(vec![self.name.to_owned()])
    }

    fn probe(&self, rel: &str) -> io::Result<Presence> {
        Ok(if rel == self.name {
            Presence::File
        } else {
            Presence::Missing
        })
    }
}

fn bundle(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let Ok(name) = str::from_utf8(&data[..end]) else {
        return;
    };
    let is_name = !name.is_empty()
        && Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
    if !is_name {
        return;
    }
    let files = OneFile {
        name,
        text: data.get(end + 1..).unwrap_or_default(),
    };
    match gather(&files, &ContentJobSpec::default()) {
        Ok(facts) => {
            if let Err(error) = form(&files, &facts) {
                one_sentence(&error);
            }
        }
        Err(error) => one_sentence(&error),
    }
}
