//! The cell tagged `parameters` of a notebook, and of a Quarto document that runs Python.

use serde::Deserialize;
use serde_json::Value;

use super::literal;

/// One parameter, as its cell sets it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assigned {
    pub(super) name: String,
    /// The default as it is written.
    pub(super) code: String,
    /// The default; `None` where it is no literal.
    pub(super) value: Option<Value>,
    /// What the author says of it behind a `#` in the same line.
    pub(super) comment: Option<String>,
}

#[derive(Deserialize)]
struct Notebook {
    #[serde(default)]
    cells: Vec<Cell>,
    #[serde(default)]
    metadata: NotebookMetadata,
}

#[derive(Default, Deserialize)]
struct NotebookMetadata {
    kernelspec: Option<KernelSpec>,
}

#[derive(Deserialize)]
struct KernelSpec {
    language: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Cell {
    cell_type: String,
    #[serde(default)]
    metadata: CellMetadata,
    #[serde(default)]
    source: Source,
}

#[derive(Default, Deserialize)]
struct CellMetadata {
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Text(String),
    Lines(Vec<String>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Source {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Lines(lines) => lines.concat(),
        }
    }
}

/// What a notebook says of itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// Parameters of the first cell tagged `parameters`.
    pub(super) parameters: Option<Vec<Assigned>>,
    /// Language of its kernel: `python`, `R`, …
    pub(super) language: Option<String>,
    /// YAML of a raw first cell, where Quarto looks for its options.
    pub(super) front_matter: Option<String>,
}

/// Reads a notebook.
pub(super) fn read(bytes: &[u8]) -> Result<Facts, serde_json::Error> {
    let notebook: Notebook = serde_json::from_slice(bytes)?;
    let parameters = notebook
        .cells
        .iter()
        .find(|cell| cell.cell_type == "code" && cell.metadata.tags.iter().any(|tag| tag == "parameters"))
        .map(|cell| assignments(&cell.source.text()));
    let front_matter = notebook
        .cells
        .first()
        .filter(|cell| cell.cell_type == "raw")
        .map(|cell| cell.source.text());
    let language = notebook
        .metadata
        .kernelspec
        .and_then(|spec| spec.language.or(spec.name));
    Ok(Facts {
        parameters,
        language,
        front_matter,
    })
}

/// Parameters of the first chunk of a Quarto document with `#| tags: [parameters]`.
pub(super) fn of_chunks(document: &str) -> Option<Vec<Assigned>> {
    chunks(document)
        .into_iter()
        .find(|chunk| is_tagged(chunk))
        .map(|chunk| assignments(&chunk))
}

/// Whether the options of a chunk have the tag, which may stand alone, in brackets, or below in a list.
fn is_tagged(chunk: &str) -> bool {
    let options: Vec<&str> = chunk
        .lines()
        .map_while(|line| line.trim_start().strip_prefix("#|"))
        .collect();
    let tags = serde_yaml::from_str::<serde_yaml::Value>(&options.join("\n"));
    match tags.as_ref().ok().and_then(|options| options.get("tags")) {
        Some(serde_yaml::Value::String(tag)) => tag == "parameters",
        Some(serde_yaml::Value::Sequence(tags)) => tags.iter().any(|tag| tag.as_str() == Some("parameters")),
        _ => false,
    }
}

fn chunks(document: &str) -> Vec<String> {
    let mut chunks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in document.lines() {
        let trimmed = line.trim();
        match &mut open {
            Some((fence, _))
                if trimmed.starts_with(fence.as_str()) && trimmed.trim_matches('`').is_empty() =>
            {
                chunks.extend(open.take().map(|(_, body)| body));
            }
            Some((_, body)) => {
                body.push_str(line);
                body.push('\n');
            }
            None if trimmed.starts_with("```") => {
                let fence = trimmed.chars().take_while(|char| *char == '`').collect();
                open = Some((fence, String::new()));
            }
            None => {}
        }
    }
    chunks
}

/// Languages of the executable chunks of a document: `r`, `python`, …
pub(super) fn chunk_languages(document: &str) -> Vec<String> {
    document
        .lines()
        .filter_map(|line| {
            line.trim()
                .trim_start_matches('`')
                .strip_prefix('{')
                .filter(|_| line.trim().starts_with("```"))
        })
        .map(|rest| {
            rest.split(|char: char| !char.is_alphanumeric())
                .next()
                .unwrap_or_default()
                .to_lowercase()
        })
        .collect()
}

/// `name = value` and `name <- value` at the start of a line; a value may go on over lines inside brackets. Of a name that
/// is set twice the last value counts.
fn assignments(source: &str) -> Vec<Assigned> {
    let mut assigned: Vec<Assigned> = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let Some((name, first)) = assignment(line) else {
            continue;
        };
        let (code, comment) = split_comment(first);
        let mut code = code.to_owned();
        while open_brackets(&code) > 0 {
            let Some(next) = lines.next() else { break };
            code.push(' ');
            code.push_str(split_comment(next).0.trim());
        }
        let new = Assigned {
            name: name.to_owned(),
            value: literal::value(&code),
            code: code.trim().to_owned(),
            comment: comment
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty()),
        };
        match assigned.iter_mut().find(|known| known.name == new.name) {
            Some(known) => *known = new,
            None => assigned.push(new),
        }
    }
    assigned
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let end = line.find(|char: char| !(char.is_alphanumeric() || "_.".contains(char)))?;
    let (name, rest) = line.split_at(end);
    if !name.starts_with(|char: char| char.is_alphabetic() || char == '_') {
        return None;
    }
    let rest = rest.trim_start();
    if let Some(value) = rest.strip_prefix("<-") {
        return Some((name, value));
    }
    // A Python annotation stands between the name and `=`.
    let rest = if rest.starts_with(':') {
        &rest[rest.find('=')?..]
    } else {
        rest
    };
    let value = rest.strip_prefix('=')?;
    (!value.starts_with('=')).then_some((name, value))
}

fn split_comment(line: &str) -> (&str, Option<&str>) {
    outside_strings(line)
        .find(|(_, char)| *char == '#')
        .map_or((line, None), |(at, _)| (&line[..at], Some(&line[at + 1..])))
}

fn open_brackets(text: &str) -> i32 {
    outside_strings(text).fold(0, |depth, (_, char)| match char {
        '[' | '(' | '{' => depth + 1,
        ']' | ')' | '}' => depth - 1,
        _ => depth,
    })
}

fn outside_strings(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut escaped = false;
    text.char_indices().filter(move |(_, char)| match quote {
        Some(open) => {
            let ends = *char == open && !escaped;
            escaped = *char == '\\' && !escaped;
            if ends {
                quote = None;
            }
            false
        }
        None if matches!(char, '"' | '\'') => {
            quote = Some(*char);
            escaped = false;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Proves: PK3 (L, P)
    #[test]
    fn the_tagged_cell_declares_the_parameters() {
        let facts = read(
            br##"{"cells": [
                {"cell_type": "code", "metadata": {}, "source": "other = 1"},
                {"cell_type": "code", "metadata": {"tags": ["parameters"]},
                 "source": ["year: int = 2024  # which\n", "region = \"a # b\"\n", "codes = [1,\n", "  2]\n",
                            "start = date.today()\n", "if year == 3:\n", "    inner = 1\n", "x == 2\n", "rate <- 10L"]}],
                "metadata": {"kernelspec": {"language": "python", "name": "python3"}}, "nbformat": 4}"##,
        )
        .unwrap();
        let parameters = facts.parameters.unwrap();
        let found: Vec<_> = parameters
            .iter()
            .map(|one| (one.name.as_str(), one.value.clone(), one.comment.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                ("year", Some(json!(2024)), Some("which")),
                ("region", Some(json!("a # b")), None),
                ("codes", Some(json!([1, 2])), None),
                ("start", None, None),
                ("rate", Some(json!(10)), None),
            ]
        );
        assert_eq!(parameters[3].code, "date.today()");
        assert_eq!(facts.language.as_deref(), Some("python"));
    }

    /// Proves: PK3 (L, P)
    #[test]
    fn a_quarto_chunk_declares_parameters() {
        let document = "---\ntitle: a\n---\n\n```{python}\n#| echo: false\n#| tags: [parameters]\nalpha = 0.1\n```\n\n```{r}\nx = 1\n```\n";
        let alpha = &of_chunks(document).unwrap()[0];
        assert_eq!((alpha.name.as_str(), &alpha.value), ("alpha", &Some(json!(0.1))));
        for tags in [
            "tags: parameters",
            "tags: [a, parameters]",
            "tags:\n#|   - parameters",
        ] {
            let document = format!("```{{python}}\n#| {tags}\nalpha = 1\nalpha = 2\n```\n");
            let found = of_chunks(&document).unwrap_or_default();
            assert_eq!(found.len(), 1, "{tags}");
            assert_eq!(found[0].value, Some(json!(2)));
        }
        assert_eq!(of_chunks("```{python}\nalpha = 1\n```\n"), None);
        assert_eq!(chunk_languages(document), ["python", "r"]);
    }

    #[test]
    fn a_notebook_without_the_tag_declares_none() {
        let facts =
            read(br#"{"cells": [{"cell_type": "code", "metadata": {}, "source": ["a = 1"]}]}"#).unwrap();
        assert_eq!(facts, Facts::default());
        assert!(read(b"{\"cells\": 3}").is_err());
    }
}
