//! Who a visitor is by the word of a reverse proxy that is trusted.

use thiserror::Error;

/// A longer name is none.
const LONGEST: usize = 256;
/// More groups are none.
const MOST: usize = 2000;

/// Why the word of a proxy is not taken. Nobody is let in as somebody else by guessing what was meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProxiedRefused {
    /// It says two names.
    #[error("the header {0} came twice; let the proxy overwrite it, not add to what the visitor sent")]
    Twice(String),
    /// What it says is no name.
    #[error(
        "the header {0} holds no name: one of at most 256 bytes of text is needed, without commas and control characters"
    )]
    NoName(String),
    /// What it says are no groups.
    #[error("the header {0} holds no groups: names with commas between them are needed, 2000 at most")]
    NoGroups(String),
}

fn one<'a>(header: &str, values: &[&'a [u8]]) -> Result<Option<&'a [u8]>, ProxiedRefused> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value.trim_ascii())),
        _ => Err(ProxiedRefused::Twice(header.to_owned())),
    }
}

fn name(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_name =
        !text.is_empty() && text.len() <= LONGEST && !text.contains(|c: char| c == ',' || c.is_control());
    is_name.then_some(text)
}

/// The user that the values of `header` name; none where it is not there or empty.
///
/// # Errors
/// [`ProxiedRefused`].
pub fn user(header: &str, values: &[&[u8]]) -> Result<Option<String>, ProxiedRefused> {
    match one(header, values)? {
        None | Some([]) => Ok(None),
        Some(value) => match name(value) {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(ProxiedRefused::NoName(header.to_owned())),
        },
    }
}

/// The groups that the values of `header` name, with commas between them.
///
/// # Errors
/// [`ProxiedRefused`].
pub fn groups(header: &str, values: &[&[u8]]) -> Result<Vec<String>, ProxiedRefused> {
    let value = one(header, values)?.unwrap_or_default();
    let parts = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let names = parts.filter(|part| !part.is_empty()).map(name);
    let names: Option<Vec<String>> = names.map(|name| name.map(str::to_owned)).collect();
    names
        .filter(|names| names.len() <= MOST)
        .ok_or_else(|| ProxiedRefused::NoGroups(header.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: &str = "X-Auth-Username";

    #[test]
    fn one_name_is_taken_and_nothing_else() {
        let user = |values: &[&[u8]]| super::user(H, values);
        assert_eq!(user(&[b"ann"]), Ok(Some("ann".to_owned())));
        assert_eq!(
            user(&[b" ann@example.org "]),
            Ok(Some("ann@example.org".to_owned()))
        );
        assert_eq!(user(&["Jürgen".as_bytes()]), Ok(Some("Jürgen".to_owned())));
        assert_eq!(user(&[]), Ok(None));
        assert_eq!(user(&[b""]), Ok(None));
        assert_eq!(user(&[b"ann", b"bob"]), Err(ProxiedRefused::Twice(H.to_owned())));
        assert_eq!(user(&[b"ann", b"ann"]), Err(ProxiedRefused::Twice(H.to_owned())));
        let long = [b'a'; LONGEST + 1];
        for bad in [
            &b"ann,bob"[..],
            b"a\x01",
            b"\xff\xfe",
            "a\u{85}".as_bytes(),
            &long,
        ] {
            assert_eq!(
                user(&[bad]),
                Err(ProxiedRefused::NoName(H.to_owned())),
                "{}",
                bad.escape_ascii()
            );
        }
    }

    #[test]
    fn groups_are_a_list() {
        let groups = |values: &[&[u8]]| super::groups(H, values);
        assert_eq!(
            groups(&[b"a, b c,,d"]),
            Ok(vec!["a".to_owned(), "b c".to_owned(), "d".to_owned()])
        );
        assert_eq!(groups(&[]), Ok(Vec::new()));
        assert_eq!(groups(&[b"a", b"b"]), Err(ProxiedRefused::Twice(H.to_owned())));
        assert_eq!(groups(&[b"a,\xff"]), Err(ProxiedRefused::NoGroups(H.to_owned())));
        let many = vec!["g"; MOST + 1].join(",");
        assert_eq!(
            groups(&[many.as_bytes()]),
            Err(ProxiedRefused::NoGroups(H.to_owned()))
        );
    }
}
