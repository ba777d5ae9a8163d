//! Collects what the pure core needs to know: what is installed, what is cached, the server's environment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::api::app::ContentAppSpec;
use crate::api::job::{ContentJobSpec, TaskKind};
use crate::content::BundleFacts;
use crate::data::layout;
use crate::identity::{self, Accounts, GatherError, Homes};
use crate::plan::{EnvironmentKey, Mode, ServeTask, Task};
use crate::runtimes::LanguageName;
use crate::settings::Settings;

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

/// Looks up the accounts and groups that the settings name, and the accounts that a job names, as they are known where this program runs (RA5).
///
/// # Errors
/// An account that exists, but whose groups can not be read.
pub fn accounts<'a>(
    mode: Mode,
    settings: &'a Settings,
    named: impl IntoIterator<Item = &'a str>,
) -> Result<Accounts, GatherError> {
    let applications = &settings.applications;
    let own = [applications.run_as.as_str()];
    let names: Vec<&str> = own.into_iter().chain(named).collect();
    let groups: Vec<&str> = applications
        .shared_run_as_unix_group
        .as_deref()
        .into_iter()
        .collect();
    if mode == Mode::Local {
        return identity::gather(&names, &groups, Homes::Existing);
    }
    let found = identity::gather(&names, &groups, Homes::Listed)?;
    // The account that this program itself runs as has no say in what runs in Pods.
    Ok(Accounts {
        ordinary_user: None,
        ..found
    })
}

/// The task of a job, with everything that was found for it. `data_dir` is `None` where there is none to look into.
#[must_use]
pub fn task(mode: Mode, ids: Ids, spec: ContentJobSpec, facts: BundleFacts, data_dir: Option<&Path>) -> Task {
    task_of(mode, ids, spec, facts, data_dir, &Listings::default())
}

/// As [`task`], for whoever asks again and again: what did not change is not read again.
#[must_use]
pub fn task_of(
    mode: Mode,
    ids: Ids,
    spec: ContentJobSpec,
    facts: BundleFacts,
    data_dir: Option<&Path>,
    listings: &Listings,
) -> Task {
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
        serve: None,
        content: ids.content,
        bundle: ids.bundle,
        job_key: ids.job_key,
        rendering: ids.rendering,
        facts,
        content_image: ids.content_image,
        server_env,
        installed: data_dir
            .map(|data_dir| installed(data_dir, listings))
            .unwrap_or_default(),
        uv,
    }
}

/// The task of a process that serves an application at a path of the gateway.
#[must_use]
pub fn serving(
    mode: Mode,
    ids: Ids,
    app: &ContentAppSpec,
    prefix: &str,
    facts: BundleFacts,
    data_dir: Option<&Path>,
    listings: &Listings,
) -> Task {
    let spec = app.as_job(&ids.content);
    let serve = ServeTask {
        current_user: app.run_as_current_user,
        ..ServeTask::at(prefix)
    };
    Task {
        serve: Some(serve),
        ..task_of(mode, ids, spec, facts, data_dir, listings)
    }
}

/// The environments in place below `DataDir`.
fn installed(data_dir: &Path, listings: &Listings) -> Vec<EnvironmentKey> {
    let mut found = Vec::new();
    let python = layout::python_environments().join("pip");
    for path in listings.below(data_dir, &python, 2) {
        found.push(EnvironmentKey {
            language: LanguageName::Python,
            path,
        });
    }
    for path in listings.below(data_dir, &layout::node_environments(), 2) {
        found.push(EnvironmentKey {
            language: LanguageName::Nodejs,
            path,
        });
    }
    for version in listings.below(data_dir, &layout::packrat(), 1) {
        for path in listings.below(data_dir, &Path::new(&version).join("libraries"), 1) {
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
    Listings::default().below(data_dir, base, depth)
}

/// Lists of directories, each read again only once something was added to it or removed.
#[derive(Debug, Default)]
pub struct Listings {
    known: Mutex<HashMap<PathBuf, Listing>>,
}

#[derive(Debug)]
struct Listing {
    changed: SystemTime,
    names: Vec<String>,
}

impl Listings {
    fn below(&self, data_dir: &Path, base: &Path, depth: usize) -> Vec<String> {
        let mut level = vec![base.to_owned()];
        for _ in 0..depth {
            let children = |directory: &PathBuf| -> Vec<PathBuf> {
                let names = self.names(&data_dir.join(directory));
                names.into_iter().map(|name| directory.join(name)).collect()
            };
            level = level.iter().flat_map(children).collect();
        }
        level
            .into_iter()
            .filter_map(|path| path.to_str().map(str::to_owned))
            .collect()
    }

    /// The directories in a directory, sorted.
    fn names(&self, directory: &Path) -> Vec<String> {
        let Ok(changed) = std::fs::metadata(directory).and_then(|meta| meta.modified()) else {
            return Vec::new();
        };
        if let Some(listing) = self.known().get(directory)
            && listing.changed == changed
        {
            return listing.names.clone();
        }
        let names = read_names(directory);
        // In a directory that has just been changed, the next change may leave the same time.
        if changed.elapsed().is_ok_and(|age| age > SETTLED) {
            let names = names.clone();
            let listing = Listing { changed, names };
            self.known().insert(directory.to_owned(), listing);
        }
        names
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PathBuf, Listing>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From this age on, a directory's time tells its next change from its last.
const SETTLED: Duration = Duration::from_secs(2);

fn read_names(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
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
            "node-environments/20.1.0/KEY/node_modules",
            "node-environments/20.1.0/.staging-j",
            "packrat/4.2.2/libraries/LIB",
            "packrat/4.2.2/v2/library/glue/HASH/glue",
            "packrat/4.2.2/v2/library/glue/.staging-x",
            "packrat/4.2.2/v2/library/rlang/HASH/.staging-x",
            "packrat/4.2.2/v2/library/vctrs/HASH",
        ] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let found = installed(dir.path(), &Listings::default());
        let keys: Vec<String> = found.into_iter().map(|key| key.path).collect();
        assert_eq!(
            keys,
            [
                "python-environments/pip/3.11.2/KEY",
                "node-environments/20.1.0/KEY",
                "packrat/4.2.2/libraries/LIB"
            ]
        );
        let locked = ["glue", "rlang", "vctrs", "none", "..", "../library/glue"];
        let cached: Vec<String> = r_cache(dir.path(), locked.into_iter()).into_iter().collect();
        assert_eq!(cached, ["packrat/4.2.2/v2/library/glue/HASH"]);
    }

    #[test]
    fn a_list_is_read_again_when_its_directory_changes() {
        let dir = tempfile::tempdir().unwrap();
        let environments = dir.path().join("python-environments/pip/3.11.2");
        std::fs::create_dir_all(environments.join("one")).unwrap();
        let listings = Listings::default();
        let count = || installed(dir.path(), &listings).len();
        // It has just changed, so what is added at once is seen too.
        assert_eq!(count(), 1);
        std::fs::create_dir(environments.join("two")).unwrap();
        assert_eq!(count(), 2);
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        let touch = || {
            let directory = std::fs::File::open(&environments).unwrap();
            directory.set_modified(long_ago).unwrap();
        };
        touch();
        assert_eq!(count(), 2);
        std::fs::create_dir(environments.join("three")).unwrap();
        assert_eq!(count(), 3);
        touch();
        assert_eq!(count(), 2, "it is not read again");
    }
}
