//! Sites: whether a bundle is one, and where its pages are written (PK4, ST2, ST3).

use serde_yaml::{Mapping, Value};
use thiserror::Error;

use super::files::{Bundle, ReadError};
use super::paths::{PathFault, relative};
use super::{AppMode, front_matter};

/// Why a site's configuration can not be used.
#[derive(Debug, Error)]
pub enum SiteError {
    /// It is no YAML mapping.
    #[error("'{file}' is not a site's configuration: {cause}; correct the file")]
    Yaml {
        /// Its path in the bundle.
        file: String,
        /// Cause, with its place.
        cause: String,
    },
    /// The output directory is not inside the bundle.
    #[error(
        "'{file}' names the output directory '{path}', which {source}; name a directory inside the bundle"
    )]
    OutputDir {
        /// Its path in the bundle.
        file: String,
        /// The directory.
        path: String,
        /// What is wrong with it.
        source: PathFault,
    },
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What a site's configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Directory of the rendered pages, relative; `.` renders in place.
    pub(super) output_dir: String,
}

/// The site that a bundle is, if it is one. `category` is the manifest's `content_category`; where a manifest names
/// one, it decides.
pub(super) fn detect(
    app_mode: AppMode,
    category: Option<&str>,
    entrypoint: Option<&str>,
    bundle: &Bundle<'_>,
) -> Result<Option<Site>, SiteError> {
    match (app_mode, category) {
        (AppMode::RmdStatic, Some("site")) => r_markdown(bundle).map(Some),
        (AppMode::RmdStatic, None) if is_r_markdown(entrypoint, bundle)? => r_markdown(bundle).map(Some),
        (AppMode::QuartoStatic, Some("site")) => {
            let in_place = || Site {
                output_dir: ".".to_owned(),
            };
            Ok(Some(quarto(bundle)?.map_or_else(in_place, |(_, site)| site)))
        }
        (AppMode::QuartoStatic, None) => Ok(quarto(bundle)?
            .filter(|(is_site, _)| *is_site)
            .map(|(_, site)| site)),
        _ => Ok(None),
    }
}

/// Whether R Markdown itself takes the directory for a site: a site file beside `index.Rmd`, or a `site:` field in it.
pub(super) fn is_r_markdown(entrypoint: Option<&str>, bundle: &Bundle<'_>) -> Result<bool, SiteError> {
    let Some(index) = index(bundle) else {
        return Ok(false);
    };
    if entrypoint.is_some_and(|entrypoint| entrypoint != index) {
        return Ok(false);
    }
    Ok(first(bundle, SITE_FILES).is_some() || generator(index, bundle)?.is_some())
}

const SITE_FILES: &[&str] = &["_site.yml", "_site.yaml"];
const QUARTO_FILES: &[&str] = &["_quarto.yml", "_quarto.yaml"];

fn index<'a>(bundle: &'a Bundle<'_>) -> Option<&'a str> {
    bundle
        .top_level_ignoring_case("index.Rmd")
        .or_else(|| bundle.top_level_ignoring_case("index.md"))
}

fn first(bundle: &Bundle<'_>, names: &[&'static str]) -> Option<&'static str> {
    names.iter().copied().find(|name| bundle.has(name))
}

/// The `site:` field of the index: `bookdown::bookdown_site`, `blogdown:::blogdown_site`, …
fn generator(index: &str, bundle: &Bundle<'_>) -> Result<Option<String>, SiteError> {
    let text = bundle.text(index)?.unwrap_or_default();
    let header = front_matter::mapping(&text).map_err(|cause| SiteError::Yaml {
        file: index.to_owned(),
        cause,
    })?;
    Ok(header.get("site").and_then(Value::as_str).map(str::to_owned))
}

fn r_markdown(bundle: &Bundle<'_>) -> Result<Site, SiteError> {
    let generator = match index(bundle) {
        Some(index) => generator(index, bundle)?.unwrap_or_default(),
        None => String::new(),
    };
    if generator.contains("bookdown") || (generator.is_empty() && bundle.has("_bookdown.yml")) {
        return configured(bundle, &["_bookdown.yml"], "_book");
    }
    if generator.contains("blogdown") {
        return Ok(Site {
            output_dir: "public".to_owned(),
        });
    }
    configured(bundle, SITE_FILES, "_site")
}

fn configured(bundle: &Bundle<'_>, files: &[&'static str], default: &str) -> Result<Site, SiteError> {
    let Some(file) = first(bundle, files) else {
        return Ok(Site {
            output_dir: default.to_owned(),
        });
    };
    let config = read(file, bundle)?;
    output_dir(file, config.get("output_dir"), default)
}

/// A Quarto project, and whether its type makes it a site.
fn quarto(bundle: &Bundle<'_>) -> Result<Option<(bool, Site)>, SiteError> {
    let Some(file) = first(bundle, QUARTO_FILES) else {
        return Ok(None);
    };
    let config = read(file, bundle)?;
    let project = config.get("project");
    // `project: website` is the short form of `project: {type: website}`.
    let kind = project
        .and_then(|project| {
            project
                .as_str()
                .or_else(|| project.get("type").and_then(Value::as_str))
        })
        .unwrap_or("default");
    let default = match kind {
        "default" => ".",
        "book" => "_book",
        "manuscript" => "_manuscript",
        _ => "_site",
    };
    let given = project.and_then(|project| project.get("output-dir"));
    Ok(Some((kind != "default", output_dir(file, given, default)?)))
}

fn read(file: &str, bundle: &Bundle<'_>) -> Result<Mapping, SiteError> {
    let text = bundle.text(file)?.unwrap_or_default();
    front_matter::parse(&text).map_err(|cause| SiteError::Yaml {
        file: file.to_owned(),
        cause,
    })
}

fn output_dir(file: &str, given: Option<&Value>, default: &str) -> Result<Site, SiteError> {
    let path = match given {
        None | Some(Value::Null) => default,
        Some(Value::String(path)) => path.as_str(),
        Some(_) => {
            let cause = "the output directory must be text".to_owned();
            return Err(SiteError::Yaml {
                file: file.to_owned(),
                cause,
            });
        }
    };
    let output_dir = match relative(path) {
        Ok(path) => path,
        Err(PathFault::Empty) => ".".to_owned(),
        Err(source) => {
            return Err(SiteError::OutputDir {
                file: file.to_owned(),
                path: path.to_owned(),
                source,
            });
        }
    };
    Ok(Site { output_dir })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::files::memory::Memory;

    fn output(app_mode: AppMode, category: Option<&str>, files: &[(&str, &str)]) -> Option<String> {
        detect(
            app_mode,
            category,
            None,
            &Bundle::new(&Memory::new(files)).unwrap(),
        )
        .unwrap()
        .map(|site| site.output_dir)
    }

    /// Proves: ST2 (L, P)
    #[test]
    fn an_r_markdown_site_names_its_output_directory() {
        let site = |config| {
            output(
                AppMode::RmdStatic,
                None,
                &[("_site.yml", config), ("index.Rmd", "")],
            )
        };
        assert_eq!(site("name: x").as_deref(), Some("_site"));
        assert_eq!(site("output_dir: ./build/pages/").as_deref(), Some("build/pages"));
        assert_eq!(output(AppMode::RmdStatic, None, &[("index.Rmd", "")]), None);
        assert_eq!(
            output(AppMode::RmdStatic, Some("site"), &[("index.Rmd", "")]).as_deref(),
            Some("_site")
        );
        assert_eq!(
            output(
                AppMode::RmdStatic,
                Some("plot"),
                &[("_site.yml", ""), ("index.Rmd", "")]
            ),
            None
        );
        let book = [
            ("_bookdown.yml", "output_dir: docs"),
            ("index.Rmd", "---\nsite: bookdown::bookdown_site\n---\n"),
        ];
        assert_eq!(output(AppMode::RmdStatic, None, &book).as_deref(), Some("docs"));
        assert_eq!(
            output(AppMode::RmdStatic, None, &book[1..]).as_deref(),
            Some("_book")
        );
    }

    /// Proves: ST3 (L, P)
    #[test]
    fn a_site_may_be_rendered_in_place() {
        let site = |dir| {
            output(
                AppMode::RmdStatic,
                None,
                &[("_site.yaml", dir), ("index.Rmd", "")],
            )
        };
        assert_eq!(site("output_dir: .").as_deref(), Some("."));
        assert_eq!(site("output_dir: ./").as_deref(), Some("."));
        assert_eq!(
            output(
                AppMode::QuartoStatic,
                Some("site"),
                &[("a.qmd", ""), ("b.qmd", "")]
            )
            .as_deref(),
            Some(".")
        );
    }

    /// Proves: PK4 (L, P)
    #[test]
    fn a_quarto_project_is_a_site_by_its_type() {
        let project = |config| {
            output(
                AppMode::QuartoStatic,
                None,
                &[("_quarto.yml", config), ("index.qmd", "")],
            )
        };
        assert_eq!(project("project:\n  type: website\n").as_deref(), Some("_site"));
        assert_eq!(project("project: {type: book}").as_deref(), Some("_book"));
        assert_eq!(
            project("project: {type: website, output-dir: docs}").as_deref(),
            Some("docs")
        );
        assert_eq!(project("project: website").as_deref(), Some("_site"));
        assert_eq!(project("project: {type: default}"), None);
        assert_eq!(project(""), None);
    }

    /// Proves: ST2 (L, P)
    #[test]
    fn an_output_directory_outside_is_refused() {
        for (config, expected) in [
            ("output_dir: ../docs", "has '..' in it"),
            ("output_dir: /srv/www", "is absolute"),
            ("output_dir: [a]", "must be text"),
            ("output_dir: {", "not a site's configuration"),
        ] {
            let bundle = Memory::new(&[("_site.yml", config), ("index.Rmd", "")]);
            let error = detect(AppMode::RmdStatic, None, None, &Bundle::new(&bundle).unwrap()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
