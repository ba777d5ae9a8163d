//! The kind and entry point of a bundle that says neither, where they are unambiguous (PK9).

use serde_json::Value;
use thiserror::Error;

use super::files::{Bundle, ReadError};
use super::paths::extension;
use super::site::{SiteError, is_r_markdown};
use super::{AppMode, front_matter, infer_python};

/// Why nothing could be inferred.
#[derive(Debug, Error)]
pub enum InferError {
    /// Nothing that was looked for is there.
    #[error(
        "the bundle has no manifest.json and no known kind: looked at its top for {LOOKED_FOR}; found {found}; \
         write a manifest with a publishing client, or name 'appMode' and 'entrypoint' in a job"
    )]
    Unknown {
        /// What is there instead.
        found: String,
    },
    /// Several kinds fit.
    #[error(
        "the bundle has no manifest.json and could be {kinds}; \
         write a manifest with a publishing client, or name 'appMode' and 'entrypoint' in a job"
    )]
    Ambiguous {
        /// The kinds, with their reasons.
        kinds: String,
    },
    /// Several files could be the entry point.
    #[error(
        "the bundle names no entry point and has {files}; name one as 'entrypoint' in a job, or call one '{usual}'"
    )]
    AmbiguousEntrypoint {
        /// The files.
        files: String,
        /// The name that would decide.
        usual: &'static str,
    },
    /// There is no file that could be the entry point.
    #[error("the bundle is '{kind}' content but has no {wanted}; add it, or name the right kind")]
    NoEntrypoint {
        /// Name of the kind.
        kind: &'static str,
        /// What was looked for.
        wanted: &'static str,
    },
    /// `package.json` is no JSON.
    #[error("'package.json' is not JSON: {0}; correct the file")]
    PackageJson(#[source] serde_json::Error),
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index of a site could not be read.
    #[error(transparent)]
    Site(#[from] SiteError),
}

const LOOKED_FOR: &str = "_quarto.yml or *.qmd (Quarto), *.Rmd (R Markdown), *.ipynb (Jupyter), app.R or server.R (Shiny), \
     plumber.R or entrypoint.R (Plumber), app.py or another module that imports a known framework (Python), \
     package.json (Node.js), saved_model.pb (TensorFlow), index.html (static)";

/// A kind, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inferred {
    pub(super) app_mode: AppMode,
    pub(super) because: String,
}

/// The only kind that fits.
pub(super) fn kind(bundle: &Bundle<'_>) -> Result<Inferred, InferError> {
    let mut found: Vec<Inferred> = [
        documents(bundle)?,
        r_application(bundle),
        infer_python::applications(bundle)?,
        other(bundle),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Pages are often what a document left behind, so they count only where nothing else does.
    if found.is_empty()
        && let Some(page) = single_or_index(&with_extension(bundle, &["html", "htm"]), "index.html")
    {
        found.push(inferred(
            AppMode::Static,
            format!("'{page}' is a page and there is nothing else to run"),
        ));
    }
    match found.as_slice() {
        [] => Err(InferError::Unknown {
            found: listing(bundle),
        }),
        [_] => Ok(found.remove(0)),
        _ => Err(InferError::Ambiguous {
            kinds: found
                .iter()
                .map(|one| format!("{} ({})", one.app_mode.name(), one.because))
                .collect::<Vec<_>>()
                .join(" or "),
        }),
    }
}

pub(super) fn inferred(app_mode: AppMode, because: impl Into<String>) -> Inferred {
    Inferred {
        app_mode,
        because: because.into(),
    }
}

fn documents(bundle: &Bundle<'_>) -> Result<Vec<Inferred>, InferError> {
    let mut found = Vec::new();
    let (qmd, rmd) = (with_extension(bundle, &["qmd"]), with_extension(bundle, &["rmd"]));
    let project = ["_quarto.yml", "_quarto.yaml"]
        .into_iter()
        .find(|name| bundle.has(name));
    if project.is_some() || !qmd.is_empty() {
        let mode = if any_interactive(bundle, &[&qmd[..], &rmd[..]].concat())? {
            AppMode::QuartoShiny
        } else {
            AppMode::QuartoStatic
        };
        found.push(inferred(
            mode,
            format!("it has '{}'", project.unwrap_or_else(|| qmd[0])),
        ));
    }
    // Quarto renders the R Markdown documents and notebooks of its projects too.
    if project.is_none() {
        if let Some(first) = rmd.first() {
            let mode = if any_interactive(bundle, &rmd)? {
                AppMode::RmdShiny
            } else {
                AppMode::RmdStatic
            };
            found.push(inferred(mode, format!("it has '{first}'")));
        }
        if let Some(first) = with_extension(bundle, &["ipynb"]).first() {
            found.push(inferred(AppMode::JupyterStatic, format!("it has '{first}'")));
        }
    }
    Ok(found)
}

fn r_application(bundle: &Bundle<'_>) -> Vec<Inferred> {
    let mut found = Vec::new();
    let has = |name| bundle.top_level_ignoring_case(name);
    let split = has("server.R").filter(|_| has("ui.R").is_some() || bundle.has("www/index.html"));
    if let Some(name) = has("app.R").or(split) {
        found.push(inferred(AppMode::Shiny, format!("it has '{name}'")));
    }
    if let Some(name) = has("plumber.R").or_else(|| has("entrypoint.R")) {
        found.push(inferred(AppMode::Api, format!("it has '{name}'")));
    }
    found
}

fn other(bundle: &Bundle<'_>) -> Vec<Inferred> {
    let mut found = Vec::new();
    if bundle.has("package.json") {
        found.push(inferred(AppMode::Nodejs, "it has 'package.json'"));
    }
    if let Some(model) = bundle
        .names()
        .find(|name| matches!(name.rsplit('/').next(), Some("saved_model.pb")))
    {
        found.push(inferred(
            AppMode::TensorflowSavedModel,
            format!("it has '{model}'"),
        ));
    }
    found
}

/// The entry point of a bundle whose kind is known. `None` where the kind needs none: R applications, whole Quarto
/// projects, several Voila notebooks.
pub(super) fn entrypoint(app_mode: AppMode, bundle: &Bundle<'_>) -> Result<Option<String>, InferError> {
    let name = app_mode.name();
    match app_mode {
        AppMode::RmdStatic | AppMode::RmdShiny => {
            let found = document(
                bundle,
                name,
                &["rmd"],
                "index.Rmd",
                "R Markdown document (*.Rmd) at its top",
            );
            match found {
                // The index of a site may be plain Markdown.
                Err(InferError::AmbiguousEntrypoint { .. }) if is_r_markdown(None, bundle)? => {
                    Ok(Some("index.md".to_owned()))
                }
                found => found.map(Some),
            }
        }
        AppMode::QuartoStatic | AppMode::QuartoShiny => quarto_document(bundle, name),
        AppMode::JupyterStatic => document(
            bundle,
            name,
            &["ipynb"],
            "index.ipynb",
            "notebook (*.ipynb) at its top",
        )
        .map(Some),
        AppMode::JupyterVoila => Ok(match with_extension(bundle, &["ipynb"]).as_slice() {
            [only] => Some((*only).to_owned()),
            _ => None,
        }),
        AppMode::Static => document(
            bundle,
            name,
            &["html", "htm"],
            "index.html",
            "page (*.html) at its top",
        )
        .map(Some),
        AppMode::Nodejs => node(bundle).map(Some),
        AppMode::Shiny | AppMode::Api | AppMode::TensorflowSavedModel | AppMode::Script => Ok(None),
        _ => infer_python::module(bundle, name).map(Some),
    }
}

fn document(
    bundle: &Bundle<'_>,
    kind: &'static str,
    extensions: &[&str],
    usual: &'static str,
    wanted: &'static str,
) -> Result<String, InferError> {
    let files = with_extension(bundle, extensions);
    match single_or_index(&files, usual) {
        Some(file) => Ok(file.to_owned()),
        None if files.is_empty() => Err(InferError::NoEntrypoint { kind, wanted }),
        None => Err(ambiguous(&files, usual)),
    }
}

/// A project is rendered as a whole; without one there must be one document.
fn quarto_document(bundle: &Bundle<'_>, kind: &'static str) -> Result<Option<String>, InferError> {
    let project = bundle.has("_quarto.yml") || bundle.has("_quarto.yaml");
    let extensions: &[&str] = if with_extension(bundle, &["qmd"]).is_empty() {
        &["rmd", "ipynb", "r"]
    } else {
        &["qmd"]
    };
    match document(
        bundle,
        kind,
        extensions,
        "index.qmd",
        "Quarto document (*.qmd) at its top",
    ) {
        Err(InferError::AmbiguousEntrypoint { .. } | InferError::NoEntrypoint { .. }) if project => Ok(None),
        found => found.map(Some),
    }
}

fn node(bundle: &Bundle<'_>) -> Result<String, InferError> {
    let text = bundle.text("package.json")?.unwrap_or_else(|| "{}".to_owned());
    let package: Value = serde_json::from_str(&text).map_err(InferError::PackageJson)?;
    let main = package["main"].as_str().map(|file| file.trim_start_matches("./"));
    let start = package["scripts"]["start"]
        .as_str()
        .and_then(|start| start.strip_prefix("node "));
    let start = start.and_then(|words| words.split_whitespace().next());
    let usual = ["app", "index", "server", "main"].map(|stem| [format!("{stem}.js"), format!("{stem}.ts")]);
    let usual = (0..2).flat_map(|which| usual.iter().map(move |both| both[which].as_str()));
    main.into_iter()
        .chain(start)
        .chain(usual)
        .find(|file| bundle.has(file))
        .map(str::to_owned)
        .ok_or(InferError::NoEntrypoint {
            kind: "nodejs",
            wanted: "file that 'package.json' names, and no 'app.js'",
        })
}

fn any_interactive(bundle: &Bundle<'_>, files: &[&str]) -> Result<bool, InferError> {
    for file in files {
        let text = bundle.text(file)?.unwrap_or_default();
        // A header that is broken is reported where the document is used.
        if front_matter::mapping(&text).is_ok_and(|header| front_matter::is_interactive(&header)) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn with_extension<'a>(bundle: &'a Bundle<'_>, extensions: &[&str]) -> Vec<&'a str> {
    bundle
        .top_level()
        .filter(|name| extensions.contains(&extension(name).as_str()))
        .collect()
}

fn single_or_index<'a>(files: &[&'a str], index: &str) -> Option<&'a str> {
    match files {
        [only] => Some(only),
        _ => files
            .iter()
            .find(|file| file.eq_ignore_ascii_case(index))
            .copied(),
    }
}

pub(super) fn ambiguous(files: &[&str], usual: &'static str) -> InferError {
    InferError::AmbiguousEntrypoint {
        files: quoted(files.iter().copied()),
        usual,
    }
}

fn listing(bundle: &Bundle<'_>) -> String {
    let listing = quoted(bundle.top_level());
    if !listing.is_empty() {
        listing
    } else if bundle.names().next().is_some() {
        "only directories".to_owned()
    } else {
        "nothing".to_owned()
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    let more = names.len().saturating_sub(SHOWN);
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
#[path = "infer_tests.rs"]
mod tests;
