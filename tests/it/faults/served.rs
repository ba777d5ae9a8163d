//! What is served, what is in force, and what is left over, read from the data directory as another program would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Directories and files below `dir`, relative, with the text of each file.
pub(crate) fn tree(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        for entry in fs::read_dir(dir.join(&relative)).into_iter().flatten().flatten() {
            let path = relative.join(entry.file_name());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(path);
            } else {
                let text = fs::read(entry.path()).unwrap_or_default();
                found.insert(
                    path.display().to_string(),
                    String::from_utf8_lossy(&text).into_owned(),
                );
            }
        }
    }
    found
}

pub(crate) fn lines(text: &str) -> String {
    format!("{text}\n").repeat(400)
}

/// The result that the interpreter makes of content with this stamp.
pub(crate) fn whole_result(stamp: &str) -> BTreeMap<String, String> {
    let parts = (1..=6).map(|part| {
        (
            format!("part-{part}.html"),
            lines(&format!("part {part} of {stamp}")),
        )
    });
    let index = ("index.html".to_owned(), lines(&format!("index of {stamp}")));
    parts.chain([index]).collect()
}

/// The number of the result that is served, and its files.
pub(crate) fn served(data: &Path, content: &str) -> Option<(u64, BTreeMap<String, String>)> {
    let variant = data.join("reports/v2").join(content).join("default");
    let target = fs::read_link(variant.join("active")).ok()?;
    let number = target.to_str()?.parse().expect("a link to a number");
    Some((number, tree(&variant.join(target))))
}

/// Asserts that what is served is one of these stamps' results, whole and finished. Gives its number and stamp.
#[track_caller]
pub(crate) fn assert_whole<'a>(data: &Path, content: &str, stamps: &[&'a str]) -> Option<(u64, &'a str)> {
    let (number, files) = served(data, content)?;
    let stamp = stamps
        .iter()
        .find(|stamp| files.get("index.html") == Some(&lines(&format!("index of {stamp}"))));
    let names: Vec<_> = files.keys().collect();
    let stamp = stamp.unwrap_or_else(|| panic!("result {number} has no whole index.html: {names:?}"));
    assert!(
        files == whole_result(stamp),
        "result {number} of '{stamp}' is not whole: {names:?}"
    );
    let record = data.join(format!("reports/v2/{content}/default/{number}.json"));
    assert!(record.exists(), "result {number} is served without a record");
    Some((number, stamp))
}

/// Asserts that every environment that is in place is whole.
#[track_caller]
pub(crate) fn assert_environments_whole(data: &Path) -> usize {
    let place = data.join("python-environments/pip/3.11.2");
    let keys: Vec<_> = names(&place)
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .collect();
    for key in &keys {
        let files = tree(&place.join(key));
        let parts = (1..=4).filter(|part| {
            let text = files.get(&format!("lib/part-{part}"));
            text.is_some_and(|text| {
                text.lines().count() == 400 && text.starts_with(&format!("part {part} of "))
            })
        });
        let whole =
            parts.count() == 4 && files.contains_key("bin/python") && files.contains_key("installed-by");
        assert!(whole, "environment {key} is not whole: {:?}", files.keys());
    }
    keys.len()
}

pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The numbers among the names of a directory.
pub(crate) fn numbers(dir: &Path) -> Vec<u64> {
    let mut numbers: Vec<u64> = names(dir).iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// The records of the jobs of a content item, oldest first.
pub(crate) fn jobs(data: &Path, content: &str) -> Vec<Value> {
    let place = data.join("jobs").join(content);
    let mut records: Vec<Value> = names(&place)
        .iter()
        .filter_map(|key| fs::read(place.join(key).join("job.json")).ok())
        .map(|bytes| serde_json::from_slice(&bytes).expect("a record is JSON"))
        .collect();
    records.sort_by_key(|record| record["started"].as_str().unwrap_or_default().to_owned());
    records
}

/// What should not be there when no job runs.
pub(crate) fn leftovers(data: &Path, temp: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for name in names(temp) {
        if name == "connect-workspaces" {
            left.extend(
                names(&temp.join(&name))
                    .into_iter()
                    .map(|inner| format!("temp/{name}/{inner}")),
            );
        } else {
            left.push(format!("temp/{name}"));
        }
    }
    directories(data, data, &mut left);
    unfinished(data, &mut left);
    interrupted(data, &mut left);
    left
}

/// Anything with the name of something that is being made, or its lock.
fn directories(data: &Path, dir: &Path, left: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let bare = name.trim_start_matches('.');
        if ["staging", "temp.render"]
            .iter()
            .any(|start| bare.starts_with(start))
        {
            let path = entry.path();
            left.push(path.strip_prefix(data).unwrap_or(&path).display().to_string());
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            directories(data, &entry.path(), left);
        }
    }
}

/// Results and bundles without their records, and the other way round.
fn unfinished(data: &Path, left: &mut Vec<String>) {
    let mut compare = |dirs: &Path, records: &Path| {
        let made: BTreeSet<u64> = numbers(dirs).into_iter().collect();
        let recorded: BTreeSet<u64> = names(records)
            .iter()
            .filter_map(|name| name.strip_suffix(".json")?.parse().ok())
            .collect();
        let odd = made.symmetric_difference(&recorded);
        left.extend(odd.map(|number| format!("{} {number}, or its record", dirs.display())));
    };
    for content in names(&data.join("apps")) {
        let app = data.join("apps").join(&content);
        compare(&app, &data.join("content").join(&content).join("bundles"));
    }
    for content in names(&data.join("reports/v2")) {
        let reports = data.join("reports/v2").join(&content);
        for variant in names(&reports) {
            compare(&reports.join(&variant), &reports.join(&variant));
        }
    }
    for content in names(&data.join("reports/v2")) {
        for variant in names(&data.join("reports/v2").join(&content)) {
            let place = data.join("reports/v2").join(&content).join(variant);
            let locks = names(&place).into_iter().filter(|name| name.ends_with(".lock"));
            left.extend(locks.map(|lock| place.join(lock).display().to_string()));
        }
    }
}

/// Jobs that are said to run, and control groups of jobs.
fn interrupted(data: &Path, left: &mut Vec<String>) {
    for content in names(&data.join("jobs")) {
        for record in jobs(data, &content) {
            if record["state"] == "running" || record["finished"].is_null() {
                left.push(format!("a job that is said to run: {record}"));
            }
        }
        let keys = names(&data.join("jobs").join(&content));
        for controller in ["", "memory", "pids", "cpu"] {
            let groups = Path::new("/sys/fs/cgroup").join(controller).join("offhost");
            let of_jobs = names(&groups)
                .into_iter()
                .filter(|group| keys.iter().any(|key| group.starts_with(key.as_str())));
            left.extend(of_jobs.map(|group| groups.join(group).display().to_string()));
        }
    }
}
