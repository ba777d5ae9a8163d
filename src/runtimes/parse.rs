//! Reads `runtimes.yaml`: the map form, the list form, or what the products' API exports (EX4).
//!
//! Several entries may share one image, as an image with two titles; two entries of one image and one title
//! are a mistake. `4.1` and `4.1.0` are one version, so declaring both is a mistake as well.

use std::collections::BTreeMap;

use super::{
    Installation, LanguageName, Runtime, Runtimes,
    schema::{Document, Entry, Language},
};
use crate::yaml::YamlFault;

/// Why a `runtimes.yaml` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimesError {
    /// It is not what the format says.
    #[error(transparent)]
    Format(#[from] YamlFault),
    /// It has no content.
    #[error("{file}: the file is empty; list the images in it, or write 'images: []' for none")]
    Empty {
        /// The file.
        file: String,
    },
    /// It holds several YAML documents.
    #[error("{file}: the file has more than one YAML document; keep one, without '---' between entries")]
    SeveralDocuments {
        /// The file.
        file: String,
    },
    /// Two entries can not be told apart.
    #[error(
        "{file}: image '{name}' is listed twice with the same title, as entry {first} and entry {second}; merge them or give each its own title"
    )]
    Twice {
        /// The file.
        file: String,
        /// The image.
        name: String,
        /// Place of the first, from 1.
        first: usize,
        /// Place of the second, from 1.
        second: usize,
    },
}

/// Reads the text of a file; `file` is only for messages.
///
/// # Errors
/// [`RuntimesError`], which names the file and, where there is one, the place.
pub fn parse(text: &str, file: &str) -> Result<Runtimes, RuntimesError> {
    let empty = || RuntimesError::Empty {
        file: file.to_owned(),
    };
    if text.lines().all(is_blank) {
        return Err(empty());
    }
    let entries = match serde_yaml::from_str(text) {
        Ok(Document::Entries(entries)) => entries,
        Ok(Document::Empty) => return Err(empty()),
        Err(error) => return Err(format_error(&error, file)),
    };
    refuse_twins(&entries, file)?;
    Ok(Runtimes {
        runtimes: entries.into_iter().map(runtime).collect(),
    })
}

/// Whether a line is blank, a comment or the start of a document.
fn is_blank(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim();
    line.is_empty() || line.starts_with('#') || line == "---"
}

fn format_error(error: &serde_yaml::Error, file: &str) -> RuntimesError {
    if error.to_string().contains("more than one document") {
        return RuntimesError::SeveralDocuments {
            file: file.to_owned(),
        };
    }
    YamlFault::of(error, file).into()
}

fn refuse_twins(entries: &[Entry], file: &str) -> Result<(), RuntimesError> {
    let mut seen = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        let title = entry.title.as_ref().map(|title| title.written.as_str());
        if let Some(first) = seen.insert((entry.name.written.as_str(), title), place) {
            return Err(RuntimesError::Twice {
                file: file.to_owned(),
                name: entry.name.written.clone(),
                first: first + 1,
                second: place + 1,
            });
        }
    }
    Ok(())
}

fn runtime(entry: Entry) -> Runtime {
    let languages = [
        (LanguageName::R, entry.r),
        (LanguageName::Python, entry.python),
        (LanguageName::Quarto, entry.quarto),
        (LanguageName::Nodejs, entry.nodejs),
        (LanguageName::Tensorflow, entry.tensorflow),
    ];
    Runtime {
        name: entry.name.written,
        title: entry.title.map(|title| title.written),
        description: entry.description.map(|description| description.written),
        matching: entry.matching.unwrap_or_default(),
        supervisor: entry.supervisor.map(|line| line.value).unwrap_or_default(),
        installations: languages
            .into_iter()
            .filter_map(|(name, language)| Some((name, installations(language?)?)))
            .collect(),
        volume_mounts: entry.volume_mounts,
    }
}

/// The installations of one language, or nothing where the list is empty.
fn installations(language: Language) -> Option<Vec<Installation>> {
    let declared = language.installations.into_iter().map(|declared| Installation {
        version: declared.version.written,
        path: declared.path.written,
    });
    Some(declared.collect::<Vec<_>>()).filter(|found| !found.is_empty())
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
