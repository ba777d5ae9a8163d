//! How the pure parts see a bundle: names and contents, never the file system itself.

use std::collections::BTreeSet;
use std::io;

use thiserror::Error;

/// What a name of a bundle leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A regular file inside the bundle, perhaps through links that stay inside.
    File,
    /// A directory inside the bundle.
    Directory,
    /// Nothing.
    Missing,
    /// A link that leads out of the bundle.
    LeadsOut,
    /// A FIFO, a socket or a device.
    Special,
}

/// Access to the files of one bundle. Names are relative, with `/`, and without `..`.
pub trait Files {
    /// The content of a regular file, or `None` where there is none.
    ///
    /// # Errors
    /// When the file is there and can not be read, leads out of the bundle, or is no regular file.
    fn read(&self, rel: &str) -> io::Result<Option<Vec<u8>>>;

    /// The names of all regular files, sorted. Directories reached through links are not listed.
    ///
    /// # Errors
    /// When a directory can not be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// What a name leads to.
    ///
    /// # Errors
    /// When that can not be found out.
    fn probe(&self, rel: &str) -> io::Result<Presence>;
}

/// A file of the bundle that could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The bundle's directory could not be listed.
    #[error("cannot list the files of the bundle: {0}; check that its directories can be read")]
    List(#[source] io::Error),
    /// One file could not be read.
    #[error("cannot read '{path}' of the bundle: {source}; replace it by a regular file that can be read")]
    Read {
        /// Its path in the bundle.
        path: String,
        /// Cause.
        source: io::Error,
    },
    /// A text file is in no encoding that is understood.
    #[error("'{path}' of the bundle is not UTF-8 text; save it as UTF-8")]
    Encoding {
        /// Its path in the bundle.
        path: String,
    },
}

/// A bundle whose file names are known.
pub struct Bundle<'a> {
    files: &'a dyn Files,
    names: BTreeSet<String>,
}

impl std::fmt::Debug for Bundle<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Bundle")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl<'a> Bundle<'a> {
    /// Lists the files once.
    ///
    /// # Errors
    /// [`ReadError::List`].
    pub fn new(files: &'a dyn Files) -> Result<Self, ReadError> {
        let names = files.list().map_err(ReadError::List)?.into_iter().collect();
        Ok(Self { files, names })
    }

    /// Whether a regular file of this name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Names in the bundle's own directory, sorted.
    pub fn top_level(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| !name.contains('/'))
    }

    /// The name at the top that equals `name` but for case, as R's own tools look for `app.r` and `App.R`.
    #[must_use]
    pub fn top_level_ignoring_case(&self, name: &str) -> Option<&str> {
        self.top_level()
            .find(|candidate| candidate.eq_ignore_ascii_case(name))
    }

    /// What a name leads to.
    ///
    /// # Errors
    /// [`ReadError::Read`].
    pub fn probe(&self, name: &str) -> Result<Presence, ReadError> {
        if self.has(name) {
            return Ok(Presence::File);
        }
        self.files.probe(name).map_err(|source| read_error(name, source))
    }

    /// Bytes of a file, or `None` where it does not exist.
    ///
    /// # Errors
    /// [`ReadError::Read`].
    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.files.read(name).map_err(|source| read_error(name, source))
    }

    /// Text of a file, or `None` where it does not exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn text(&self, name: &str) -> Result<Option<String>, ReadError> {
        let Some(bytes) = self.bytes(name)? else {
            return Ok(None);
        };
        decode(&bytes).map(Some).ok_or_else(|| ReadError::Encoding {
            path: name.to_owned(),
        })
    }
}

fn read_error(name: &str, source: io::Error) -> ReadError {
    ReadError::Read {
        path: name.to_owned(),
        source,
    }
}

/// UTF-8 with or without a mark, or UTF-16 with one: what PowerShell's `>` writes for `pip freeze`.
fn decode(bytes: &[u8]) -> Option<String> {
    let wide = |rest: &[u8], read: fn([u8; 2]) -> u16| {
        let (pairs, odd) = rest.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
        String::from_utf16(&units).ok().filter(|_| odd.is_empty())
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

#[cfg(test)]
pub(super) mod memory {
    use std::collections::BTreeMap;
    use std::io;

    use super::{Files, Presence};

    /// A bundle in memory, for tests.
    #[derive(Debug, Default)]
    pub(in crate::content) struct Memory(pub(in crate::content) BTreeMap<String, Vec<u8>>);

    impl Memory {
        pub(in crate::content) fn new(files: &[(&str, &str)]) -> Self {
            Self(
                files
                    .iter()
                    .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
                    .collect(),
            )
        }
    }

    impl Files for Memory {
        fn read(&self, rel: &str) -> io::Result<Option<Vec<u8>>> {
            Ok(self.0.get(rel).cloned())
        }

        fn list(&self) -> io::Result<Vec<String>> {
            Ok(self.0.keys().cloned().collect())
        }

        fn probe(&self, rel: &str) -> io::Result<Presence> {
            Ok(if self.0.contains_key(rel) {
                Presence::File
            } else {
                Presence::Missing
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK2 (L, P)
    #[test]
    fn text_of_every_usual_encoding_is_read() {
        let utf16: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain("flask\r\n".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(decode(&utf16).as_deref(), Some("flask\r\n"));
        assert_eq!(decode(b"\xEF\xBB\xBFx").as_deref(), Some("x"));
        assert_eq!(decode(b"caf\xE9"), None);
        assert_eq!(decode(&[0xFF, 0xFE, 0x41]), None);
    }
}
