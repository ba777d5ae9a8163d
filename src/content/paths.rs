//! Which paths a bundle may name: relative ones that stay inside it.

use thiserror::Error;

/// Why a path can not be one of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathFault {
    /// It is empty, or names the bundle itself.
    #[error("names no file")]
    Empty,
    /// It begins with `/`.
    #[error("is absolute")]
    Absolute,
    /// It has a `..` in it.
    #[error("has '..' in it")]
    Parent,
    /// It has a NUL or another control character in it.
    #[error("has a control character in it")]
    Control,
}

/// The path without `./`, doubled and trailing slashes, if it is relative and has no `..`.
///
/// # Errors
/// A [`PathFault`] that reads on after the path: `'../x' has '..' in it`.
pub fn relative(path: &str) -> Result<String, PathFault> {
    if path.chars().any(char::is_control) {
        return Err(PathFault::Control);
    }
    if path.starts_with('/') {
        return Err(PathFault::Absolute);
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if parts.contains(&"..") {
        return Err(PathFault::Parent);
    }
    if parts.is_empty() {
        return Err(PathFault::Empty);
    }
    Ok(parts.join("/"))
}

/// The directory part of a normalised path, empty for the bundle itself.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// `name` beside the file `beside`.
pub(super) fn beside(beside: &str, name: &str) -> String {
    match parent(beside) {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    }
}

/// The extension of the last part, in lower case, without the dot.
pub(super) fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension.to_lowercase(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Proves: PK9 (L, P)
    #[test]
    fn only_paths_inside_are_accepted() {
        assert_eq!(relative("./a//b/"), Ok("a/b".to_owned()));
        assert_eq!(relative("/etc/passwd"), Err(PathFault::Absolute));
        assert_eq!(relative("a/../../b"), Err(PathFault::Parent));
        assert_eq!(relative("a/.."), Err(PathFault::Parent));
        assert_eq!(relative("./"), Err(PathFault::Empty));
        assert_eq!(relative(""), Err(PathFault::Empty));
        assert_eq!(relative("a\nb"), Err(PathFault::Control));
        assert_eq!(relative("a..b/..c"), Ok("a..b/..c".to_owned()));
    }

    #[test]
    fn extensions_are_lower_case() {
        assert_eq!(extension("dir.x/Report.RMD"), "rmd");
        assert_eq!(extension(".Rprofile"), "");
    }

    proptest! {
        #[test]
        fn what_is_accepted_never_leaves(path in "[a./]{0,12}") {
            if let Ok(path) = relative(&path) {
                prop_assert!(!path.starts_with('/'));
                prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")));
                prop_assert_eq!(relative(&path), Ok(path.clone()));
            }
        }
    }
}
