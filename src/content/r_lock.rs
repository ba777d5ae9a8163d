//! R packages of a bundle: which lock counts, and what all locks have in common (PK1).
//!
//! `packrat/packrat.lock` counts first, because publishing clients write it on purpose; then `renv.lock`; then the
//! `packages` of the manifest, which the clients derive from what is installed where the content was published.

use std::collections::BTreeMap;

use thiserror::Error;

use super::files::{Bundle, ReadError};
use super::manifest::ManifestPackage;
use super::{RLock, RPackage, RRequirements, r_manifest, r_packrat, r_renv};
use crate::settings::Repository;

/// Packages that come with R, which no repository has.
const BASE: &[&str] = &[
    "R",
    "base",
    "compiler",
    "datasets",
    "grDevices",
    "graphics",
    "grid",
    "methods",
    "parallel",
    "splines",
    "stats",
    "stats4",
    "tcltk",
    "tools",
    "translations",
    "utils",
];

/// Why a lock can not be used.
#[derive(Debug, Error)]
pub enum RLockError {
    /// It is not of its format.
    #[error("'{file}' is not a lock file: {cause}; write it again with {tool}")]
    Format {
        /// Its path in the bundle.
        file: String,
        /// Cause, with its place.
        cause: String,
        /// Program that writes it.
        tool: &'static str,
    },
    /// A package has no name or version that R could have.
    #[error("'{file}': package '{package}' has the {what} '{value}'; write the file again with {tool}")]
    Package {
        /// Its path in the bundle.
        file: String,
        /// Name of the package.
        package: String,
        /// `name` or `version`, with what is wrong.
        what: &'static str,
        /// Value given.
        value: String,
        /// Program that writes it.
        tool: &'static str,
    },
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A lock, read.
#[derive(Debug, PartialEq)]
pub(super) struct Lock {
    /// Its packages.
    pub(super) requirements: RRequirements,
    /// R version it was made with.
    pub(super) r_version: Option<String>,
}

/// Where a lock is and who writes it: what its errors say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) lock: RLock,
    pub(super) file: &'static str,
    pub(super) tool: &'static str,
}

impl Origin {
    pub(super) fn format_error(self, cause: impl ToString) -> RLockError {
        RLockError::Format {
            file: self.file.to_owned(),
            cause: cause.to_string(),
            tool: self.tool,
        }
    }
}

/// The lock that counts, if the bundle has one.
pub(super) fn lock(
    bundle: &Bundle<'_>,
    manifest: Option<&BTreeMap<String, ManifestPackage>>,
) -> Result<Option<Lock>, RLockError> {
    if let Some(text) = bundle.text(r_packrat::ORIGIN.file)? {
        return r_packrat::parse(&text).map(Some);
    }
    if let Some(text) = bundle.text(r_renv::ORIGIN.file)? {
        return r_renv::parse(&text).map(Some);
    }
    manifest
        .filter(|packages| !packages.is_empty())
        .map(r_manifest::read)
        .transpose()
}

/// Whether the bundle has a lock file of its own.
pub(super) fn has_lock_file(bundle: &Bundle<'_>) -> bool {
    bundle.has(r_packrat::ORIGIN.file) || bundle.has(r_renv::ORIGIN.file)
}

/// Puts a lock together: base packages left out, names and versions checked, sorted.
pub(super) fn assemble(
    origin: Origin,
    packages: impl IntoIterator<Item = RPackage>,
    repositories: Vec<Repository>,
    r_version: Option<String>,
) -> Result<Lock, RLockError> {
    let mut sorted = BTreeMap::new();
    for mut package in packages {
        if BASE.contains(&package.name.as_str()) {
            continue;
        }
        check(origin, &package)?;
        package
            .requires
            .retain(|name| !BASE.contains(&name.as_str()) && is_name(name));
        package.requires.sort();
        package.requires.dedup();
        sorted.insert(package.name.clone(), package);
    }
    let packages = sorted.into_values().collect();
    Ok(Lock {
        requirements: RRequirements {
            source: origin.lock,
            packages,
            repositories,
        },
        r_version,
    })
}

fn check(origin: Origin, package: &RPackage) -> Result<(), RLockError> {
    let (what, value) = if !is_name(&package.name) {
        ("impossible name", &package.name)
    } else if !is_version(&package.version) {
        ("impossible version", &package.version)
    } else {
        return Ok(());
    };
    Err(RLockError::Package {
        file: origin.file.to_owned(),
        package: package.name.clone(),
        what,
        value: value.clone(),
        tool: origin.tool,
    })
}

/// Names become paths and words of commands, so only R's own rule is let through: letters, digits and dots.
fn is_name(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '.')
}

fn is_version(version: &str) -> bool {
    version
        .split(['.', '-'])
        .all(|part| !part.is_empty() && part.chars().all(|char| char.is_ascii_digit()))
}

/// Package names of a dependency field: `R (>= 3.5), methods,\n Rcpp (>= 1.0)`.
pub(super) fn dependency_names(field: &str) -> impl Iterator<Item = String> {
    field
        .split(',')
        .map(|item| {
            item.split(['(', ' ', '\n', '\t'])
                .find(|word| !word.is_empty())
                .unwrap_or_default()
                .to_owned()
        })
        .filter(|name| !name.is_empty())
}

/// Whether a repository field is an address rather than a name.
pub(super) fn is_address(repository: &str) -> bool {
    repository.starts_with("file:") || repository.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::files::memory::Memory;

    /// Proves: PK1 (L, P)
    #[test]
    fn the_packrat_lock_counts_before_the_renv_lock() {
        let packrat = "PackratFormat: 1.4\nRVersion: 4.2.2\n\nPackage: R6\nSource: CRAN\nVersion: 2.5.1\n";
        let renv = r#"{"R": {"Version": "4.3.0"}, "Packages": {}}"#;
        let both = Memory::new(&[("packrat/packrat.lock", packrat), ("renv.lock", renv)]);
        let found = lock(&Bundle::new(&both).unwrap(), None).unwrap().unwrap();
        assert_eq!(
            (found.requirements.source, found.r_version.as_deref()),
            (RLock::Packrat, Some("4.2.2"))
        );
        let one = Memory::new(&[("renv.lock", renv)]);
        let found = lock(&Bundle::new(&one).unwrap(), None).unwrap().unwrap();
        assert_eq!(
            (found.requirements.source, found.r_version.as_deref()),
            (RLock::Renv, Some("4.3.0"))
        );
        assert_eq!(
            lock(&Bundle::new(&Memory::default()).unwrap(), Some(&BTreeMap::new())).unwrap(),
            None
        );
    }

    /// Proves: PK1 (L, P)
    #[test]
    fn impossible_names_and_versions_are_refused() {
        for (name, version) in [
            ("../x", "1"),
            ("x;id", "1"),
            ("x", "1; id"),
            ("x", ""),
            ("x", "1..2"),
        ] {
            let text = format!("PackratFormat: 1.4\n\nPackage: {name}\nSource: CRAN\nVersion: {version}\n");
            let message = r_packrat::parse(&text).unwrap_err().to_string();
            assert!(
                message.starts_with("'packrat/packrat.lock': package '"),
                "{message}"
            );
        }
    }

    #[test]
    fn dependency_fields_are_split() {
        let names: Vec<String> = dependency_names("R (>= 3.5.0),\n methods, Rcpp(>= 1.0),, xfun ").collect();
        assert_eq!(names, ["R", "methods", "Rcpp", "xfun"]);
    }
}
