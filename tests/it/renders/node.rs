//! Node.js: packages of the registry, installed and used in the sandbox.

use std::sync::{Mutex, PoisonError};

use super::place::{Ran, is_ready, place};
use crate::repository;

/// What one installation leaves can only be told while no other is under way in the same data directory.
static INSTALLS: Mutex<()> = Mutex::new(());

/// Says which packages it has, and that it can not change them.
const CHECK: &str = "import express from 'express';
import { writeFileSync } from 'node:fs';
let refused = '';
try { writeFileSync('/opt/rstudio-connect/mnt/node_modules/express/index.js', ''); } catch (error) { refused = error.code; }
console.log(typeof express, import.meta.resolve('express'), process.env.NODE_ENV, refused);
";

/// Runs `CHECK` in a bundle of the example's packages.
fn run(content: &str, more: &[(&str, &str)]) -> Ran {
    let example = |name: &str| repository::text(&format!("examples/apps/nodejs/{name}"));
    let (package, lock) = (example("package.json"), example("package-lock.json"));
    let mut files = vec![
        ("package.json", package.as_str()),
        ("package-lock.json", lock.as_str()),
        ("app.js", ""),
        ("check.js", CHECK),
    ];
    files.extend_from_slice(more);
    let bundle = place().bundle(content, &files);
    let job = bundle.with_extension("yaml");
    let text = format!(
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata:\n  name: {content}\nspec:\n  content: {content}\n  \
         bundle:\n    path: {content}\n  task: Run\n  command: [node, check.js]\n"
    );
    std::fs::write(&job, text).expect("a job file is written");
    place().offhost(["run".as_ref(), job.as_os_str()])
}

/// Proves: PK5 (L), PK8 (L), RA4 (L), FS3 (L)
#[test]
fn applications_with_one_lock_share_its_packages() {
    if !is_ready() {
        return;
    }
    let _alone = INSTALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let first = run("node-first", &[]);
    assert!(first.installs(), "{}", first.err);
    let second = run("node-second", &[("data.txt", "another bundle")]);
    assert!(!second.installs(), "{}", second.err);
    for ran in [first, second] {
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let said = "function file:///opt/rstudio-connect/mnt/node_modules/express/index.js production EROFS";
        assert!(ran.out.contains(said), "{}{}", ran.out, ran.err);
    }
}

/// Proves: PK5 (L)
#[test]
fn a_lock_that_does_not_fit_leaves_nothing() {
    if !is_ready() {
        return;
    }
    let _alone = INSTALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let lock = r#"{"name": "sales", "lockfileVersion": 3, "packages": {"": {"name": "sales"}}}"#;
    let ran = run("node-wrong", &[("package-lock.json", lock)]);
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.err
            .contains("the packages of 'package-lock.json' are not installed"),
        "{}",
        ran.err
    );
    let left = std::fs::read_dir(place().data("node-environments"))
        .into_iter()
        .flatten();
    let versions = left.map(|version| version.expect("a version").path());
    let mut names = versions
        .flat_map(|version| std::fs::read_dir(version).expect("it can be read"))
        .flatten();
    assert!(!names.any(|name| name.file_name().to_string_lossy().starts_with(".staging")));
}
