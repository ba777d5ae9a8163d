//! What a visitor has given that nobody but the render may see: passwords and files. Plain data, and its form as bytes.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::api::job::Parameter;
use crate::content::form::Upload;

/// What takes the place of an answer that is gone, for whoever reads the job.
pub const GONE: &str =
    "what the visitor gave with the form, a password or a file, is gone; they ask again with the form";
/// Bytes of all that is given with one form: 32 MiB of files, and what else a form may have.
pub(super) const MOST: usize = 34 * 1024 * 1024;
/// The length is not told more exactly than by so many bytes.
const BLOCK: usize = 1024;
/// Bytes before the head that tell its length.
const LENGTH: usize = 4;
/// Letters of a file's name.
const MOST_NAME: usize = 200;

/// Passwords and files of one result.
#[derive(Default, PartialEq)]
pub struct Given {
    /// Parameters for the render: passwords, and where it finds the files.
    pub parameters: Vec<Parameter>,
    /// Files, for the inputs of the render's process.
    pub files: Vec<Upload>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    parameters: Vec<Parameter>,
    files: Vec<File>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    bytes: usize,
}

// What visitors answer is nobody else's business.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").finish_non_exhaustive()
    }
}

impl Given {
    /// Whether there is nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.files.is_empty()
    }

    /// As bytes, behind `room` bytes for whoever seals them.
    pub(super) fn pack(&self, room: usize) -> Option<Zeroizing<Vec<u8>>> {
        let file = |file: &Upload| File {
            name: file.name.clone(),
            bytes: file.bytes.len(),
        };
        let head = Head {
            parameters: self.parameters.clone(),
            files: self.files.iter().map(file).collect(),
        };
        let head = Zeroizing::new(serde_json::to_vec(&head).ok()?);
        let files: usize = self.files.iter().map(|file| file.bytes.len()).sum();
        let length = (LENGTH + head.len() + files).next_multiple_of(BLOCK);
        if room + length > MOST {
            return None;
        }
        // All of it at once: what grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(room + length));
        bytes.resize(room, 0);
        bytes.extend(u32::try_from(head.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&head);
        for file in &self.files {
            bytes.extend_from_slice(&file.bytes);
        }
        bytes.resize(room + length, 0);
        Some(bytes)
    }

    /// From bytes; none where they are not of that form.
    pub(super) fn unpack(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (head, mut rest) = rest.split_at_checked(length)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        let mut files = Vec::new();
        for file in head.files {
            let (bytes, behind) = rest.split_at_checked(file.bytes)?;
            rest = behind;
            files.push(Upload {
                name: Some(file.name).filter(|name| is_name(name))?,
                bytes: bytes.to_vec(),
            });
        }
        Some(Self {
            parameters: head.parameters,
            files,
        })
    }
}

/// Whether a text is a file's name and no path.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !text.is_empty() && text.len() <= MOST_NAME && !text.starts_with('.') && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str) -> Given {
        let parameter = |name: &str, value: &str| Parameter {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        Given {
            parameters: vec![parameter("secret", "hushed")],
            files: vec![
                Upload {
                    name: name.to_owned(),
                    bytes: vec![0, 255, 10],
                },
                Upload {
                    name: "p2-b.bin".to_owned(),
                    bytes: vec![7; 5000],
                },
            ],
        }
    }

    /// Proves: PK6 (P)
    #[test]
    fn what_is_given_comes_back_byte_by_byte_and_tells_no_exact_length() {
        let bytes = given("p1-a.bin").pack(3).unwrap();
        assert_eq!((bytes.len() - 3) % BLOCK, 0);
        assert_eq!(Given::unpack(&bytes[3..]), Some(given("p1-a.bin")));
        assert_eq!(Given::unpack(&bytes[3..4000]), None, "cut off");
        assert_eq!(Given::unpack(b""), None);
        assert!(!format!("{:?}", given("p1-a.bin")).contains("hushed"));
        assert!(Given::default().is_empty() && !given("a").is_empty());
    }

    /// Proves: PK6 (P)
    #[test]
    fn no_file_leaves_the_directory_of_inputs_and_there_is_a_bound() {
        for name in [
            "../a",
            "a/b",
            "",
            ".",
            "..",
            ".a",
            "a\0",
            &"a".repeat(MOST_NAME + 1),
        ] {
            let bytes = given(name).pack(0).unwrap();
            assert_eq!(Given::unpack(&bytes), None, "{name:?}");
        }
        let mut large = given("a");
        large.files[0].bytes = vec![0; MOST];
        assert!(large.pack(0).is_none());
    }
}
