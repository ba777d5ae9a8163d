//! `DataDir` as a whole: what is served stays whole, whatever is cut off and whenever.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod copies;
mod environments;
mod finishing;
mod full_disk;
mod killed;
mod renders;
mod store;

use std::path::Path;

use jiff::Timestamp;
use offhost::data::{ContentId, DataDir, Deploy, Deployed, Finish, Rendering, Renders, Store, Variant};

/// A time `seconds` after the first of 2024.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_704_067_200 + seconds).unwrap()
}

fn content() -> ContentId {
    ContentId::parse("sales").unwrap()
}

fn new_data(dir: &Path) -> DataDir {
    DataDir::open_or_make(&dir.join("data")).unwrap()
}

fn renders(data: &DataDir) -> Renders<'_> {
    Renders::new(data, content(), Variant::default())
}

/// Writes files, each with its parents.
fn files(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn deploy(data: &DataDir, tree: &Path, activate: bool) -> Deployed {
    let content = content();
    let deploy = Deploy {
        content: &content,
        name: "Sales",
        source: tree,
        tree,
        activate,
        job: None,
        now: at(0),
    };
    Store::new(data).deploy(&deploy).unwrap()
}

fn finish(seconds: i64) -> Finish<'static> {
    Finish {
        bundle: 1,
        job: "k1",
        site_output_dir: None,
        index: Some(Path::new("index.html")),
        now: at(seconds),
    }
}

fn rendered(renders: &Renders<'_>, text: &str) -> Rendering {
    let rendering = renders.begin(None).unwrap();
    files(rendering.path(), &[("index.html", text), ("img/a.png", "a")]);
    rendering
}

/// Every path below `root`, sorted, with a `/` behind directories; locks and counters left out.
fn listing(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let shown = entry.path().strip_prefix(root).unwrap().display().to_string();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
                found.push(format!("{shown}/"));
            } else if !name.ends_with(".lock") && name != ".last" {
                found.push(shown);
            }
        }
    }
    found.sort();
    found
}

/// Whether tests that need root run; prints why not.
fn as_root(test: &str) -> bool {
    let wanted = std::env::var_os("OFFHOST_TEST_ROOT").is_some_and(|value| value == "1");
    let root = rustix::process::geteuid().is_root();
    if !(wanted && root) {
        println!("SKIPPED {test}: needs root and OFFHOST_TEST_ROOT=1");
    }
    wanted && root
}
