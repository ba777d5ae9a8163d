//! Python applications: which module one is, and which framework it imports.

use super::AppMode;
use super::files::Bundle;
use super::infer::{InferError, Inferred, ambiguous, inferred, with_extension};

/// Frameworks in the order in which one wins over those it is built on: Dash brings Flask, Panel brings Bokeh.
const FRAMEWORKS: &[(&str, AppMode, &[&str])] = &[
    ("dash", AppMode::PythonDash, &["flask"]),
    ("flask", AppMode::PythonApi, &[]),
    ("gradio", AppMode::PythonGradio, &["fastapi", "starlette"]),
    ("fastapi", AppMode::PythonFastapi, &["starlette"]),
    ("starlette", AppMode::PythonFastapi, &[]),
    ("panel", AppMode::PythonPanel, &["bokeh"]),
    ("bokeh", AppMode::PythonBokeh, &[]),
    ("streamlit", AppMode::PythonStreamlit, &["bokeh"]),
    ("shiny", AppMode::PythonShiny, &["starlette"]),
];

/// The applications that the bundle's module could be.
pub(super) fn applications(bundle: &Bundle<'_>) -> Result<Vec<Inferred>, InferError> {
    let Ok(module) = module(bundle, "python") else {
        return Ok(Vec::new());
    };
    let file = format!("{module}.py");
    let text = bundle.text(&file)?.unwrap_or_default();
    let imported: Vec<&str> = text.lines().flat_map(imports).collect();
    let used: Vec<_> = FRAMEWORKS
        .iter()
        .filter(|(name, ..)| imported.contains(name))
        .collect();
    Ok(used
        .iter()
        .filter(|(name, ..)| !used.iter().any(|(_, _, builds_on)| builds_on.contains(name)))
        .map(|(name, mode, _)| inferred(*mode, format!("'{file}' imports {name}")))
        .collect())
}

/// Top-level packages that a line imports.
fn imports(line: &str) -> Vec<&str> {
    let package = |name: &'_ str| name.split(['.', ' ']).next().unwrap_or_default().len();
    if let Some(rest) = line.strip_prefix("from ") {
        return vec![&rest[..package(rest)]];
    }
    let Some(rest) = line.strip_prefix("import ") else {
        return Vec::new();
    };
    rest.split(',')
        .map(str::trim)
        .map(|name| &name[..package(name)])
        .collect()
}

/// The module that the clients take for an application's: `app`, `application`, `main`, `api`, else the only one.
pub(super) fn module(bundle: &Bundle<'_>, kind: &'static str) -> Result<String, InferError> {
    let files = with_extension(bundle, &["py"]);
    let usual = ["app.py", "application.py", "main.py", "api.py"]
        .into_iter()
        .find(|name| bundle.has(name));
    let file = match (usual, files.as_slice()) {
        (Some(file), _) => file,
        (None, [only]) => only,
        (None, []) => {
            return Err(InferError::NoEntrypoint {
                kind,
                wanted: "Python module at its top",
            });
        }
        (None, _) => return Err(ambiguous(&files, "app.py")),
    };
    Ok(file.strip_suffix(".py").unwrap_or(file).to_owned())
}
