//! Finds the interpreters of this machine: the one runtime of local mode (EX1, EX2).
//!
//! For each enabled language: the executables that the settings name, or where they name none the one on PATH;
//! then, where scanning is on, the usual directories. What the settings name must work, else it is an error. What
//! is only come across and does not work, or has a version that is there already, is left out with a remark.

use std::{path::PathBuf, time::Duration};

use super::{
    AskError, Installation, LOCAL_RUNTIME, LanguageName, Runtime, Runtimes,
    ask::TIME_LIMIT,
    finder::{Finder, Search},
    places::{Places, is_executable, scan},
    version::Version,
};
use crate::settings::{Language, Settings};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// One runtime named [`LOCAL_RUNTIME`].
    pub runtimes: Runtimes,
    /// Each interpreter of it, in the order they were found.
    pub found: Vec<Found>,
    /// What is odd about what the settings name, one sentence each.
    pub notes: Vec<String>,
    /// What was only come across and left out, one sentence each.
    pub left_out: Vec<String>,
    /// The languages of which nothing was found, though the settings allow them.
    pub absent: Vec<LanguageName>,
}

/// One interpreter that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its language.
    pub language: LanguageName,
    /// Its version, as it says.
    pub version: Version,
    /// Its executable.
    pub path: PathBuf,
    /// Where it was found.
    pub origin: Origin,
}

/// How an interpreter was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Named by this setting.
    Setting(&'static str),
    /// In one of the directories that are scanned.
    Scan,
    /// On PATH.
    Path,
}

/// Why the settings' interpreters can not be used.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// A path that is not absolute.
    #[error("{setting} = {} is not an absolute path; write the whole path of the executable", path.display())]
    NotAbsolute {
        /// The setting.
        setting: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// Nothing there, or nothing that can be seen.
    #[error("{setting} = {} can not be used: {source}; name an executable that exists", path.display())]
    Missing {
        /// The setting.
        setting: &'static str,
        /// Its value.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A directory where an executable belongs.
    #[error("{setting} = {} is a directory; name the executable in it, such as {}", path.display(), example.display())]
    Directory {
        /// The setting.
        setting: &'static str,
        /// Its value.
        path: PathBuf,
        /// What may have been meant.
        example: PathBuf,
    },
    /// A file without the permission.
    #[error("{setting} = {} is not executable; name an executable, or give it the permission with chmod +x", path.display())]
    NotExecutable {
        /// The setting.
        setting: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// It gives no version.
    #[error("{setting} = {} gives no version: {source}; name a working {}", path.display(), language.label())]
    Ask {
        /// The setting.
        setting: &'static str,
        /// Its value.
        path: PathBuf,
        /// The language it should be.
        language: LanguageName,
        /// What happened.
        #[source]
        source: AskError,
    },
    /// Two settings give one version.
    #[error(
        "one version declared twice: {first_setting} = {} and {setting} = {} are both {} {version}; remove one of them",
        first.display(), path.display(), language.label()
    )]
    Twice {
        /// The language.
        language: LanguageName,
        /// The version.
        version: Version,
        /// Setting of the first.
        first_setting: &'static str,
        /// The first.
        first: PathBuf,
        /// Setting of the second.
        setting: &'static str,
        /// The second.
        path: PathBuf,
    },
}

/// Finds the interpreters that the settings name or allow to be found.
///
/// # Errors
/// [`DiscoverError`] where an executable that a setting names can not be used, with the setting and the path.
pub fn discover(settings: &Settings) -> Result<Discovered, DiscoverError> {
    let places = Places::of_this_machine();
    let languages = [&settings.r, &settings.python, &settings.quarto, &settings.nodejs];
    discover_in(
        &searches(languages, &settings.server.r_version, &places),
        &places,
        TIME_LIMIT,
    )
}

/// The searches for R, Python, Quarto and Node.js; `homes` are the R homes of older files.
fn searches([r, python, quarto, nodejs]: [&Language; 4], homes: &[PathBuf], places: &Places) -> [Search; 4] {
    let search = |language, setting, program, from: &Language, parents: &[PathBuf]| Search {
        language,
        program,
        enabled: from.enabled,
        named: from
            .executable
            .iter()
            .map(|path| (setting, path.clone()))
            .collect(),
        scanned: if from.executable_scanning {
            scan(parents, program)
        } else {
            Vec::new()
        },
    };
    let mut found_r = search(LanguageName::R, "R.Executable", "R", r, &places.r_parents);
    found_r
        .named
        .extend(homes.iter().map(|home| ("Server.RVersion", home.join("bin/R"))));
    if r.executable_scanning {
        let usual = places.r_homes.iter().map(|home| home.join("bin/R"));
        found_r.scanned.extend(usual.filter(|path| is_executable(path)));
    }
    [
        found_r,
        search(
            LanguageName::Python,
            "Python.Executable",
            "python3",
            python,
            &places.python_parents,
        ),
        search(
            LanguageName::Quarto,
            "Quarto.Executable",
            "quarto",
            quarto,
            &places.quarto_parents,
        ),
        search(
            LanguageName::Nodejs,
            "NodeJs.Executable",
            "node",
            nodejs,
            &places.node_parents,
        ),
    ]
}

fn discover_in(searches: &[Search], places: &Places, limit: Duration) -> Result<Discovered, DiscoverError> {
    let mut found = Vec::new();
    let (mut notes, mut left_out, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for search in searches.iter().filter(|search| search.enabled) {
        let mut finder = Finder {
            search,
            places,
            limit,
            found: Vec::new(),
            notes: &mut notes,
            left_out: &mut left_out,
        };
        finder.take_named()?;
        finder.take_from_path();
        finder.take_scanned();
        if finder.found.is_empty() {
            absent.push(search.language);
        }
        found.append(&mut finder.found);
    }
    Ok(Discovered {
        runtimes: runtimes(&found),
        found,
        notes,
        left_out,
        absent,
    })
}

fn runtimes(found: &[Found]) -> Runtimes {
    let mut runtime = Runtime {
        name: LOCAL_RUNTIME.to_owned(),
        title: None,
        description: None,
        matching: super::ImageMatching::Any,
        supervisor: Vec::new(),
        installations: std::collections::BTreeMap::new(),
        volume_mounts: Vec::new(),
    };
    for one in found {
        runtime
            .installations
            .entry(one.language)
            .or_default()
            .push(Installation {
                version: one.version.to_string(),
                path: one.path.display().to_string(),
            });
    }
    Runtimes {
        runtimes: vec![runtime],
    }
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
