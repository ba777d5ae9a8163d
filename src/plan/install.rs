//! The environments that a job's content needs, and whether they have to be installed first (PK1, PK2).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::paths::{self, is_component};
use super::r_cache::{self, Entry, Origin};
use super::{EnvironmentKey, InputFile, PlanError, Task, digest::Digest, python_key};
use crate::runtimes::{Choice, Installation, LanguageName};
use crate::settings::{PackageManager, Repository, Settings};

/// The environments of one content item.
#[derive(Debug, Default)]
pub(super) struct Environments {
    pub(super) python: Option<PythonEnvironment>,
    pub(super) r: Option<RLibrary>,
    pub(super) node: Option<NodeEnvironment>,
}

/// A Python environment.
#[derive(Debug)]
pub(super) struct PythonEnvironment {
    pub(super) key: EnvironmentKey,
    pub(super) installed: bool,
    pub(super) version: String,
    pub(super) manager: PackageManager,
}

/// An environment of Node.js packages.
#[derive(Debug)]
pub(super) struct NodeEnvironment {
    pub(super) key: EnvironmentKey,
    pub(super) installed: bool,
    pub(super) version: String,
}

/// A library of R packages.
#[derive(Debug)]
pub(super) struct RLibrary {
    pub(super) key: EnvironmentKey,
    pub(super) installed: bool,
    pub(super) version: String,
    pub(super) packages: Vec<Entry>,
    pub(super) repositories: Vec<Repository>,
}

pub(super) fn environments(
    task: &Task,
    settings: &Settings,
    choice: &Choice,
) -> Result<Environments, PlanError> {
    Ok(Environments {
        python: python(task, settings, choice)?,
        r: r(task, settings, choice)?,
        node: node(task, choice)?,
    })
}

/// The chosen interpreter of a language.
pub(super) fn interpreter(choice: &Choice, language: LanguageName) -> Result<&Installation, PlanError> {
    choice
        .interpreters
        .get(&language)
        .ok_or_else(|| PlanError::NoInterpreter {
            runtime: choice.runtime.clone(),
            language: language.label(),
        })
}

/// Whether packages of `language` are installed for this content: the manifest may say no.
pub(super) fn is_managed(task: &Task, language: LanguageName) -> bool {
    let facts = task.facts.languages.get(&language);
    facts.and_then(|facts| facts.manage_packages) != Some(false)
}

fn python(task: &Task, settings: &Settings, choice: &Choice) -> Result<Option<PythonEnvironment>, PlanError> {
    let Some(requirements) = task
        .facts
        .python
        .as_ref()
        .filter(|_| is_managed(task, LanguageName::Python))
    else {
        return Ok(None);
    };
    let python = interpreter(choice, LanguageName::Python)?;
    let uv = settings.python_package_manager == PackageManager::Uv && requirements.allow_uv;
    let manager = if uv && task.uv.is_some() {
        PackageManager::Uv
    } else {
        PackageManager::Pip
    };
    let version = version_component(python)?;
    let key = python_key::of(task, requirements, manager, python, choice);
    let key = EnvironmentKey {
        language: LanguageName::Python,
        path: paths::python_environment(&version, &key),
    };
    Ok(Some(PythonEnvironment {
        installed: task.installed.contains(&key),
        key,
        version,
        manager,
    }))
}

fn r(task: &Task, settings: &Settings, choice: &Choice) -> Result<Option<RLibrary>, PlanError> {
    let Some(lock) = task
        .facts
        .r
        .as_ref()
        .filter(|_| is_managed(task, LanguageName::R))
    else {
        return Ok(None);
    };
    let r = interpreter(choice, LanguageName::R)?;
    let version = version_component(r)?;
    let repositories = repositories(&settings.r_repositories, &lock.repositories);
    let origin = Origin {
        r_version: &version,
        runtime: &choice.runtime,
        repositories: &repositories,
    };
    let packages = r_cache::entries(&lock.packages, &settings.packages_external, &origin)?;
    if packages.is_empty() {
        return Ok(None);
    }
    if repositories.is_empty() && packages.iter().any(|package| !package.is_remote) {
        return Err(PlanError::NoRepository {
            count: packages.len(),
        });
    }
    let digest = Digest::of("r-library").field(&r.path);
    let names = packages.iter().flat_map(|package| [&package.name, &package.hash]);
    let key = EnvironmentKey {
        language: LanguageName::R,
        path: paths::r_library(&version, &digest.fields(names).base64()),
    };
    Ok(Some(RLibrary {
        installed: task.installed.contains(&key),
        key,
        version,
        packages,
        repositories,
    }))
}

fn node(task: &Task, choice: &Choice) -> Result<Option<NodeEnvironment>, PlanError> {
    let Some(requirements) = task
        .facts
        .node
        .as_ref()
        .filter(|_| is_managed(task, LanguageName::Nodejs))
    else {
        return Ok(None);
    };
    let node = interpreter(choice, LanguageName::Nodejs)?;
    let version = version_component(node)?;
    let key = Digest::of("node-environment")
        .field(&node.version)
        .field(&node.path)
        .field(&choice.runtime)
        .field(&requirements.digest)
        .base64();
    let key = EnvironmentKey {
        language: LanguageName::Nodejs,
        path: paths::node_environment(&version, &key),
    };
    Ok(Some(NodeEnvironment {
        installed: task.installed.contains(&key),
        key,
        version,
    }))
}

/// The version as the name of a directory.
fn version_component(installation: &Installation) -> Result<String, PlanError> {
    if is_component(&installation.version) {
        return Ok(installation.version.clone());
    }
    Err(PlanError::PathName {
        what: "interpreter version",
        value: installation.version.clone(),
    })
}

/// The settings' repositories first, then those of the lock at other addresses; a name that is taken gets a number.
fn repositories(settings: &[Repository], lock: &[Repository]) -> Vec<Repository> {
    let mut all: Vec<Repository> = Vec::new();
    for repository in settings.iter().chain(lock) {
        if all.iter().any(|known| same_address(&known.url, &repository.url)) {
            continue;
        }
        let taken = |name: &str| all.iter().any(|known| known.name == name);
        let name = if taken(&repository.name) {
            (1..=all.len())
                .map(|number| format!("{}.{number}", repository.name))
                .find(|name| !taken(name))
                .unwrap_or_default()
        } else {
            repository.name.clone()
        };
        all.push(Repository {
            name,
            url: repository.url.clone(),
        });
    }
    all
}

fn same_address(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// Name of the list of R packages among the inputs.
pub(super) const R_PACKAGES: &str = "r-packages.dcf";

/// The list of R packages in Debian control format, which base R reads; in the order of installation.
pub(super) fn r_packages(task: &Task, library: &RLibrary) -> InputFile {
    let cache = paths::r_cache(&library.version);
    let repositories: Vec<String> = library
        .repositories
        .iter()
        .map(|repository| format!("{}={}", one_line(&repository.name), one_line(&repository.url)))
        .collect();
    let mut text = format!(
        "RVersion: {}\nCache: {}\nStaging: {}\nRepositories: {}\n",
        library.version,
        paths::mounted(&cache),
        crate::names::MOUNT_R,
        repositories.join("\n "),
    );
    for package in &library.packages {
        let cached = task
            .r_cache
            .contains(&format!("{cache}/{}/{}", package.name, package.hash));
        let _ = write!(
            text,
            "\nPackage: {}\nVersion: {}\nSource: {}\n",
            package.name,
            package.version,
            one_line(&package.source)
        );
        if let Some(repository) = &package.repository {
            let _ = writeln!(text, "Repository: {}", one_line(repository));
        }
        let requires: Vec<Cow<'_, str>> = package.requires.iter().map(|name| one_line(name)).collect();
        let _ = write!(
            text,
            "Hash: {}\nRequires: {}\nCached: {}\n",
            package.hash,
            requires.join(", "),
            if cached { "yes" } else { "no" }
        );
    }
    InputFile {
        name: R_PACKAGES.to_owned(),
        text,
    }
}

/// The hash of each package, by name.
pub(super) fn hashes(library: &RLibrary) -> BTreeMap<String, String> {
    let packages = library.packages.iter();
    packages
        .map(|package| (package.name.clone(), package.hash.clone()))
        .collect()
}

/// Text of a lock file in a field of its own: a line break in it must not begin another field.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(char::is_control, " "))
}

/// Whether the content asks for `uv` and does not get it.
pub(super) fn lacks_uv(task: &Task, settings: &Settings) -> bool {
    let wanted = task.facts.python.as_ref().is_some_and(|python| python.allow_uv);
    wanted && settings.python_package_manager == PackageManager::Uv && task.uv.is_none()
}
