//! The `packages` of a manifest as a lock. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::manifest::ManifestPackage;
use super::r_lock::{Lock, Origin, RLockError, assemble, dependency_names, is_address};
use super::{RLock, RPackage};
use crate::settings::Repository;

const ORIGIN: Origin = Origin {
    lock: RLock::Manifest,
    file: "manifest.json",
    tool: "the publishing client",
};

/// Reads the packages; the R version stands elsewhere in the manifest.
pub(super) fn read(packages: &BTreeMap<String, ManifestPackage>) -> Result<Lock, RLockError> {
    let mut repositories: Vec<Repository> = Vec::new();
    for package in packages.values() {
        let Some(url) = package.repository.as_ref().filter(|url| is_address(url)) else {
            continue;
        };
        if repositories.iter().all(|known| known.url != *url) {
            let name = package
                .source
                .as_ref()
                .filter(|name| repositories.iter().all(|known| known.name != **name));
            let number = repositories.len() + 1;
            let name = name.cloned().unwrap_or_else(|| format!("repository{number}"));
            repositories.push(Repository {
                name,
                url: url.clone(),
            });
        }
    }
    let packages = packages
        .iter()
        .map(|(name, package)| read_one(name, package))
        .collect::<Result<Vec<_>, _>>()?;
    assemble(ORIGIN, packages, repositories, None)
}

fn read_one(name: &str, package: &ManifestPackage) -> Result<RPackage, RLockError> {
    let field = |field: &str| package.description.get(field).and_then(text);
    let version = field("Version")
        .ok_or_else(|| ORIGIN.format_error(format!("package '{name}' has no 'description.Version'")))?;
    let requires = ["Depends", "Imports", "LinkingTo"]
        .iter()
        .filter_map(|dependency| field(dependency))
        .flat_map(|value| dependency_names(&value).collect::<Vec<_>>())
        .collect();
    let remote = package
        .description
        .iter()
        .chain(&package.other)
        .filter(|(field, _)| field.starts_with("Remote") || field.starts_with("Github"))
        .filter_map(|(field, value)| Some((field.clone(), text(value)?)))
        .collect();
    Ok(RPackage {
        name: name.to_owned(),
        version,
        source: package.source.clone().unwrap_or_else(|| "unknown".to_owned()),
        repository: package.repository.clone().or_else(|| field("Repository")),
        requires,
        remote,
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(text: &str) -> BTreeMap<String, ManifestPackage> {
        serde_json::from_str(text).unwrap()
    }

    /// Proves: PK1 (L, P)
    #[test]
    fn packages_of_the_manifest_are_read() {
        let lock = read(&packages(
            r#"{"knitr": {"Source": "CRAN", "Repository": "https://packages.example.test/src", "GithubRepo": null,
                          "description": {"Package": "knitr", "Version": "1.42", "Depends": "R (>= 3.3.0)",
                                          "Imports": "evaluate (>= 0.15), methods,\n    xfun", "LinkingTo": "Rcpp"}},
                "own": {"Source": "github", "Repository": null, "GithubRepo": "own", "GithubSHA1": "abc",
                        "description": {"Version": "0.1", "RemoteType": "github"}},
                "stats": {"Source": "CRAN", "description": {"Version": "4.2.2"}}}"#,
        ))
        .unwrap()
        .requirements;
        assert_eq!(lock.packages.len(), 2);
        assert_eq!(lock.packages[0].requires, ["Rcpp", "evaluate", "xfun"]);
        assert_eq!(
            lock.packages[1].remote.keys().collect::<Vec<_>>(),
            ["GithubRepo", "GithubSHA1", "RemoteType"]
        );
        assert_eq!(
            lock.repositories,
            [Repository {
                name: "CRAN".to_owned(),
                url: "https://packages.example.test/src".to_owned()
            }]
        );
    }

    /// Proves: PK1 (L, P)
    #[test]
    fn a_package_without_a_version_is_refused() {
        let message = read(&packages(r#"{"x": {"Source": "CRAN", "description": {}}}"#))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("package 'x' has no 'description.Version'"),
            "{message}"
        );
    }
}
