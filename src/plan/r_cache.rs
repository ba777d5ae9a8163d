//! Names in the shared cache of R packages (PK1). A package's hash covers everything it is made from, so that
//! no content can put a package of its own in the place where another content's is looked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    let lock = Lock::new(by_name(packages, external)?);
    let mut hashes: Vec<Option<String>> = vec![None; lock.packages.len()];
    let mut order = lock.order();
    for &index in &order {
        hashes[index] = Some(lock.hash(index, &hashes, origin));
    }
    for (index, hash) in hashes.iter_mut().enumerate().filter(|(_, hash)| hash.is_none()) {
        *hash = Some(lock.hash_in_cycle(index, origin));
        order.push(index);
    }
    let entry = |index: usize| entry(lock.packages[index], hashes[index].clone().unwrap_or_default());
    Ok(order.into_iter().map(entry).collect())
}

/// The packages by number, sorted by name, and what each needs by number: a name is looked up once.
struct Lock<'a> {
    packages: Vec<&'a RPackage>,
    /// For each entry of `requires`; `None` is a package outside the lock.
    needs: Vec<Vec<Option<usize>>>,
}

impl<'a> Lock<'a> {
    fn new(locked: BTreeMap<&'a str, &'a RPackage>) -> Self {
        let numbers: HashMap<&str, usize> = locked
            .keys()
            .enumerate()
            .map(|(number, name)| (*name, number))
            .collect();
        let packages: Vec<&RPackage> = locked.into_values().collect();
        let number = |need: &String| numbers.get(need.as_str()).copied();
        let needs = packages
            .iter()
            .map(|package| package.requires.iter().map(number).collect())
            .collect();
        Self { packages, needs }
    }

    /// The packages a package needs, each once.
    fn needs(&self, index: usize) -> BTreeSet<usize> {
        self.needs[index].iter().flatten().copied().collect()
    }

    /// Each package after those it needs, by name among equals. What is part of a cycle or needs one is left out.
    fn order(&self) -> Vec<usize> {
        let needs: Vec<BTreeSet<usize>> = (0..self.packages.len()).map(|index| self.needs(index)).collect();
        let mut waiting: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
        let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
        for (index, needed) in needs.iter().enumerate() {
            for need in needed {
                dependants[*need].push(index);
            }
        }
        let mut ready: BTreeSet<usize> = (0..waiting.len()).filter(|index| waiting[*index] == 0).collect();
        let mut order = Vec::with_capacity(needs.len());
        while let Some(index) = ready.pop_first() {
            order.push(index);
            for dependant in &dependants[index] {
                waiting[*dependant] -= 1;
                if waiting[*dependant] == 0 {
                    ready.insert(*dependant);
                }
            }
        }
        order
    }

    /// The hash of a package all of whose needs have theirs.
    fn hash(&self, index: usize, hashes: &[Option<String>], origin: &Origin<'_>) -> String {
        let needed = self.packages[index]
            .requires
            .iter()
            .zip(&self.needs[index])
            .map(|(need, number)| {
                let hash = number
                    .and_then(|number| hashes[number].as_deref())
                    .unwrap_or("external");
                format!("{need}={hash}")
            });
        own(self.packages[index], origin).fields(needed).hex()
    }

    /// Lock files of working libraries have no cycles. A broken one gets a hash over all it can reach.
    fn hash_in_cycle(&self, index: usize, origin: &Origin<'_>) -> String {
        let mut reached = BTreeSet::new();
        let mut left = vec![index];
        while let Some(next) = left.pop() {
            left.extend(self.needs(next).into_iter().filter(|need| reached.insert(*need)));
        }
        own(self.packages[index], origin)
            .field("cycle")
            .fields(
                reached
                    .iter()
                    .map(|index| own(self.packages[*index], origin).hex()),
            )
            .hex()
    }
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

/// Sources that are no repository. The installer has the same list.
const REMOTE_SOURCES: [&str; 10] = [
    "bitbucket",
    "git",
    "git2r",
    "github",
    "gitlab",
    "local",
    "source",
    "svn",
    "unknown",
    "url",
];

fn is_remote(package: &RPackage) -> bool {
    REMOTE_SOURCES
        .iter()
        .any(|source| package.source.eq_ignore_ascii_case(source))
}

/// A digest of everything that is the package's own.
fn own(package: &RPackage, origin: &Origin<'_>) -> Digest {
    // Which repository of the list has the version is seen only while installing, so all of them count.
    let digest = Digest::of("r-package")
        .field(&package.name)
        .field(&package.version)
        .field(origin.r_version)
        .field(origin.runtime)
        .fields(origin.repositories.iter().map(|repository| &repository.url));
    // Lock formats name one repository differently and add fields that say no more than name and version do.
    if is_remote(package) {
        digest
            .field(&package.source)
            .field(package.repository.as_deref().unwrap_or_default())
            .fields(package.remote.iter().flat_map(|(name, value)| [name, value]))
    } else {
        digest.field("repository")
    }
}

fn entry(package: &RPackage, hash: String) -> Entry {
    Entry {
        name: package.name.clone(),
        version: package.version.clone(),
        source: package.source.clone(),
        repository: package.repository.clone(),
        hash,
        requires: package.requires.clone(),
        is_remote: is_remote(package),
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
        forged[1].source = "GitHub".to_owned();
        let unpinned = hashed(&forged, &[], "https://a.example");
        assert_ne!(unpinned["cli"], first["cli"]);
        forged[1].remote.insert("RemoteSha".to_owned(), "bad".to_owned());
        assert_ne!(hashed(&forged, &[], "https://a.example")["cli"], unpinned["cli"]);
    }

    /// The installer looks into the repositories whatever these fields say: they must neither part what is the same
    /// nor take the repositories' place in the hash.
    ///
    /// Proves: PK1 (L, P)
    #[test]
    fn what_a_repository_has_is_one_package_however_a_lock_names_it() {
        let by_packrat = [package("glue", "1.6.2", &[])];
        let mut by_pak = by_packrat.clone();
        by_pak[0].source = "Repository".to_owned();
        by_pak[0].repository = Some("RSPM".to_owned());
        by_pak[0]
            .remote
            .insert("RemoteType".to_owned(), "standard".to_owned());
        let first = hashed(&by_packrat, &[], "https://a.example");
        assert_eq!(hashed(&by_pak, &[], "https://a.example"), first);
        assert_ne!(hashed(&by_pak, &[], "https://b.example"), first);
    }

    #[test]
    fn the_installer_refuses_the_same_sources() {
        let starter = include_str!("../../runtime/install_r.R");
        let line = starter
            .lines()
            .find(|line| line.starts_with("unsupported_sources <-"))
            .unwrap();
        let mut theirs: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        theirs.sort_unstable();
        assert_eq!(theirs, REMOTE_SOURCES);
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
