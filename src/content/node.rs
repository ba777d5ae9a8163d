//! Packages of a Node.js application: what npm installs, and everything that goes into it.

use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::NodeRequirements;
use super::files::{Bundle, ReadError};
use crate::runtimes::Requirement;

const PACKAGE: &str = "package.json";
const LOCK: &str = "package-lock.json";
/// Settings of npm that the application brings.
const SETTINGS: &str = ".npmrc";
/// Kinds of dependencies that are needed where the application runs.
const NEEDED: [&str; 3] = ["dependencies", "optionalDependencies", "peerDependencies"];

/// Why the packages of a bundle can not be installed.
#[derive(Debug, Error)]
pub enum NodeError {
    /// A file is no JSON.
    #[error("'{file}' is no JSON: {source}; correct it, or make it anew with `npm install`")]
    Json {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is no lock.
    #[error(
        "'package.json' names packages and the bundle has no 'package-lock.json'{other}; run `npm install --package-lock-only` and publish that file too"
    )]
    NoLock {
        /// What it has instead, as the end of a clause.
        other: &'static str,
    },
    /// A package lies in the bundle.
    #[error(
        "'package-lock.json' takes the package '{package}' from a directory or file of the bundle, and only packages of a registry are installed; publish it to one, or publish 'node_modules' with the application"
    )]
    Local {
        /// The package.
        package: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What npm is to install; none where nothing is needed, or where the bundle has its `node_modules` in it.
pub(super) fn packages(bundle: &Bundle<'_>) -> Result<Option<NodeRequirements>, NodeError> {
    let Some(package) = bundle.text(PACKAGE)? else {
        return Ok(None);
    };
    let manifest = json(PACKAGE, &package)?;
    let named = |kind: &str| manifest[kind].as_object().is_some_and(|names| !names.is_empty());
    if !NEEDED.iter().any(|kind| named(kind)) || bundle.names().any(|name| name.starts_with("node_modules/"))
    {
        return Ok(None);
    }
    let Some(lock) = bundle.text(LOCK)? else {
        return Err(NodeError::NoLock {
            other: other_lock(bundle),
        });
    };
    if let Some(package) = local(&json(LOCK, &lock)?) {
        return Err(NodeError::Local { package });
    }
    let settings = bundle.text(SETTINGS)?.unwrap_or_default();
    let mut digest = Sha256::new();
    for text in [&package, &lock, &settings] {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    Ok(Some(NodeRequirements {
        digest: digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    }))
}

/// The versions of Node.js that the application says it works with: `engines.node`, in npm's words.
pub(super) fn engine(bundle: &Bundle<'_>) -> Result<Option<String>, NodeError> {
    let Some(package) = bundle.text(PACKAGE)? else {
        return Ok(None);
    };
    let range = json(PACKAGE, &package)?["engines"]["node"]
        .as_str()
        .map(str::trim)
        .map(str::to_owned);
    // npm takes what it can not read for a remark.
    Ok(range.filter(|range| Requirement::parse_npm(range).is_ok()))
}

fn json(file: &'static str, text: &str) -> Result<Value, NodeError> {
    serde_json::from_str(text).map_err(|source| NodeError::Json { file, source })
}

fn other_lock(bundle: &Bundle<'_>) -> &'static str {
    if bundle.has("yarn.lock") {
        ", but a 'yarn.lock', which is not read"
    } else if bundle.has("pnpm-lock.yaml") {
        ", but a 'pnpm-lock.yaml', which is not read"
    } else {
        ""
    }
}

/// The first package that comes from the bundle itself: a workspace, a directory or an archive.
fn local(lock: &Value) -> Option<String> {
    let is_file = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("file:"));
    let entries = |key: &str| lock[key].as_object().into_iter().flatten();
    entries("packages")
        .find(|(_, entry)| entry["link"] == true || is_file(&entry["resolved"]))
        // Locks of npm 6 have no list of that name.
        .or_else(|| entries("dependencies").find(|(_, entry)| is_file(&entry["version"])))
        .map(|(name, _)| name.trim_start_matches("node_modules/").to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::files::memory::Memory;
    use super::*;

    const NEEDS_MS: &str = r#"{"dependencies": {"ms": "2.1.3"}, "engines": {"node": " >=18 "}}"#;

    fn read(files: &[(&str, &str)]) -> Result<Option<NodeRequirements>, String> {
        let memory = Memory::new(files);
        packages(&Bundle::new(&memory).unwrap()).map_err(|error| error.to_string())
    }

    /// Proves: PK5 (L, P)
    #[test]
    fn nothing_is_installed_where_nothing_is_needed_or_everything_is_there() {
        assert_eq!(read(&[("app.js", "")]), Ok(None));
        assert_eq!(
            read(&[(PACKAGE, r#"{"devDependencies": {"ms": "1"}, "dependencies": {}}"#)]),
            Ok(None)
        );
        assert_eq!(
            read(&[(PACKAGE, NEEDS_MS), ("node_modules/ms/index.js", "")]),
            Ok(None)
        );
    }

    /// Proves: PK5 (L, P)
    #[test]
    fn whatever_goes_into_the_installation_changes_its_digest() {
        let digest = |files: &[(&str, &str)]| read(files).unwrap().unwrap().digest;
        let one = digest(&[(PACKAGE, NEEDS_MS), (LOCK, "{}"), ("app.js", "1")]);
        assert_eq!(one, digest(&[(PACKAGE, NEEDS_MS), (LOCK, "{}"), ("app.js", "2")]));
        assert_ne!(one, digest(&[(PACKAGE, NEEDS_MS), (LOCK, "{ }")]));
        assert_ne!(
            one,
            digest(&[(PACKAGE, NEEDS_MS), (LOCK, "{}"), (SETTINGS, "x=y")])
        );
    }

    /// Proves: PK5 (L, P), PK9 (L, P)
    #[test]
    fn packages_without_a_lock_are_refused() {
        let message = read(&[(PACKAGE, NEEDS_MS), ("yarn.lock", "")]).unwrap_err();
        assert!(
            message.contains("no 'package-lock.json', but a 'yarn.lock'"),
            "{message}"
        );
        assert!(message.contains("npm install --package-lock-only"), "{message}");
        let message = read(&[(PACKAGE, "{")]).unwrap_err();
        assert!(message.starts_with("'package.json' is no JSON"), "{message}");
    }

    /// Proves: PK5 (L, P)
    #[test]
    fn packages_of_the_bundle_itself_are_refused() {
        for lock in [
            r#"{"packages": {"": {}, "node_modules/mine": {"resolved": "packages/mine", "link": true}}}"#,
            r#"{"packages": {"node_modules/mine": {"resolved": "file:mine.tgz"}}}"#,
            r#"{"dependencies": {"mine": {"version": "file:mine"}}}"#,
        ] {
            let message = read(&[(PACKAGE, NEEDS_MS), (LOCK, lock)]).unwrap_err();
            assert!(message.contains("takes the package 'mine' from"), "{message}");
        }
    }

    /// Proves: PK9 (L, P), EX3 (L, P)
    #[test]
    fn the_engine_is_read() {
        let read = |package| {
            let memory = Memory::new(&[(PACKAGE, package)]);
            engine(&Bundle::new(&memory).unwrap()).unwrap()
        };
        assert_eq!(read(NEEDS_MS).as_deref(), Some(">=18"));
        assert_eq!(read(r#"{"engines": {"node": "latest"}}"#), None);
        assert_eq!(read(r#"{"engines": "node 20"}"#), None);
    }
}
