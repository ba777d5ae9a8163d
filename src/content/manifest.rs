//! `manifest.json` as the R and Python publishing clients write it. Pure; unknown keys are tolerated, because the
//! format belongs to those clients.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::files::{Bundle, Presence, ReadError};
use super::kinds::{self, KindError};
use super::manifest_raw::{Raw, RawEnvironment, RawMetadata, map};
use super::paths::{PathFault, relative};
use super::{AppMode, LanguageFacts};
use crate::runtimes::LanguageName;

/// Name of the file, at the top of a bundle.
pub const MANIFEST: &str = "manifest.json";

/// Why a manifest can not be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It is no JSON, or a known key has the wrong type.
    #[error("{file} is not a manifest: {source}; write it again with the publishing client")]
    Json {
        /// Its name.
        file: String,
        /// Cause, with line and column.
        source: serde_json::Error,
    },
    /// `metadata.appmode` is absent.
    #[error("{file} has no 'metadata.appmode'; write it again with the publishing client")]
    NoAppMode {
        /// Its name.
        file: String,
    },
    /// `metadata.appmode` is none of the known ones.
    #[error("{file}: metadata.appmode: {source}")]
    AppMode {
        /// Its name.
        file: String,
        /// Cause, with the known names.
        source: KindError,
    },
    /// `files` names a path that can not be one of the bundle.
    #[error("{file} names '{path}' in 'files', which {source}; name only paths inside the bundle")]
    Path {
        /// Its name.
        file: String,
        /// The path.
        path: String,
        /// What is wrong with it.
        source: PathFault,
    },
    /// `files` names a file that is not there.
    #[error(
        "{file} names '{path}' in 'files', which is not in the bundle; add the file or write the manifest again"
    )]
    MissingFile {
        /// Its name.
        file: String,
        /// The path.
        path: String,
    },
    /// `files` names something that is no file of the bundle.
    #[error("{file} names '{path}' in 'files', which is {what}; replace it by a regular file")]
    NotAFile {
        /// Its name.
        file: String,
        /// The path.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A named file could not be looked at.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A manifest, reduced to what is used. Checksums are not kept: they serve the clients' uploads, and a file edited
/// after the manifest was written, usual in content from Git, is what its publisher wants to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// `metadata.appmode`.
    pub app_mode: AppMode,
    /// `metadata.entrypoint`, `primary_rmd` or `primary_html`, whichever the kind uses.
    pub entrypoint: Option<String>,
    /// `metadata.content_category`.
    pub category: Option<String>,
    /// What it says of each language.
    pub languages: BTreeMap<LanguageName, LanguageFacts>,
    /// `environment.image`.
    pub image: Option<String>,
    /// `python.package_manager.package_file`.
    pub python_file: Option<String>,
    /// `python.package_manager.allow_uv`.
    pub allow_uv: bool,
    /// `quarto.engines`.
    pub engines: Vec<String>,
    /// `jupyter.hide_all_input`.
    pub hide_all_input: bool,
    /// `jupyter.hide_tagged_input`.
    pub hide_tagged_input: bool,
    /// `packages`, by name.
    pub packages: BTreeMap<String, ManifestPackage>,
    /// Names of `files`.
    pub files: Vec<String>,
}

/// One entry of `packages`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ManifestPackage {
    /// `Source`: `CRAN`, `Bioconductor`, `github`, …
    #[serde(rename = "Source")]
    pub source: Option<String>,
    /// `Repository`: an address; absent where the client could not tell.
    #[serde(rename = "Repository")]
    pub repository: Option<String>,
    /// The package's own DESCRIPTION.
    #[serde(default, deserialize_with = "map")]
    pub description: BTreeMap<String, Value>,
    /// `GithubRepo` and its like.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// Reads a manifest; `file` is the name that errors give it.
///
/// # Errors
/// [`ManifestError::Json`], [`ManifestError::NoAppMode`], [`ManifestError::AppMode`], [`ManifestError::Path`].
pub fn parse(bytes: &[u8], file: &str) -> Result<Manifest, ManifestError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let raw: Raw = serde_json::from_slice(bytes).map_err(|source| ManifestError::Json {
        file: file.to_owned(),
        source,
    })?;
    let no_app_mode = || ManifestError::NoAppMode {
        file: file.to_owned(),
    };
    let metadata = raw.metadata.as_ref().ok_or_else(no_app_mode)?;
    let name = metadata.appmode.as_deref().ok_or_else(no_app_mode)?;
    let app_mode = kinds::of_manifest(name).map_err(|source| ManifestError::AppMode {
        file: file.to_owned(),
        source,
    })?;
    let manager = raw
        .python
        .as_ref()
        .and_then(|python| python.package_manager.as_ref());
    let jupyter = raw.jupyter.as_ref();
    Ok(Manifest {
        app_mode,
        entrypoint: entrypoint(app_mode, metadata),
        category: filled(metadata.content_category.as_ref()),
        languages: languages(&raw),
        image: filled(
            raw.environment
                .as_ref()
                .and_then(|environment| environment.image.as_ref()),
        ),
        python_file: filled(manager.and_then(|manager| manager.package_file.as_ref())),
        allow_uv: manager.and_then(|manager| manager.allow_uv) == Some(true),
        engines: raw.quarto.map(|quarto| quarto.engines.into()).unwrap_or_default(),
        hide_all_input: jupyter.and_then(|jupyter| jupyter.hide_all_input) == Some(true),
        hide_tagged_input: jupyter.and_then(|jupyter| jupyter.hide_tagged_input) == Some(true),
        packages: raw.packages,
        files: names(raw.files.into_keys(), file)?,
    })
}

/// Holds that every file the manifest names is a regular file of the bundle.
///
/// # Errors
/// The first that is not, with what it is.
pub fn check_files(manifest: &Manifest, bundle: &Bundle<'_>, file: &str) -> Result<(), ManifestError> {
    for path in &manifest.files {
        let what = match bundle.probe(path)? {
            Presence::File => continue,
            Presence::Missing => {
                return Err(ManifestError::MissingFile {
                    file: file.to_owned(),
                    path: path.clone(),
                });
            }
            Presence::Directory => "a directory",
            Presence::LeadsOut => "a link that leads out of the bundle",
            Presence::Special => "a FIFO, socket or device",
        };
        return Err(ManifestError::NotAFile {
            file: file.to_owned(),
            path: path.clone(),
            what,
        });
    }
    Ok(())
}

fn entrypoint(app_mode: AppMode, metadata: &RawMetadata) -> Option<String> {
    let own = metadata.entrypoint.as_ref();
    let [first, second, third] = match app_mode {
        AppMode::Static => [metadata.primary_html.as_ref(), own, None],
        AppMode::RmdStatic | AppMode::RmdShiny | AppMode::QuartoStatic | AppMode::QuartoShiny => {
            [metadata.primary_rmd.as_ref(), own, metadata.primary_html.as_ref()]
        }
        _ => [own, None, None],
    };
    filled(first).or_else(|| filled(second)).or_else(|| filled(third))
}

fn languages(raw: &Raw) -> BTreeMap<LanguageName, LanguageFacts> {
    let none = RawEnvironment::default();
    let environment = raw.environment.as_ref().unwrap_or(&none);
    let manage = |keys: &[&str]| {
        let table = environment.environment_management.as_ref()?;
        keys.iter().find_map(|key| table.get(*key).copied().flatten())
    };
    let node = raw.node.as_ref().or(raw.nodejs.as_ref());
    let node_requires = environment.nodejs.as_ref().or(environment.node.as_ref());
    let quarto = raw.quarto.as_ref().and_then(|quarto| quarto.version.as_ref());
    let python = raw.python.as_ref().and_then(|python| python.version.as_ref());
    [
        (
            LanguageName::R,
            raw.platform.as_ref(),
            environment.r.as_ref(),
            manage(&["r"]),
        ),
        (
            LanguageName::Python,
            python,
            environment.python.as_ref(),
            manage(&["python"]),
        ),
        (LanguageName::Quarto, quarto, environment.quarto.as_ref(), None),
        (
            LanguageName::Nodejs,
            node.and_then(|node| node.version.as_ref()),
            node_requires,
            manage(&["nodejs", "node"]),
        ),
    ]
    .into_iter()
    .map(|(language, version, requires, manage_packages)| {
        let requires = filled(requires.and_then(|requires| requires.requires.as_ref()));
        (
            language,
            LanguageFacts {
                version: filled(version),
                requires,
                manage_packages,
            },
        )
    })
    .filter(|(_, facts)| *facts != LanguageFacts::default())
    .collect()
}

fn names(keys: impl Iterator<Item = String>, file: &str) -> Result<Vec<String>, ManifestError> {
    keys.map(|path| match relative(&path) {
        Ok(path) => Ok(path),
        Err(source) => Err(ManifestError::Path {
            file: file.to_owned(),
            path,
            source,
        }),
    })
    .collect()
}

/// Both clients write `null` and `""` for what they do not know.
fn filled(value: Option<&String>) -> Option<String> {
    value
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
