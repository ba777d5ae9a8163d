//! Entry points: which file one means, and whether the bundle has it (PK9).

use thiserror::Error;

use super::AppMode;
use super::files::{Bundle, Presence, ReadError};
use super::paths::{PathFault, extension, relative};

/// Why an entry point can not be used.
#[derive(Debug, Error)]
pub enum EntrypointError {
    /// It is no path of a bundle.
    #[error("{by} names the entry point '{entrypoint}', which {source}; name a file of the bundle")]
    Path {
        /// Who names it.
        by: &'static str,
        /// The entry point.
        entrypoint: String,
        /// What is wrong with it.
        source: PathFault,
    },
    /// It has the form of no module.
    #[error(
        "{by} names the entry point '{entrypoint}', which is not of the form 'module:object' or 'file.py'; correct it"
    )]
    Form {
        /// Who names it.
        by: &'static str,
        /// The entry point.
        entrypoint: String,
    },
    /// Its file is not in the bundle.
    #[error(
        "{by} names the entry point '{entrypoint}', but the bundle has no {wanted}; add the file or name another"
    )]
    Missing {
        /// Who names it.
        by: &'static str,
        /// The entry point.
        entrypoint: String,
        /// What was looked for.
        wanted: String,
    },
    /// It leads out of the bundle, or is no file.
    #[error("{by} names the entry point '{entrypoint}', which is {what}; name a regular file of the bundle")]
    NotAFile {
        /// Who names it.
        by: &'static str,
        /// The entry point.
        entrypoint: String,
        /// What it is.
        what: &'static str,
    },
    /// It could not be looked at.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The entry point in its normal form, if the bundle has what it names. `by` says who named it.
pub(super) fn check(
    app_mode: AppMode,
    entrypoint: &str,
    by: &'static str,
    bundle: &Bundle<'_>,
) -> Result<String, EntrypointError> {
    let is_module =
        names_module(app_mode) && extension(entrypoint) != "py" && extension(entrypoint) != "ipynb";
    if is_module {
        return module(entrypoint, by, bundle).map(|()| entrypoint.to_owned());
    }
    let path = relative(entrypoint).map_err(|source| EntrypointError::Path {
        by,
        entrypoint: entrypoint.to_owned(),
        source,
    })?;
    let what = match bundle.probe(&path)? {
        Presence::File => return Ok(path),
        Presence::Directory if app_mode == AppMode::TensorflowSavedModel => return Ok(path),
        Presence::Missing => {
            let wanted = format!("file '{path}'");
            return Err(EntrypointError::Missing {
                by,
                entrypoint: entrypoint.to_owned(),
                wanted,
            });
        }
        Presence::Directory => "a directory",
        Presence::LeadsOut => "a link that leads out of the bundle",
        Presence::Special => "a FIFO, socket or device",
    };
    Err(EntrypointError::NotAFile {
        by,
        entrypoint: entrypoint.to_owned(),
        what,
    })
}

/// Whether entry points of this kind are Python modules.
fn names_module(app_mode: AppMode) -> bool {
    matches!(
        app_mode,
        AppMode::PythonApi
            | AppMode::PythonFastapi
            | AppMode::PythonDash
            | AppMode::PythonStreamlit
            | AppMode::PythonBokeh
            | AppMode::PythonPanel
            | AppMode::PythonShiny
            | AppMode::PythonGradio
    )
}

const EXPRESS: &str = "shiny.express.app:";

fn module(entrypoint: &str, by: &'static str, bundle: &Bundle<'_>) -> Result<(), EntrypointError> {
    let owned = || entrypoint.to_owned();
    if let Some(object) = entrypoint.strip_prefix(EXPRESS) {
        let file = express_file(object).ok_or_else(|| EntrypointError::Form {
            by,
            entrypoint: owned(),
        })?;
        let file = relative(&file).map_err(|source| EntrypointError::Path {
            by,
            entrypoint: owned(),
            source,
        })?;
        return if bundle.has(&file) {
            Ok(())
        } else {
            Err(EntrypointError::Missing {
                by,
                entrypoint: owned(),
                wanted: format!("file '{file}'"),
            })
        };
    }
    let (module, object) = entrypoint.split_once(':').unwrap_or((entrypoint, "app"));
    if object.contains(':') || !module.split('.').all(is_identifier) {
        return Err(EntrypointError::Form {
            by,
            entrypoint: owned(),
        });
    }
    let path = module.replace('.', "/");
    let (file, package) = (format!("{path}.py"), format!("{path}/__init__.py"));
    // A dotted module may come from an installed package; a plain one is the publisher's own file.
    if bundle.has(&file) || bundle.has(&package) || module.contains('.') {
        return Ok(());
    }
    Err(EntrypointError::Missing {
        by,
        entrypoint: owned(),
        wanted: format!("file '{file}' or '{package}'"),
    })
}

fn is_identifier(word: &str) -> bool {
    word.starts_with(|char: char| char.is_alphabetic() || char == '_')
        && word.chars().all(|char| char.is_alphanumeric() || char == '_')
}

/// The file behind a Shiny Express object: characters that no identifier may have are written `_hex_`.
fn express_file(object: &str) -> Option<String> {
    let mut file = String::new();
    let mut rest = object;
    while let Some((before, after)) = rest.split_once('_') {
        let (code, next) = after.split_once('_')?;
        file.push_str(before);
        file.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        rest = next;
    }
    file.push_str(rest);
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::files::memory::Memory;

    fn error(app_mode: AppMode, entrypoint: &str, files: &[(&str, &str)]) -> String {
        let memory = Memory::new(files);
        match check(app_mode, entrypoint, "the job", &Bundle::new(&memory).unwrap()) {
            Ok(path) => format!("ok {path}"),
            Err(error) => error.to_string(),
        }
    }

    /// Proves: PK9 (L, P)
    #[test]
    fn every_form_of_an_entry_point_is_accepted() {
        let files = [
            ("app.py", ""),
            ("pkg/__init__.py", ""),
            ("my-app.py", ""),
            ("nb.ipynb", ""),
        ];
        for entrypoint in [
            "app",
            "app:server",
            "app.py",
            "pkg:create_app",
            "dash_app.server:app",
            "./app.py",
        ] {
            assert!(
                error(AppMode::PythonDash, entrypoint, &files).starts_with("ok "),
                "{entrypoint}"
            );
        }
        let express = "shiny.express.app:my_2d_app_2e_py";
        assert_eq!(
            error(AppMode::PythonShiny, express, &files),
            format!("ok {express}")
        );
        assert_eq!(error(AppMode::JupyterStatic, "./nb.ipynb", &files), "ok nb.ipynb");
    }

    /// Proves: PK9 (L, P)
    #[test]
    fn an_entry_point_that_is_not_there_is_refused() {
        let files = [("app.py", "")];
        for (app_mode, entrypoint, expected) in [
            (
                AppMode::PythonApi,
                "main:app",
                "no file 'main.py' or 'main/__init__.py'",
            ),
            (AppMode::PythonApi, "main.py", "no file 'main.py'"),
            (AppMode::PythonApi, "a:b:c", "not of the form"),
            (AppMode::PythonApi, "../app", "not of the form"),
            (AppMode::PythonApi, "../app.py", "has '..' in it"),
            (
                AppMode::PythonShiny,
                "shiny.express.app:other_2e_py",
                "no file 'other.py'",
            ),
            (
                AppMode::PythonShiny,
                "shiny.express.app:_2e__2e__2f_app_2e_py",
                "has '..' in it",
            ),
            (
                AppMode::RmdStatic,
                "report.Rmd",
                "the job names the entry point 'report.Rmd', but the bundle has no",
            ),
            (AppMode::RmdStatic, "/etc/passwd", "is absolute"),
        ] {
            let message = error(app_mode, entrypoint, &files);
            assert!(message.contains(expected), "{message}");
        }
    }
}
