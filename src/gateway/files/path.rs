//! What file the path of a request means. Pure.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Names of files are never longer.
const LONGEST_NAME: usize = 255;

/// A file or directory below the root of what is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its path, of plain names alone; empty for the root.
    pub(super) path: PathBuf,
    /// Whether the request's path ends with a slash.
    pub(super) is_directory: bool,
}

impl Wanted {
    /// Reads a path as the request spells it. `None` where no file is meant that may be served.
    pub(super) fn parse(spelled: &str) -> Option<Self> {
        let spelled = spelled.strip_prefix('/').unwrap_or(spelled);
        let (names, is_directory) = match spelled.strip_suffix('/') {
            Some(names) => (names, true),
            None => (spelled, spelled.is_empty()),
        };
        if names.is_empty() && !spelled.is_empty() {
            return None;
        }
        let names = names.split('/').filter(|_| !names.is_empty());
        let path: Option<PathBuf> = names.map(name).collect();
        Some(Self {
            path: path?,
            is_directory,
        })
    }
}

/// One part of the path. Names with a dot in front are not for visitors, but for that which RFC 8615 reserves; a
/// backslash is a separator elsewhere, so it is none of a name here.
fn name(spelled: &str) -> Option<OsString> {
    let name = decode(spelled)?;
    let is_hidden = name.starts_with(b".") && name != b".well-known";
    let is_odd = |byte: &u8| matches!(byte, b'/' | b'\\') || byte.is_ascii_control();
    let is_plain = !name.is_empty() && name.len() <= LONGEST_NAME && !is_hidden && !name.iter().any(is_odd);
    is_plain.then(|| OsString::from_vec(name))
}

fn decode(spelled: &str) -> Option<Vec<u8>> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(spelled.len());
    let mut bytes = spelled.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?,
            byte => byte,
        });
    }
    Some(decoded)
}

/// A path of plain names as a URL spells it.
pub(super) fn encode(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut spelled = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            spelled.push(char::from(*byte));
        } else {
            // Writing to a string can not fail.
            let _ = write!(spelled, "%{byte:02X}");
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::path::Component;

    use super::*;

    fn parse(spelled: &str) -> Option<(String, bool)> {
        Wanted::parse(spelled).map(|wanted| (wanted.path.to_str().unwrap().to_owned(), wanted.is_directory))
    }

    /// Proves: PK7 (L, P)
    #[test]
    fn plain_paths_are_read_as_they_are_meant() {
        for (spelled, path, is_directory) in [
            ("/", "", true),
            ("", "", true),
            ("/index.html", "index.html", false),
            ("/a/b/", "a/b", true),
            ("/a%20b/%C3%A9.html", "a b/é.html", false),
            ("/a+b", "a+b", false),
            ("/.well-known/security.txt", ".well-known/security.txt", false),
            ("/a..b/..c.", "", false),
            ("/a%3Fb", "a?b", false),
        ] {
            let expected = (!path.is_empty() || is_directory).then(|| (path.to_owned(), is_directory));
            assert_eq!(parse(spelled), expected, "{spelled}");
        }
    }

    /// Proves: PK7 (L, P)
    #[test]
    fn paths_that_lead_out_or_hide_mean_nothing() {
        for bad in [
            "/..",
            "/../x",
            "/a/../b",
            "/a/..",
            "/./a",
            "/.",
            "/%2e%2e/x",
            "/%2E%2e",
            "/.%2e/x",
            "/a/%2e%2e%2fb",
            "/..%2f..%2fetc/passwd",
            "/%2fetc/passwd",
            "//etc/passwd",
            "/a//b",
            "//",
            "/a//",
            "/a%00.html",
            "/a%0ab",
            "/a\\..\\b",
            "/a%5c..%5cb",
            "/%5c%5chost",
            "/.git/config",
            "/a/.htaccess",
            "/.well-known/.git/x",
            "/.staging-1",
            "/%",
            "/%4",
            "/%zz",
            "/a%2",
            "/%c0%ae%c0%ae/../x",
            "/...",
            "/%7f",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse(&format!("/{}", "a".repeat(256))), None);
        assert!(parse(&format!("/{}", "a".repeat(255))).is_some());
    }

    proptest! {
        #[test]
        fn whatever_is_asked_only_plain_names_come_out(
            spelled in "(/|\\.|%2e|%2F|%5c|%00|\\\\|[a-z~%]|\\PC){0,40}",
        ) {
            if let Some(wanted) = Wanted::parse(&spelled) {
                let only_names = wanted.path.components().all(|part| match part {
                    Component::Normal(name) => !name.as_encoded_bytes().contains(&0),
                    _ => false,
                });
                prop_assert!(only_names, "{}", wanted.path.display());
            }
        }

        #[test]
        fn what_is_encoded_is_read_back(names in proptest::collection::vec("[^/\\\\.\\p{Cc}][^/\\\\\\p{Cc}]{0,20}", 1..4)) {
            let path: PathBuf = names.iter().collect();
            let spelled = format!("/{}", encode(&path));
            prop_assert!(spelled.is_ascii() && !spelled.contains(['?', '#', '"', '<']));
            prop_assert_eq!(Wanted::parse(&spelled).unwrap().path, path);
        }
    }
}
