//! The YAML block at the head of an R Markdown or Quarto document, and YAML project files.

use serde_yaml::{Mapping, Value};

/// The YAML text between `---` and `---` (or `...`) at the head of a document.
pub(super) fn block(document: &str) -> Option<&str> {
    // R Markdown lets blank lines stand before the block.
    let start = document.len() - document.trim_start().len();
    let rest = &document[start..];
    let first = rest.lines().next()?;
    if first.trim_end() != "---" {
        return None;
    }
    let body = rest[first.len()..]
        .strip_prefix("\r\n")
        .or_else(|| rest[first.len()..].strip_prefix('\n'))?;
    let mut length = 0;
    for line in body.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return Some(&body[..length]);
        }
        length += line.len();
    }
    None
}

/// The block as a mapping, empty where the document has none.
pub(super) fn mapping(document: &str) -> Result<Mapping, String> {
    block(document).map_or_else(|| Ok(Mapping::new()), parse)
}

/// A YAML file or block as a mapping.
pub(super) fn parse(text: &str) -> Result<Mapping, String> {
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Mapping(mapping)) => Ok(mapping),
        Ok(Value::Null) => Ok(Mapping::new()),
        Ok(_) => Err("it is no mapping of keys to values".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether the document runs as an application: `runtime: shiny…`, `server: shiny`, or `server: {type: shiny}`.
pub(super) fn is_interactive(front: &Mapping) -> bool {
    let shiny = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("shiny"));
    let server = front.get("server");
    front.get("runtime").is_some_and(shiny)
        || server.is_some_and(shiny)
        || server.and_then(|server| server.get("type")).is_some_and(shiny)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK3 (L, P)
    #[test]
    fn the_block_is_found_and_nothing_else() {
        assert_eq!(block("---\na: 1\n---\ntext"), Some("a: 1\n"));
        assert_eq!(block("\n---\r\na: 1\r\n...\r\n"), Some("a: 1\r\n"));
        assert_eq!(block("---\na: 1\n"), None);
        assert_eq!(block("text\n---\na: 1\n---\n"), None);
        assert_eq!(block("----\n---\n"), None);
        assert_eq!(block(""), None);
        assert_eq!(block("---"), None);
    }

    /// Proves: PK9 (L, P)
    #[test]
    fn interactive_documents_are_recognised() {
        for text in [
            "runtime: shiny",
            "runtime: shinyrmd",
            "server: shiny",
            "server: {type: shiny}",
        ] {
            assert!(is_interactive(&parse(text).unwrap()), "{text}");
        }
        assert!(!is_interactive(&parse("runtime: static").unwrap()));
    }
}
