//! `packrat/packrat.lock`: Debian control format, a head and one paragraph a package. Pure.

use std::collections::BTreeMap;

use super::r_lock::{Lock, Origin, RLockError, assemble, dependency_names};
use super::{RLock, RPackage};
use crate::settings::Repository;

pub(super) const ORIGIN: Origin = Origin {
    lock: RLock::Packrat,
    file: "packrat/packrat.lock",
    tool: "packrat::snapshot()",
};

type Paragraph = BTreeMap<String, String>;

/// Reads the lock.
pub(super) fn parse(text: &str) -> Result<Lock, RLockError> {
    let mut paragraphs = paragraphs(text)
        .map_err(|cause| ORIGIN.format_error(cause))?
        .into_iter();
    let head = paragraphs
        .next()
        .filter(|head| head.contains_key("PackratFormat"))
        .ok_or_else(|| ORIGIN.format_error("it does not begin with 'PackratFormat'"))?;
    let packages = paragraphs.map(package).collect::<Result<Vec<_>, _>>()?;
    let repositories = head
        .get("Repos")
        .map(|repos| repositories(repos))
        .unwrap_or_default();
    assemble(ORIGIN, packages, repositories, head.get("RVersion").cloned())
}

fn package(mut fields: Paragraph) -> Result<RPackage, RLockError> {
    let mut take = |field: &str| fields.remove(field);
    let name = take("Package").ok_or_else(|| ORIGIN.format_error("a paragraph has no 'Package'"))?;
    let missing = |field: &str| ORIGIN.format_error(format!("package '{name}' has no '{field}'"));
    let version = take("Version").ok_or_else(|| missing("Version"))?;
    let source = take("Source").ok_or_else(|| missing("Source"))?;
    let requires = take("Requires")
        .map(|field| dependency_names(&field).collect())
        .unwrap_or_default();
    let repository = take("Repository");
    take("Hash");
    Ok(RPackage {
        name,
        version,
        source,
        repository,
        requires,
        remote: fields,
    })
}

/// `CRAN=https://…, other=https://…`; a lock of one repository may leave out the name.
fn repositories(field: &str) -> Vec<Repository> {
    field
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .enumerate()
        .map(|(number, item)| match item.split_once('=') {
            Some((name, url)) if !name.contains([':', '/']) => Repository {
                name: name.trim().to_owned(),
                url: url.trim().to_owned(),
            },
            _ => Repository {
                name: format!("repository{}", number + 1),
                url: item.to_owned(),
            },
        })
        .collect()
}

fn paragraphs(text: &str) -> Result<Vec<Paragraph>, String> {
    let mut paragraphs = Vec::new();
    let mut current = Paragraph::new();
    let mut field: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            if !current.is_empty() {
                paragraphs.push(std::mem::take(&mut current));
            }
            field = None;
        } else if line.starts_with([' ', '\t']) {
            let open = field.as_ref().and_then(|field| current.get_mut(field));
            let value = open.ok_or_else(|| format!("line {} continues no field", index + 1))?;
            value.push('\n');
            value.push_str(line.trim());
        } else {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("line {} has no 'Field: value'", index + 1))?;
            if current.insert(name.to_owned(), value.trim().to_owned()).is_some() {
                return Err(format!("line {} gives '{name}' a second time", index + 1));
            }
            field = Some(name.to_owned());
        }
    }
    if !current.is_empty() {
        paragraphs.push(current);
    }
    Ok(paragraphs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "PackratFormat: 1.4\nPackratVersion: 0.9.0\nRVersion: 4.2.2\nRepos: CRAN=https://packages.example.test/src,\n        own=file:///srv/r?a=b\n\nPackage: yaml\nSource: CRAN\nVersion: 2.3.7\nHash: 00\n\nPackage: methods\nSource: CRAN\nVersion: 4.2.2\n\nPackage: tool\nSource: github\nVersion: 0.1-2\nHash: 11\nRequires: yaml, methods, Rcpp,\n    xfun\nGithubRepo: tool\nGithubUsername: someone\nGithubSha1: abc\n";

    /// Proves: PK1 (L, P)
    #[test]
    fn a_lock_is_read() {
        let lock = parse(LOCK).unwrap();
        assert_eq!(lock.r_version.as_deref(), Some("4.2.2"));
        let found = lock.requirements;
        let names: Vec<&str> = found
            .packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(names, ["tool", "yaml"]);
        assert_eq!(found.packages[0].requires, ["Rcpp", "xfun", "yaml"]);
        assert_eq!(found.packages[0].remote["GithubSha1"], "abc");
        assert!(!found.packages[0].remote.contains_key("Hash"));
        let repositories: Vec<(&str, &str)> = found
            .repositories
            .iter()
            .map(|one| (one.name.as_str(), one.url.as_str()))
            .collect();
        assert_eq!(
            repositories,
            [
                ("CRAN", "https://packages.example.test/src"),
                ("own", "file:///srv/r?a=b")
            ]
        );
    }

    /// Proves: PK1 (L, P)
    #[test]
    fn a_malformed_lock_is_refused_with_file_and_place() {
        let cases = [
            ("", "does not begin with 'PackratFormat'"),
            ("Package: x\n", "does not begin with 'PackratFormat'"),
            ("PackratFormat: 1.4\nnonsense\n", "line 2 has no 'Field: value'"),
            ("  x\n", "line 1 continues no field"),
            (
                "PackratFormat: 1.4\n\nSource: CRAN\n",
                "a paragraph has no 'Package'",
            ),
            (
                "PackratFormat: 1.4\n\nPackage: x\nVersion: 1\n",
                "package 'x' has no 'Source'",
            ),
            (
                "PackratFormat: 1.4\nPackratFormat: 1.4\n",
                "line 2 gives 'PackratFormat' a second time",
            ),
        ];
        for (text, expected) in cases {
            let message = parse(text).unwrap_err().to_string();
            assert!(
                message.starts_with("'packrat/packrat.lock' is not a lock file"),
                "{message}"
            );
            assert!(message.contains(expected), "{message}");
        }
    }
}
