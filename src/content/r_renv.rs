//! `renv.lock`: JSON, with names of requirements (before renv 1.1) or whole dependency fields. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::r_lock::{Lock, Origin, RLockError, assemble, dependency_names};
use super::{RLock, RPackage};
use crate::settings::Repository;

pub(super) const ORIGIN: Origin = Origin {
    lock: RLock::Renv,
    file: "renv.lock",
    tool: "renv::snapshot()",
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    r: RawR,
    #[serde(default)]
    packages: BTreeMap<String, RawPackage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawR {
    version: Option<String>,
    #[serde(default)]
    repositories: Option<Vec<RawRepository>>,
}

#[derive(Deserialize)]
struct RawRepository {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "URL")]
    url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawPackage {
    package: Option<String>,
    version: String,
    source: Option<String>,
    repository: Option<String>,
    requirements: Option<Names>,
    depends: Option<Names>,
    imports: Option<Names>,
    linking_to: Option<Names>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Field(String),
    List(Vec<String>),
}

impl Names {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Field(field) => dependency_names(field).collect(),
            Self::List(items) => items.iter().flat_map(|item| dependency_names(item)).collect(),
        }
    }
}

/// Reads the lock.
pub(super) fn parse(text: &str) -> Result<Lock, RLockError> {
    let raw: Raw = serde_json::from_str(text).map_err(|error| ORIGIN.format_error(error))?;
    let repositories = raw.r.repositories.unwrap_or_default();
    let repositories = repositories
        .into_iter()
        .map(|one| Repository {
            name: one.name,
            url: one.url,
        })
        .collect();
    let packages = raw.packages.into_iter().map(|(key, package)| package.read(key));
    assemble(ORIGIN, packages, repositories, raw.r.version)
}

impl RawPackage {
    fn read(self, key: String) -> RPackage {
        let fields = [&self.requirements, &self.depends, &self.imports, &self.linking_to];
        let requires = fields.into_iter().flatten().flat_map(Names::names).collect();
        let remote = self
            .other
            .into_iter()
            .filter(|(name, _)| name.starts_with("Remote") || name.starts_with("git_"))
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect();
        RPackage {
            name: self.package.unwrap_or(key),
            version: self.version,
            source: self.source.unwrap_or_else(|| "Repository".to_owned()),
            repository: self.repository,
            requires,
            remote,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK1 (L, P)
    #[test]
    fn both_generations_of_the_lock_are_read() {
        let lock = parse(
            r#"{"R": {"Version": "4.2.2", "Repositories": [{"Name": "CRAN", "URL": "https://packages.example.test"}]},
                "Packages": {
                  "old": {"Package": "old", "Version": "1.0", "Source": "Repository", "Repository": "CRAN",
                          "Requirements": ["R", "methods", "new"], "Hash": "0"},
                  "new": {"Package": "new", "Version": "2.0-1", "Source": "GitHub", "Depends": ["R (>= 3.5)"],
                          "Imports": "xfun (>= 0.3), stats", "LinkingTo": ["Rcpp"], "RemoteType": "github",
                          "RemoteSha": "abc", "Title": "x"}}}"#,
        )
        .unwrap()
        .requirements;
        assert_eq!(lock.packages[0].name, "new");
        assert_eq!(lock.packages[0].requires, ["Rcpp", "xfun"]);
        assert_eq!(lock.packages[0].remote.len(), 2);
        assert_eq!(lock.packages[1].requires, ["new"]);
        assert_eq!(lock.packages[1].repository.as_deref(), Some("CRAN"));
        assert_eq!(lock.repositories[0].name, "CRAN");
    }

    /// Proves: PK1 (L, P)
    #[test]
    fn a_malformed_lock_is_refused_with_file_and_place() {
        for text in [
            "{",
            "[]",
            "{}",
            r#"{"R": {}, "Packages": {"x": {"Source": "Repository"}}}"#,
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(
                message.starts_with("'renv.lock' is not a lock file: "),
                "{message}"
            );
            assert!(message.contains("line "), "{message}");
        }
    }
}
