//! Parameters of a report: what it declares, and whether those a job gives fit (PK3).

use std::collections::BTreeMap;

use serde_json::Value;
use serde_yaml::{Mapping, Value as Yaml};
use thiserror::Error;

use super::files::{Bundle, ReadError};
use super::notebook::{self, Declared};
use super::paths::extension;
use super::yaml::{Tags, to_json};
use super::{AppMode, BundleFacts, front_matter};
use crate::api::job::Parameter;
use crate::text::suggestion;

/// Why the declared parameters of a report could not be read.
#[derive(Debug, Error)]
pub enum DeclarationError {
    /// The report's front matter is no YAML, or its `params` have no names.
    #[error("'{path}': cannot read the YAML header: {cause}; correct the header")]
    FrontMatter {
        /// Path in the bundle.
        path: String,
        /// Cause, with its line in the header.
        cause: String,
    },
    /// The notebook is no notebook.
    #[error("'{path}' is not a notebook: {source}; save it again with Jupyter")]
    Notebook {
        /// Path in the bundle.
        path: String,
        /// Cause, with line and column.
        source: serde_json::Error,
    },
    /// The report could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a parameter of a job can not be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// The report declares no parameters at all.
    #[error(
        "the report declares no parameters, so '{name}' cannot be set; declare it in the report or leave it out"
    )]
    NoneDeclared {
        /// Name given.
        name: String,
    },
    /// The report has no parameter of this name.
    #[error("the report, whose parameters are {known}, has none named '{name}'{suggestion}")]
    Unknown {
        /// Name given.
        name: String,
        /// Closest name, as the end of a clause.
        suggestion: String,
        /// All names.
        known: String,
    },
    /// One name is given twice.
    #[error("parameter '{name}' is given twice; give it once")]
    Twice {
        /// Name given.
        name: String,
    },
    /// The value is no YAML, or has a tag.
    #[error(
        "parameter '{name}' has the value '{value}', which is not YAML: {cause}; put the value in quotes to give it as text"
    )]
    Value {
        /// Name given.
        name: String,
        /// Value given.
        value: String,
        /// Cause.
        cause: String,
    },
}

/// The parameters that a report declares; `None` where it declares none.
pub(super) fn declared(
    app_mode: AppMode,
    entrypoint: Option<&str>,
    bundle: &Bundle<'_>,
) -> Result<Option<Declared>, DeclarationError> {
    let reads_header = matches!(
        app_mode,
        AppMode::RmdStatic | AppMode::RmdShiny | AppMode::QuartoStatic | AppMode::QuartoShiny
    );
    let Some(path) = entrypoint else { return Ok(None) };
    let mut declared = match (extension(path).as_str(), app_mode) {
        ("ipynb", _) => notebook_parameters(path, bundle)?,
        (_, AppMode::QuartoStatic | AppMode::QuartoShiny) => {
            let text = bundle.text(path)?.unwrap_or_default();
            merge(header_parameters(path, &text)?, notebook::of_chunks(&text))
        }
        _ if reads_header => header_parameters(path, &bundle.text(path)?.unwrap_or_default())?,
        _ => None,
    };
    if matches!(app_mode, AppMode::QuartoStatic | AppMode::QuartoShiny) {
        for project in ["_quarto.yml", "_quarto.yaml"] {
            if let Some(text) = bundle.text(project)? {
                let of_project = front_matter::parse(&text)
                    .and_then(|mapping| of_mapping(&mapping))
                    .map_err(|cause| DeclarationError::FrontMatter {
                        path: project.to_owned(),
                        cause,
                    })?;
                declared = merge(of_project, declared);
            }
        }
    }
    Ok(declared.filter(|declared| !declared.is_empty()))
}

fn notebook_parameters(path: &str, bundle: &Bundle<'_>) -> Result<Option<Declared>, DeclarationError> {
    let bytes = bundle.bytes(path)?.unwrap_or_default();
    notebook::read(&bytes)
        .map(|facts| facts.parameters)
        .map_err(|source| DeclarationError::Notebook {
            path: path.to_owned(),
            source,
        })
}

fn header_parameters(path: &str, document: &str) -> Result<Option<Declared>, DeclarationError> {
    front_matter::mapping(document)
        .and_then(|header| of_mapping(&header))
        .map_err(|cause| DeclarationError::FrontMatter {
            path: path.to_owned(),
            cause,
        })
}

fn merge(first: Option<Declared>, second: Option<Declared>) -> Option<Declared> {
    match (first, second) {
        (Some(mut first), Some(second)) => {
            first.extend(second);
            Some(first)
        }
        (one, other) => one.or(other),
    }
}

fn of_mapping(header: &Mapping) -> Result<Option<Declared>, String> {
    match header.get("params") {
        None | Some(Yaml::Null) => Ok(None),
        Some(Yaml::Mapping(params)) => params
            .iter()
            .map(|(name, value)| {
                let name = name.as_str().ok_or("a parameter's name must be text")?;
                Ok((name.to_owned(), to_json(default_of(value).clone(), Tags::Null)?))
            })
            .collect::<Result<_, String>>()
            .map(Some),
        Some(_) => Err("'params' must be a mapping of names to values".to_owned()),
    }
}

/// The long form `{label, input, value, choices}` has its default in `value`.
fn default_of(value: &Yaml) -> &Yaml {
    value
        .as_mapping()
        .and_then(|form| form.get("value"))
        .unwrap_or(value)
}

/// Reads the parameters that a job gives: names must be those of the report, values are YAML.
///
/// # Errors
/// [`ParameterError`], for the first that does not fit.
pub fn check_parameters(
    facts: &BundleFacts,
    given: &[Parameter],
) -> Result<BTreeMap<String, Value>, ParameterError> {
    let mut values = BTreeMap::new();
    for parameter in given {
        let name = parameter.name.clone();
        let Some(declared) = &facts.parameters else {
            return Err(ParameterError::NoneDeclared { name });
        };
        if !declared.contains_key(&name) {
            let names = || declared.keys().map(String::as_str);
            let known = names()
                .map(|name| format!("'{name}'"))
                .collect::<Vec<_>>()
                .join(", ");
            let suggestion = suggestion(&name, names());
            return Err(ParameterError::Unknown {
                name,
                suggestion,
                known,
            });
        }
        let value = read_value(parameter)?;
        if values.insert(name.clone(), value).is_some() {
            return Err(ParameterError::Twice { name });
        }
    }
    Ok(values)
}

fn read_value(parameter: &Parameter) -> Result<Value, ParameterError> {
    serde_yaml::from_str::<Yaml>(&parameter.value)
        .map_err(|error| error.to_string())
        .and_then(|value| to_json(value, Tags::Refuse))
        .map_err(|cause| ParameterError::Value {
            name: parameter.name.clone(),
            value: parameter.value.clone(),
            cause: cause.replace('\n', " "),
        })
}

#[cfg(test)]
#[path = "params_tests.rs"]
mod tests;
