//! What is built: a directory of this machine, or a Git repository by its address, and which state of it. Pure.

use std::path::{Component, Path, PathBuf};

use crate::settings::without_password;
use crate::text::suggestion;

/// The ways in which a repository may be reached. `git` itself knows more, some of which run commands.
pub const PROTOCOLS: [&str; 4] = ["file", "http", "https", "ssh"];

/// Why a source is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It would be read as an option by `git` or `ssh`.
    #[error("'{0}' begins with a dash; name it as it is, options are not taken here")]
    Dash(String),
    /// Another protocol than those that are allowed.
    #[error("{url}: the protocol '{scheme}' is not allowed{}; use file:, http:, https: or ssh:", suggestion(.scheme, PROTOCOLS))]
    Protocol {
        /// The address.
        url: String,
        /// Its protocol.
        scheme: String,
    },
    /// `user@host:path`.
    #[error("'{0}' is the short form of an address; write ssh://USER@HOST/PATH")]
    ShortForm(String),
    /// A password in the address, which would be shown to every process of the machine.
    #[error("{0}: a password stands in the address; put it into a file and name that as the credentials")]
    Password(String),
    /// Something that is in no address.
    #[error("'{0}' is no address: it has spaces or control characters; write them as %20 and the like")]
    Characters(String),
    /// No host, or no path.
    #[error("{0}: the address has no {1}; write PROTOCOL://HOST/PATH, or file:///PATH")]
    Incomplete(String, &'static str),
    /// A name that no branch and no tag can have.
    #[error("'{0}' can not be the name of a branch, a tag or a commit; name one that the repository has")]
    Reference(String),
    /// A subdirectory that leads out of the repository.
    #[error(
        "the subdirectory '{0}' is not below the source; name a relative path without '..' that does not begin with a dash"
    )]
    Subdirectory(String),
}

/// What is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A repository.
    Git(GitUrl),
}

impl Source {
    /// Reads what a user wrote: an address where it has a protocol, else a directory.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if text.starts_with('-') {
            return Err(SourceError::Dash(text.to_owned()));
        }
        if has_scheme(text) {
            return GitUrl::parse(text).map(Self::Git);
        }
        if let Some((host, _)) = text.split_once(':')
            && host.contains('@')
            && !host.contains('/')
        {
            return Err(SourceError::ShortForm(text.to_owned()));
        }
        Ok(Self::Directory(PathBuf::from(text)))
    }
}

/// Whether a text begins like an address: `name:`, with `//` after it or a name that a helper of Git could have.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_name = scheme
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    let is_known = PROTOCOLS.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    is_name && !scheme.is_empty() && (is_known || rest.starts_with("//") || rest.starts_with(':'))
}

/// The address of a repository: one of [`PROTOCOLS`], without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitUrl {
    text: String,
    scheme: String,
    /// `user@host:port`; empty for files.
    authority: String,
}

impl GitUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let shown = || without_password(text).escape_debug().to_string();
        if text.starts_with('-') {
            return Err(SourceError::Dash(shown()));
        }
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let scheme = scheme.to_ascii_lowercase();
        if !PROTOCOLS.contains(&scheme.as_str()) {
            return Err(SourceError::Protocol { url: shown(), scheme });
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(SourceError::Characters(shown()));
        }
        let rest = match (rest.strip_prefix("//"), scheme.as_str()) {
            (Some(rest), _) => rest,
            (None, "file") if rest.starts_with('/') => rest,
            (None, _) => return Err(SourceError::Incomplete(shown(), "host")),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        match scheme.as_str() {
            "file" if !matches!(authority, "" | "localhost") => {
                return Err(SourceError::Incomplete(shown(), "path from the root on"));
            }
            "file" => {}
            _ if host.is_empty() => return Err(SourceError::Incomplete(shown(), "host")),
            _ if host.starts_with('-') || authority.starts_with('-') => {
                return Err(SourceError::Dash(authority.to_owned()));
            }
            _ => {}
        }
        if path.trim_matches('/').is_empty() {
            return Err(SourceError::Incomplete(shown(), "path"));
        }
        if authority
            .rsplit_once('@')
            .is_some_and(|(user, _)| user.contains(':'))
        {
            return Err(SourceError::Password(shown()));
        }
        let (text, authority) = match scheme.as_str() {
            "file" => (format!("file://{path}"), String::new()),
            _ => (format!("{scheme}://{rest}"), authority.to_owned()),
        };
        Ok(Self {
            text,
            scheme,
            authority,
        })
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its protocol.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether it is reached by HTTP, with or without encryption.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.scheme.starts_with("http")
    }

    /// `scheme://host:port`: the place that credentials are for, and no other.
    #[must_use]
    pub fn place(&self) -> String {
        let host = self
            .authority
            .rsplit_once('@')
            .map_or(self.authority.as_str(), |(_, host)| host);
        format!("{}://{host}", self.scheme)
    }
}

impl std::fmt::Display for GitUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Checks the name of a branch, a tag or a commit by the rules of `git check-ref-format`, and that it is no option.
///
/// # Errors
/// [`SourceError::Reference`].
pub fn check_reference(name: &str) -> Result<(), SourceError> {
    const MOST: usize = 255;
    let bad_character = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    let is_bad = name.is_empty()
        || name.len() > MOST
        || name == "@"
        || name.starts_with('-')
        || name.ends_with('.')
        || name.contains("..")
        || name.contains("@{")
        || name.contains(bad_character)
        || name.split('/').any(bad_part);
    match is_bad {
        true => Err(SourceError::Reference(name.escape_debug().to_string())),
        false => Ok(()),
    }
}

/// Checks that a subdirectory is below whatever it is joined to, and gives it without needless parts.
///
/// # Errors
/// [`SourceError::Subdirectory`].
pub fn check_subdirectory(text: &str) -> Result<PathBuf, SourceError> {
    let refused = || SourceError::Subdirectory(text.escape_debug().to_string());
    if text.starts_with('-') || text.chars().any(char::is_control) || text.contains([':', '\\']) {
        return Err(refused());
    }
    let mut path = PathBuf::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(refused()),
        }
    }
    let is_git = path
        .components()
        .any(|part| part.as_os_str().eq_ignore_ascii_case(".git"));
    if is_git { Err(refused()) } else { Ok(path) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Proves: GB1 (B)
    #[test]
    fn addresses_are_told_from_directories() {
        for (text, place) in [
            ("https://git.example.com/a/b.git", "https://git.example.com"),
            ("HTTP://127.0.0.1:8080/r", "http://127.0.0.1:8080"),
            ("ssh://git@example.com:22/r", "ssh://example.com:22"),
            ("file:///srv/r.git", "file://"),
            ("file:/srv/r.git", "file://"),
        ] {
            match Source::parse(text).unwrap() {
                Source::Git(url) => assert_eq!(url.place(), place, "{text}"),
                Source::Directory(_) => panic!("{text}"),
            }
        }
        for text in [".", "/srv/praise", "a:b", "../praise"] {
            assert!(matches!(Source::parse(text), Ok(Source::Directory(_))), "{text}");
        }
    }

    /// Proves: GB1 (B)
    #[test]
    fn what_git_would_run_is_refused_with_a_remedy() {
        for (text, said) in [
            ("--upload-pack=/tmp/x", "begins with a dash"),
            ("ext::sh -c id", "'ext' is not allowed"),
            ("ext::id", "'ext' is not allowed"),
            ("git://example.com/r", "use file:, http:, https: or ssh:"),
            ("htps://example.com/r", "did you mean 'https'?"),
            ("git@example.com:a/b.git", "ssh://USER@HOST/PATH"),
            ("https://me:s3cret@example.com/r", "me:(set)@example.com/r"),
            ("ssh://-oProxyCommand=id/r", "begins with a dash"),
            ("ssh://x@-oProxyCommand=id/r", "begins with a dash"),
            ("https://example.com", "no path"),
            ("https:///r", "no host"),
            ("file://host/r", "no path from the root on"),
            ("https://example.com/a\nb", "no address"),
        ] {
            let error = Source::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    proptest! {
        /// Proves: GB1 (B)
        #[test]
        fn nothing_that_is_accepted_is_an_option_or_leads_out(text in "\\PC{0,24}|[a-z./:@-]{0,24}") {
            if let Ok(Source::Git(url)) = Source::parse(&text) {
                prop_assert!(PROTOCOLS.contains(&url.scheme()));
                let begin = format!("{}://", url.scheme());
                prop_assert!(url.as_str().starts_with(&begin));
                prop_assert!(!url.as_str().contains(|c: char| c.is_whitespace() || c.is_control()));
                prop_assert!(!url.place().contains("://-"));
                prop_assert!(!url.place().contains('@'));
                prop_assert_eq!(GitUrl::parse(url.as_str()).unwrap(), url);
            }
            if let Ok(path) = check_subdirectory(&text) {
                prop_assert!(!path.is_absolute() && path.components().all(|part| matches!(part, Component::Normal(_))));
            }
            if check_reference(&text).is_ok() {
                prop_assert!(!text.starts_with('-') && !text.contains(':') && !text.contains(".."));
            }
        }
    }
}
