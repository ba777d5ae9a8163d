//! Everything the core needs to know of a bundle, from its files and what the job overrides (PK9).

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::files::{Bundle, Files, ReadError};
use super::kinds::{self, KindError, Nature};
use super::manifest::{self, MANIFEST, Manifest, ManifestError};
use super::node::NodeError;
use super::params::{self, DeclarationError};
use super::paths::extension;
use super::python::{self, PythonError};
use super::r_lock::{self, Lock, RLockError};
use super::site::{self, SiteError};
use super::{AppMode, BundleFacts, EntrypointError, InferError, LanguageFacts, PythonRequirements};
use super::{entrypoint, infer, node, notebook};
use crate::api::job::{ContentJobSpec, TaskKind};
use crate::runtimes::LanguageName;

/// Why a bundle can not be used.
#[derive(Debug, Error)]
pub enum FactsError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The job's `appMode`.
    #[error("the job's appMode: {0}")]
    AppMode(#[source] KindError),
    /// The kind or the entry point could not be inferred.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The entry point.
    #[error(transparent)]
    Entrypoint(#[from] EntrypointError),
    /// The site's configuration.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The declared parameters.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// The Python requirements.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// The packages of Node.js.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The R lock.
    #[error(transparent)]
    RLock(#[from] RLockError),
    /// A file.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reads a bundle. The job's `appMode` and `entrypoint` win over what the manifest says, and that over what the
/// files suggest.
///
/// # Errors
/// [`FactsError`], one sentence that names the file.
pub fn gather(files: &dyn Files, spec: &ContentJobSpec) -> Result<BundleFacts, FactsError> {
    let bundle = Bundle::new(files)?;
    let manifest = read_manifest(&bundle)?;
    let mut inferred = Vec::new();
    let app_mode = app_mode(spec, manifest.as_ref(), &bundle, &mut inferred)?;
    // What a manifest says of another kind does not hold for the kind the job names.
    let own = manifest.as_ref().filter(|manifest| manifest.app_mode == app_mode);
    let named = own.and_then(|manifest| manifest.entrypoint.as_deref());
    let category = own.and_then(|manifest| manifest.category.clone());
    let entrypoint = entrypoint(spec, app_mode, named, &bundle, &mut inferred)?;
    let site = site::detect(app_mode, category.as_deref(), entrypoint.as_deref(), &bundle)?;
    let needed = languages(app_mode, manifest.as_ref(), entrypoint.as_deref(), &bundle)?;
    let python = python_requirements(needed.contains(&LanguageName::Python), manifest.as_ref(), &bundle)?;
    let lock = r_packages(needed.contains(&LanguageName::R), manifest.as_ref(), &bundle)?;
    let (node, engine) = match needed.contains(&LanguageName::Nodejs) {
        true => (node::packages(&bundle)?, node::engine(&bundle)?),
        false => (None, None),
    };
    let parameters = if site.is_some() {
        None
    } else {
        params::declared(app_mode, entrypoint.as_deref(), &bundle)?
    };
    Ok(BundleFacts {
        app_mode,
        entrypoint,
        category,
        is_site: site.is_some(),
        site_output_dir: site.map(|site| site.output_dir),
        languages: language_facts(needed, manifest.as_ref(), lock.as_ref(), engine),
        image: manifest.as_ref().and_then(|manifest| manifest.image.clone()),
        python,
        r: lock.map(|lock| lock.requirements),
        node,
        parameters,
        hide_all_input: manifest.as_ref().is_some_and(|manifest| manifest.hide_all_input),
        hide_tagged_input: manifest
            .as_ref()
            .is_some_and(|manifest| manifest.hide_tagged_input),
        inferred,
    })
}

/// The version of an R package that the bundle's lock names (EN6).
#[must_use]
pub fn r_package_version<'a>(facts: &'a BundleFacts, name: &str) -> Option<&'a str> {
    let packages = &facts.r.as_ref()?.packages;
    packages
        .iter()
        .find(|package| package.name == name)
        .map(|package| package.version.as_str())
}

fn read_manifest(bundle: &Bundle<'_>) -> Result<Option<Manifest>, FactsError> {
    let Some(bytes) = bundle.bytes(MANIFEST)? else {
        return Ok(None);
    };
    let manifest = manifest::parse(&bytes, MANIFEST)?;
    manifest::check_files(&manifest, bundle, MANIFEST)?;
    Ok(Some(manifest))
}

fn app_mode(
    spec: &ContentJobSpec,
    manifest: Option<&Manifest>,
    bundle: &Bundle<'_>,
    notes: &mut Vec<String>,
) -> Result<AppMode, FactsError> {
    if let Some(name) = &spec.app_mode {
        return kinds::of_job(name).map_err(FactsError::AppMode);
    }
    if let Some(manifest) = manifest {
        return Ok(manifest.app_mode);
    }
    let found = match infer::kind(bundle) {
        Ok(found) => found,
        // Neither a command line nor an installation depends on the kind.
        Err(_)
            if !spec.command.is_empty()
                || matches!(
                    spec.task,
                    Some(TaskKind::Run | TaskKind::Deploy | TaskKind::Install)
                ) =>
        {
            notes.push("no manifest.json and no known kind: taken as a script".to_owned());
            return Ok(AppMode::Script);
        }
        Err(error) => return Err(error.into()),
    };
    notes.push(format!(
        "no manifest.json: taken as {}, because {}",
        found.app_mode.name(),
        found.because
    ));
    Ok(found.app_mode)
}

fn entrypoint(
    spec: &ContentJobSpec,
    app_mode: AppMode,
    named: Option<&str>,
    bundle: &Bundle<'_>,
    notes: &mut Vec<String>,
) -> Result<Option<String>, FactsError> {
    if let Some(given) = &spec.entrypoint {
        return Ok(Some(entrypoint::check(app_mode, given, "the job", bundle)?));
    }
    if let Some(named) = named {
        return Ok(Some(entrypoint::check(app_mode, named, MANIFEST, bundle)?));
    }
    let needs_none = !spec.command.is_empty()
        || matches!(
            spec.task,
            Some(TaskKind::Run | TaskKind::Deploy | TaskKind::Install)
        );
    match infer::entrypoint(app_mode, bundle) {
        Ok(Some(found)) => {
            notes.push(format!("no entry point named: taken to be '{found}'"));
            Ok(Some(found))
        }
        Ok(None) => Ok(None),
        Err(_) if needs_none => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The languages that the content needs: those of its kind, and those its files or its manifest add.
fn languages(
    app_mode: AppMode,
    manifest: Option<&Manifest>,
    entrypoint: Option<&str>,
    bundle: &Bundle<'_>,
) -> Result<BTreeSet<LanguageName>, FactsError> {
    let kind = app_mode.kind();
    let mut needed: BTreeSet<LanguageName> = kind.languages.iter().copied().collect();
    if kind.nature == Nature::Files || app_mode == AppMode::TensorflowSavedModel {
        return Ok(needed);
    }
    if matches!(app_mode, AppMode::QuartoStatic | AppMode::QuartoShiny) {
        needed.extend(quarto_languages(manifest, entrypoint, bundle)?);
    }
    let (python, r) = match manifest {
        // R's client writes `platform` for everything, so only packages tell that R is needed.
        Some(manifest) => (
            manifest.languages.contains_key(&LanguageName::Python) || manifest.python_file.is_some(),
            !manifest.packages.is_empty(),
        ),
        None => (
            python::requirements(bundle, None, false)?.is_some(),
            r_lock::has_lock_file(bundle),
        ),
    };
    needed.extend(python.then_some(LanguageName::Python));
    needed.extend(r.then_some(LanguageName::R));
    Ok(needed)
}

fn quarto_languages(
    manifest: Option<&Manifest>,
    entrypoint: Option<&str>,
    bundle: &Bundle<'_>,
) -> Result<BTreeSet<LanguageName>, FactsError> {
    let engines = manifest
        .map(|manifest| manifest.engines.as_slice())
        .unwrap_or_default();
    let mut words: Vec<String> = engines.to_vec();
    if words.is_empty() {
        let documents = bundle
            .names()
            .filter(|name| entrypoint.is_none_or(|entrypoint| *name == entrypoint))
            .filter(|name| matches!(extension(name).as_str(), "qmd" | "rmd" | "ipynb" | "r"));
        for name in documents {
            match extension(name).as_str() {
                "ipynb" => words.push("jupyter".to_owned()),
                "r" => words.push("knitr".to_owned()),
                _ => words.extend(notebook::chunk_languages(&bundle.text(name)?.unwrap_or_default())),
            }
        }
    }
    Ok(words
        .iter()
        .filter_map(|word| match word.as_str() {
            "knitr" | "r" => Some(LanguageName::R),
            "jupyter" | "python" => Some(LanguageName::Python),
            _ => None,
        })
        .collect())
}

fn python_requirements(
    needed: bool,
    manifest: Option<&Manifest>,
    bundle: &Bundle<'_>,
) -> Result<Option<PythonRequirements>, FactsError> {
    if !needed {
        return Ok(None);
    }
    let named = manifest.and_then(|manifest| manifest.python_file.as_deref());
    let allow_uv = manifest.is_some_and(|manifest| manifest.allow_uv);
    Ok(python::requirements(bundle, named, allow_uv)?)
}

fn r_packages(
    needed: bool,
    manifest: Option<&Manifest>,
    bundle: &Bundle<'_>,
) -> Result<Option<Lock>, FactsError> {
    if !needed {
        return Ok(None);
    }
    Ok(r_lock::lock(bundle, manifest.map(|manifest| &manifest.packages))?)
}

fn language_facts(
    needed: BTreeSet<LanguageName>,
    manifest: Option<&Manifest>,
    lock: Option<&Lock>,
    engine: Option<String>,
) -> BTreeMap<LanguageName, LanguageFacts> {
    needed
        .into_iter()
        .map(|language| {
            let known = manifest.and_then(|manifest| manifest.languages.get(&language));
            let mut facts = known.cloned().unwrap_or_default();
            if language == LanguageName::R && facts.version.is_none() {
                facts.version = lock.and_then(|lock| lock.r_version.clone());
            }
            if language == LanguageName::Nodejs && facts.requires.is_none() {
                facts.requires.clone_from(&engine);
            }
            (language, facts)
        })
        .collect()
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
