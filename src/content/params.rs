//! Parameters of a report: what it declares, and whether those a job gives fit (PK3).

use std::collections::BTreeMap;

use serde_json::Value;
use serde_yaml::{Mapping, Value as Yaml};
use thiserror::Error;

use super::files::{Bundle, ReadError};
use super::notebook::{self, Assigned};
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

/// Where a report declares parameters.
#[derive(Debug)]
pub(super) enum Declaration {
    /// `params` of a YAML header or project.
    Header(Mapping),
    /// A cell or chunk tagged `parameters`.
    Cell(Vec<Assigned>),
}

/// The parameters that a report declares, with their defaults; `None` where it declares none.
pub(super) fn declared(
    app_mode: AppMode,
    entrypoint: Option<&str>,
    bundle: &Bundle<'_>,
) -> Result<Option<BTreeMap<String, Value>>, DeclarationError> {
    let mut declared = BTreeMap::new();
    for (path, declaration) in declarations(app_mode, entrypoint, bundle)? {
        match declaration {
            Declaration::Cell(assigned) => {
                let values = assigned.into_iter();
                declared.extend(values.map(|one| (one.name, one.value.unwrap_or(Value::Null))));
            }
            Declaration::Header(params) => {
                let values = defaults(&params).map_err(|cause| header_error(&path, cause))?;
                declared.extend(values);
            }
        }
    }
    Ok(Some(declared).filter(|declared| !declared.is_empty()))
}

/// All places where a report declares parameters, each with its file. What a later one says of a name counts.
pub(super) fn declarations(
    app_mode: AppMode,
    entrypoint: Option<&str>,
    bundle: &Bundle<'_>,
) -> Result<Vec<(String, Declaration)>, DeclarationError> {
    let is_quarto = matches!(app_mode, AppMode::QuartoStatic | AppMode::QuartoShiny);
    let reads_header = is_quarto || matches!(app_mode, AppMode::RmdStatic | AppMode::RmdShiny);
    let Some(path) = entrypoint else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    if is_quarto {
        for project in ["_quarto.yml", "_quarto.yaml"] {
            if let Some(text) = bundle.text(project)? {
                let header = front_matter::parse(&text).and_then(params_of);
                let params = header.map_err(|cause| header_error(project, cause))?;
                found.extend(params.map(|params| (project.to_owned(), Declaration::Header(params))));
            }
        }
    }
    let own = |declaration| (path.to_owned(), declaration);
    if extension(path) == "ipynb" {
        found.extend(notebook_parameters(path, bundle)?.map(Declaration::Cell).map(own));
    } else if reads_header {
        let text = bundle.text(path)?.unwrap_or_default();
        let params = front_matter::mapping(&text).and_then(params_of);
        let params = params.map_err(|cause| header_error(path, cause))?;
        found.extend(params.map(Declaration::Header).map(own));
        let chunk = is_quarto.then(|| notebook::of_chunks(&text)).flatten();
        found.extend(chunk.map(Declaration::Cell).map(own));
    }
    Ok(found)
}

fn header_error(path: &str, cause: String) -> DeclarationError {
    DeclarationError::FrontMatter {
        path: path.to_owned(),
        cause,
    }
}

fn notebook_parameters(path: &str, bundle: &Bundle<'_>) -> Result<Option<Vec<Assigned>>, DeclarationError> {
    let bytes = bundle.bytes(path)?.unwrap_or_default();
    notebook::read(&bytes)
        .map(|facts| facts.parameters)
        .map_err(|source| DeclarationError::Notebook {
            path: path.to_owned(),
            source,
        })
}

fn params_of(mut header: Mapping) -> Result<Option<Mapping>, String> {
    match header.remove("params") {
        None | Some(Yaml::Null) => Ok(None),
        Some(Yaml::Mapping(params)) => Ok(Some(params)),
        Some(_) => Err("'params' must be a mapping of names to values".to_owned()),
    }
}

fn defaults(params: &Mapping) -> Result<BTreeMap<String, Value>, String> {
    params
        .iter()
        .map(|(name, value)| {
            let name = name.as_str().ok_or("a parameter's name must be text")?;
            Ok((name.to_owned(), to_json(default_of(value).clone(), Tags::Null)?))
        })
        .collect()
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
