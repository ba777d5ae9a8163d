//! Python requirements of a bundle, normalised: the input of the environment's key (PK2).

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::files::{Bundle, Presence, ReadError};
use super::paths::{PathFault, beside, extension, relative};
use super::{PythonFormat, PythonRequirements};

/// Why the requirements of a bundle can not be used.
#[derive(Debug, Error)]
pub enum PythonError {
    /// The file that the manifest, or another file, names is not there.
    #[error("{by} names the requirements file '{path}', which is not in the bundle; add the file")]
    Missing {
        /// Who names it.
        by: String,
        /// The file.
        path: String,
    },
    /// A named path can not be one of the bundle.
    #[error("{by} names '{path}', which {source}; name only paths inside the bundle")]
    Path {
        /// Who names it.
        by: String,
        /// The path.
        path: String,
        /// What is wrong with it.
        source: PathFault,
    },
    /// A named path leads out of the bundle.
    #[error("{by} names '{path}', which leads out of the bundle; put the file itself into the bundle")]
    LeadsOut {
        /// Who names it.
        by: String,
        /// The path.
        path: String,
    },
    /// Requirements files include each other.
    #[error("'{path}' includes itself through '-r'; remove one of the includes")]
    Circular {
        /// The file.
        path: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The requirements in `named` (of the manifest), else in the first usual file there is.
pub(super) fn requirements(
    bundle: &Bundle<'_>,
    named: Option<&str>,
    allow_uv: bool,
) -> Result<Option<PythonRequirements>, PythonError> {
    let Some((file, by)) = find(bundle, named)? else {
        return Ok(None);
    };
    let (format, lines) = match extension(&file).as_str() {
        "toml" => (PythonFormat::Pyproject, plain_lines(&text(bundle, &file, &by)?)),
        "lock" => (PythonFormat::UvLock, plain_lines(&text(bundle, &file, &by)?)),
        _ => {
            let mut reader = Reader {
                bundle,
                lines: Vec::new(),
                open: Vec::new(),
            };
            reader.include(&file, &by)?;
            (PythonFormat::Requirements, reader.lines)
        }
    };
    Ok(Some(PythonRequirements {
        file,
        format,
        lines,
        allow_uv,
    }))
}

fn find(bundle: &Bundle<'_>, named: Option<&str>) -> Result<Option<(String, String)>, PythonError> {
    let by = "manifest.json".to_owned();
    if let Some(path) = named {
        let file = relative(path).map_err(|source| PythonError::Path {
            by: by.clone(),
            path: path.to_owned(),
            source,
        })?;
        return Ok(Some((file, by)));
    }
    let usual = if bundle.has("requirements.txt") {
        Some("requirements.txt")
    } else if bundle.has("pyproject.toml") && bundle.has("uv.lock") {
        Some("uv.lock")
    } else if bundle
        .text("pyproject.toml")?
        .is_some_and(|text| has_project(&text))
    {
        Some("pyproject.toml")
    } else {
        None
    };
    Ok(usual.map(|file| (file.to_owned(), by)))
}

/// A `pyproject.toml` that only configures tools names no requirements.
fn has_project(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "[project]")
}

fn text(bundle: &Bundle<'_>, file: &str, by: &str) -> Result<String, PythonError> {
    if bundle.probe(file)? == Presence::LeadsOut {
        return Err(PythonError::LeadsOut {
            by: by.to_owned(),
            path: file.to_owned(),
        });
    }
    bundle.text(file)?.ok_or_else(|| PythonError::Missing {
        by: by.to_owned(),
        path: file.to_owned(),
    })
}

fn plain_lines(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.trim_start().starts_with('#'))
        .map(str::to_owned)
        .collect()
}

struct Reader<'a> {
    bundle: &'a Bundle<'a>,
    lines: Vec<String>,
    open: Vec<String>,
}

impl Reader<'_> {
    fn include(&mut self, file: &str, by: &str) -> Result<(), PythonError> {
        if self.open.iter().any(|open| open == file) {
            return Err(PythonError::Circular {
                path: file.to_owned(),
            });
        }
        let text = text(self.bundle, file, by)?;
        self.open.push(file.to_owned());
        for line in logical_lines(&text) {
            self.line(&line, file)?;
        }
        self.open.pop();
        Ok(())
    }

    fn line(&mut self, line: &str, file: &str) -> Result<(), PythonError> {
        if let Some(path) = option(line, &["-r", "--requirement"]) {
            let path = self.inside(path, file)?;
            return self.include(&path, &format!("'{file}'"));
        }
        if let Some(path) = option(line, &["-c", "--constraint"]) {
            return self.constraint(path, file);
        }
        self.lines.push(line.to_owned());
        match local_path(line) {
            Some(path) => self.local(path, file),
            None => Ok(()),
        }
    }

    /// The installer reads the constraint file itself; its lines follow as comments, which installers skip, so that
    /// they are part of the environment's key.
    fn constraint(&mut self, path: &str, file: &str) -> Result<(), PythonError> {
        if path.contains("://") {
            self.lines.push(format!("-c {path}"));
            return Ok(());
        }
        let path = self.inside(path, file)?;
        let text = text(self.bundle, &path, &format!("'{file}'"))?;
        self.lines.push(format!("-c {path}"));
        self.lines.extend(
            logical_lines(&text)
                .into_iter()
                .map(|line| format!("# {path}: {line}")),
        );
        Ok(())
    }

    /// Two bundles may name a local package alike and mean different ones: its content must be part of the key, or
    /// one publisher's package would be installed for another's content.
    fn local(&mut self, path: &str, file: &str) -> Result<(), PythonError> {
        let path = match relative(path) {
            Err(PathFault::Empty) => String::new(),
            Ok(path) => path,
            Err(source) => return Err(path_error(path, file, source)),
        };
        let below = format!("{path}/");
        let inside: Vec<&str> = self
            .bundle
            .names()
            .filter(|name| path.is_empty() || *name == path || name.starts_with(&below))
            .collect();
        if inside.is_empty() {
            return Err(PythonError::Missing {
                by: format!("'{file}'"),
                path,
            });
        }
        let mut digest = Sha256::new();
        for name in inside {
            let content = self.bundle.bytes(name)?.unwrap_or_default();
            digest.update(format!("{}:{name}{}:", name.len(), content.len()));
            digest.update(content);
        }
        let hex: String = digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.lines.push(format!(
            "# {}: sha256:{hex}",
            if path.is_empty() { "." } else { &path }
        ));
        Ok(())
    }

    /// Paths after `-r` and `-c` count from the file that names them.
    fn inside(&self, path: &str, file: &str) -> Result<String, PythonError> {
        relative(path)
            .map(|path| beside(file, &path))
            .map_err(|source| path_error(path, file, source))
    }
}

fn path_error(path: &str, file: &str, source: PathFault) -> PythonError {
    PythonError::Path {
        by: format!("'{file}'"),
        path: path.to_owned(),
        source,
    }
}

/// Lines without comments and blank ones, continued lines joined.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let line = line.trim_end();
        let is_comment = line.trim_start().starts_with('#');
        match line.strip_suffix('\\') {
            Some(start) if !is_comment => open.push_str(start),
            _ => {
                open.push_str(line);
                push_line(&mut lines, &std::mem::take(&mut open));
            }
        }
    }
    push_line(&mut lines, &open);
    lines
}

fn push_line(lines: &mut Vec<String>, line: &str) {
    let end = line
        .char_indices()
        .find(|(at, char)| *char == '#' && line[..*at].chars().next_back().is_none_or(char::is_whitespace))
        .map_or(line.len(), |(at, _)| at);
    let words: Vec<&str> = line[..end].split_whitespace().collect();
    if !words.is_empty() {
        lines.push(words.join(" "));
    }
}

/// The value of an option in one of its spellings: `-r x`, `-rx`, `--requirement x`, `--requirement=x`.
fn option<'a>(line: &'a str, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('=') {
            Some(value) if name.starts_with("--") => value,
            _ if name.starts_with("--") => rest.strip_prefix(' ')?,
            _ => rest,
        };
        Some(value.trim())
    })
}

/// The path of a requirement that is part of the bundle: `./x.whl`, `-e .`, `name @ file:x`.
fn local_path(line: &str) -> Option<&str> {
    let target = option(line, &["-e", "--editable"]).unwrap_or(line);
    let target = target
        .split_once(" @ ")
        .map_or(target, |(_, address)| address.trim());
    let target = target.split([';', ' ']).next().unwrap_or_default();
    if target.contains("://") || target.starts_with('-') {
        return None;
    }
    let path = target.strip_prefix("file:").unwrap_or(target);
    let path = path.split('[').next().unwrap_or_default();
    let is_local = path.starts_with('.')
        || path.contains('/')
        || [".whl", ".zip", ".tar.gz"].iter().any(|end| path.ends_with(end));
    is_local.then_some(path)
}

#[cfg(test)]
#[path = "python_tests.rs"]
mod tests;
