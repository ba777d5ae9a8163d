//! Collects what the pure core needs to know: what is installed, what is cached, the server's environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::api::job::{ContentJobSpec, TaskKind};
use crate::content::BundleFacts;
use crate::data::layout;
use crate::plan::{EnvironmentKey, Mode, Task};
use crate::runtimes::LanguageName;

/// What names a job's places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The content item (XX).
    pub content: String,
    /// The bundle (YY).
    pub bundle: String,
    /// The job's key.
    pub job_key: String,
    /// The result's number (RR).
    pub rendering: String,
    /// Image that is the content item's default (EX5, third).
    pub content_image: Option<String>,
}

/// The task of a job, with everything that was found for it. `data_dir` is `None` where there is none to look into.
#[must_use]
pub fn task(mode: Mode, ids: Ids, spec: ContentJobSpec, facts: BundleFacts, data_dir: Option<&Path>) -> Task {
    let server_env = match mode {
        Mode::Local => std::env::vars().collect(),
        // Nothing of the server reaches a Pod (EN3).
        Mode::Pod => BTreeMap::new(),
    };
    let uv = match mode {
        Mode::Local => find_uv(),
        // What this machine has says nothing about an image.
        Mode::Pod => None,
    };
    // In Pod mode packages are installed by jobs of their own, so others need not be told what is in the cache.
    let installs = mode == Mode::Local || spec.task == Some(TaskKind::Install);
    let locked = || facts.r.iter().flat_map(|lock| &lock.packages);
    let cached = |data_dir| r_cache(data_dir, locked().map(|package| package.name.as_str()));
    Task {
        mode,
        r_cache: data_dir.filter(|_| installs).map(cached).unwrap_or_default(),
        spec,
        content: ids.content,
        bundle: ids.bundle,
        job_key: ids.job_key,
        rendering: ids.rendering,
        facts,
        content_image: ids.content_image,
        server_env,
        installed: data_dir.map(installed).unwrap_or_default(),
        uv,
    }
}

/// The environments in place below `DataDir`.
fn installed(data_dir: &Path) -> Vec<EnvironmentKey> {
    let mut found = Vec::new();
    let python = layout::python_environments().join("pip");
    for path in below(data_dir, &python, 2) {
        found.push(EnvironmentKey {
            language: LanguageName::Python,
            path,
        });
    }
    for path in below(data_dir, &layout::packrat(), 3) {
        if path.split('/').nth(2) == Some("libraries") {
            found.push(EnvironmentKey {
                language: LanguageName::R,
                path,
            });
        }
    }
    found
}

/// What the shared cache of R packages holds of these packages: `packrat/4.2.2/v2/library/PACKAGE/HASH`.
fn r_cache<'n>(data_dir: &Path, packages: impl Iterator<Item = &'n str>) -> BTreeSet<String> {
    let versions = below(data_dir, &layout::packrat(), 1);
    let mut cached = BTreeSet::new();
    // A lock file is the publisher's; what is no name of a package is refused by the plan.
    for package in packages.filter(|name| !name.starts_with('.') && !name.contains('/')) {
        for version in &versions {
            let place = Path::new(version).join("v2/library").join(package);
            // The package itself counts: where a kill came just before its rename, its place is there and empty.
            let holds_package = |path: &String| data_dir.join(path).join(package).is_dir();
            cached.extend(below(data_dir, &place, 1).into_iter().filter(holds_package));
        }
    }
    cached
}

/// The directories `depth` levels below `base`, relative to `data_dir`, without what is being made.
fn below(data_dir: &Path, base: &Path, depth: usize) -> Vec<String> {
    let mut level = vec![base.to_owned()];
    for _ in 0..depth {
        level = level
            .iter()
            .flat_map(|directory| children(data_dir, directory))
            .collect();
    }
    level
        .into_iter()
        .filter_map(|path| path.to_str().map(str::to_owned))
        .collect()
}

fn children(data_dir: &Path, directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(data_dir.join(directory)) else {
        return Vec::new();
    };
    let directories = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<PathBuf> = directories
        .map(|entry| directory.join(entry.file_name()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| !name.starts_with('.'))
        })
        .collect();
    names.sort();
    names
}

/// `uv`, in a place that every account can reach.
fn find_uv() -> Option<PathBuf> {
    ["/usr/local/bin/uv", "/usr/bin/uv", "/opt/uv/uv"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK1 (L, P), PK2 (L, P)
    #[test]
    fn finds_what_is_installed_and_nothing_half_made() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "python-environments/pip/3.11.2/KEY",
            "python-environments/pip/3.11.2/.staging-j",
            "packrat/4.2.2/libraries/LIB",
            "packrat/4.2.2/v2/library/glue/HASH/glue",
            "packrat/4.2.2/v2/library/glue/.staging-x",
            "packrat/4.2.2/v2/library/rlang/HASH/.staging-x",
            "packrat/4.2.2/v2/library/vctrs/HASH",
        ] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let keys: Vec<String> = installed(dir.path()).into_iter().map(|key| key.path).collect();
        assert_eq!(
            keys,
            [
                "python-environments/pip/3.11.2/KEY",
                "packrat/4.2.2/libraries/LIB"
            ]
        );
        let locked = ["glue", "rlang", "vctrs", "none", "..", "../library/glue"];
        let cached: Vec<String> = r_cache(dir.path(), locked.into_iter()).into_iter().collect();
        assert_eq!(cached, ["packrat/4.2.2/v2/library/glue/HASH"]);
    }
}
