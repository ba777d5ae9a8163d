//! Names in the shared cache of R packages (PK1). A package's hash covers everything it is made from, so that
//! no content can put a package of its own in the place where another content's is looked for.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanError;
use super::digest::Digest;
use super::paths::is_component;
use crate::content::RPackage;
use crate::settings::Repository;

/// What every package of one library has in common.
#[derive(Debug)]
pub(super) struct Origin<'a> {
    /// Version of R.
    pub(super) r_version: &'a str,
    /// Image, or `local`: an image's system libraries are built in.
    pub(super) runtime: &'a str,
    /// Where packages may come from, in order.
    pub(super) repositories: &'a [Repository],
}

/// One package to be installed, as the installer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) source: String,
    pub(super) repository: Option<String>,
    /// Names its directory in the cache.
    pub(super) hash: String,
    pub(super) requires: Vec<String>,
    /// Whether it comes from somewhere else than a repository.
    pub(super) is_remote: bool,
}

/// The packages in an order in which each comes after those it needs, `external` ones left out.
pub(super) fn entries(
    packages: &[RPackage],
    external: &[String],
    origin: &Origin<'_>,
) -> Result<Vec<Entry>, PlanError> {
    let locked = by_name(packages, external)?;
    let mut hashes: BTreeMap<&str, String> = BTreeMap::new();
    let mut order: Vec<&RPackage> = Vec::with_capacity(locked.len());
    let mut ready: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut dependants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, package) in &locked {
        let needs: BTreeSet<&str> = needs(package, &locked).collect();
        for need in &needs {
            dependants.entry(need).or_default().push(name);
        }
        waiting.insert(name, needs.len());
        if needs.is_empty() {
            ready.insert(name);
        }
    }
    while let Some(name) = ready.pop_first() {
        let package = locked[name];
        let hash = own(package, origin)
            .fields(package.requires.iter().map(|need| {
                let hash = hashes.get(need.as_str()).map_or("external", String::as_str);
                format!("{need}={hash}")
            }))
            .hex();
        hashes.insert(name, hash);
        order.push(package);
        for dependant in dependants.get(name).into_iter().flatten() {
            if let Some(left) = waiting.get_mut(dependant) {
                *left -= 1;
                if *left == 0 {
                    ready.insert(dependant);
                }
            }
        }
    }
    for (name, package) in &locked {
        if !hashes.contains_key(name) {
            hashes.insert(name, of_cycle(package, &locked, origin));
            order.push(package);
        }
    }
    Ok(order.into_iter().map(|package| entry(package, &hashes)).collect())
}

fn by_name<'a>(
    packages: &'a [RPackage],
    external: &[String],
) -> Result<BTreeMap<&'a str, &'a RPackage>, PlanError> {
    let mut locked = BTreeMap::new();
    for package in packages {
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '.';
        let plain = package.name.starts_with(|c: char| c.is_ascii_alphabetic())
            && package.name.len() <= 128
            && package.name.chars().all(letters);
        if !plain || !is_component(&package.version) {
            return Err(PlanError::PackageName {
                name: format!("{} {}", package.name, package.version),
            });
        }
        if external.contains(&package.name) {
            continue;
        }
        if locked.insert(package.name.as_str(), package).is_some() {
            return Err(PlanError::PackageTwice {
                name: package.name.clone(),
            });
        }
    }
    Ok(locked)
}

fn needs<'a>(
    package: &'a RPackage,
    locked: &BTreeMap<&'a str, &'a RPackage>,
) -> impl Iterator<Item = &'a str> {
    package
        .requires
        .iter()
        .map(String::as_str)
        .filter(|need| locked.contains_key(need))
        .collect::<Vec<_>>()
        .into_iter()
}

/// A digest of everything that is the package's own.
fn own(package: &RPackage, origin: &Origin<'_>) -> Digest {
    let digest = Digest::of("r-package")
        .field(&package.name)
        .field(&package.version)
        .field(&package.source)
        .field(origin.r_version)
        .field(origin.runtime)
        .fields(package.remote.iter().flat_map(|(name, value)| [name, value]));
    // Which repository of the list has the version is seen only while installing, so all of them count.
    if package.remote.is_empty() {
        digest
            .field(package.repository.as_deref().unwrap_or_default())
            .fields(origin.repositories.iter().map(|repository| &repository.url))
    } else {
        digest
    }
}

/// Lock files of working libraries have no cycles. A broken one gets a hash over all it can reach.
fn of_cycle(package: &RPackage, locked: &BTreeMap<&str, &RPackage>, origin: &Origin<'_>) -> String {
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut left = vec![package];
    while let Some(next) = left.pop() {
        for need in needs(next, locked) {
            if reached.insert(need) {
                left.push(locked[need]);
            }
        }
    }
    own(package, origin)
        .field("cycle")
        .fields(reached.iter().map(|name| own(locked[name], origin).hex()))
        .hex()
}

fn entry(package: &RPackage, hashes: &BTreeMap<&str, String>) -> Entry {
    Entry {
        name: package.name.clone(),
        version: package.version.clone(),
        source: package.source.clone(),
        repository: package.repository.clone(),
        hash: hashes.get(package.name.as_str()).cloned().unwrap_or_default(),
        requires: package.requires.clone(),
        is_remote: !package.remote.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, requires: &[&str]) -> RPackage {
        RPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            source: "CRAN".to_owned(),
            repository: None,
            requires: requires.iter().map(|need| (*need).to_owned()).collect(),
            remote: BTreeMap::new(),
        }
    }

    fn hashed(packages: &[RPackage], external: &[&str], url: &str) -> BTreeMap<String, String> {
        let repositories = [Repository {
            name: "CRAN".to_owned(),
            url: url.to_owned(),
        }];
        let origin = Origin {
            r_version: "4.2.2",
            runtime: "local",
            repositories: &repositories,
        };
        let external: Vec<String> = external.iter().map(|name| (*name).to_owned()).collect();
        entries(packages, &external, &origin)
            .unwrap()
            .into_iter()
            .map(|entry| (entry.name, entry.hash))
            .collect()
    }

    /// Proves: PK1 (L, P)
    #[test]
    fn a_hash_follows_what_the_package_is_made_from() {
        let lock = |rlang: &str| {
            vec![
                package("cli", "3.6.0", &["rlang"]),
                package("rlang", rlang, &[]),
                package("glue", "1.6.2", &[]),
            ]
        };
        let first = hashed(&lock("1.1.0"), &[], "https://a.example");
        let newer = hashed(&lock("1.1.1"), &[], "https://a.example");
        assert_ne!(first["rlang"], newer["rlang"]);
        assert_ne!(first["cli"], newer["cli"], "built against another rlang");
        assert_eq!(first["glue"], newer["glue"], "shared");
        let elsewhere = hashed(&lock("1.1.0"), &[], "https://b.example");
        assert!(
            first.iter().all(|(name, hash)| elsewhere[name] != *hash),
            "{elsewhere:?}"
        );
        let mut forged = lock("1.1.0");
        forged[1].remote.insert("RemoteSha".to_owned(), "bad".to_owned());
        assert_ne!(hashed(&forged, &[], "https://a.example")["cli"], first["cli"]);
    }

    #[test]
    fn needed_packages_come_first_and_external_ones_not_at_all() {
        let lock = [
            package("b", "1", &["a", "x"]),
            package("c", "1", &["b"]),
            package("a", "1", &[]),
            package("x", "1", &[]),
        ];
        let origin = Origin {
            r_version: "4.2.2",
            runtime: "local",
            repositories: &[],
        };
        let order = entries(&lock, &["x".to_owned()], &origin).unwrap();
        assert_eq!(
            order.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn cycles_end_and_still_cover_everything() {
        let lock = |z: &str| {
            vec![
                package("a", "1", &["b"]),
                package("b", "1", &["a", "z"]),
                package("c", "1", &["a"]),
                package("z", z, &[]),
            ]
        };
        let (first, second) = (hashed(&lock("1"), &[], "u"), hashed(&lock("2"), &[], "u"));
        assert!(
            first.iter().all(|(name, hash)| second[name] != *hash),
            "{first:?} {second:?}"
        );
        assert_eq!(hashed(&[package("a", "1", &["a"])], &[], "u").len(), 1);
    }

    #[test]
    fn names_are_one_path_component() {
        let origin = Origin {
            r_version: "4.2.2",
            runtime: "local",
            repositories: &[],
        };
        for bad in [
            package("../x", "1", &[]),
            package("", "1", &[]),
            package("a", "1/..", &[]),
            package("a b", "1", &[]),
        ] {
            assert!(matches!(
                entries(&[bad], &[], &origin),
                Err(PlanError::PackageName { .. })
            ));
        }
        let twice = [package("a", "1", &[]), package("a", "2", &[])];
        assert!(matches!(
            entries(&twice, &[], &origin),
            Err(PlanError::PackageTwice { .. })
        ));
    }
}
