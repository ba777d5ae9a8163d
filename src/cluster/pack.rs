//! Content as one archive: the same content always gives the same bytes, so that its digest names it.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};
use thiserror::Error;

use crate::data::layout;

/// The directory at the top of the archive. A single one is taken away when an archive is unpacked, so there must be
/// one that is not the content's own.
const TOP: &str = "content";
/// Time of every file: 2000-01-01. Archives of other formats, which content may make of its files, know no 1970.
const MODIFIED: u64 = 946_684_800;
/// Directories in one another, as deep as a deployment goes.
const MOST_DEEP: usize = 256;

/// Why content can not be packed.
#[derive(Debug, Error)]
pub enum PackError {
    /// Something of it can not be read.
    #[error("{path}: {source}; make it readable, or take it out of the content", path = .path.display())]
    Read {
        /// What can not be read.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A link that leads out of the content.
    #[error(
        "{path}: the link leads to '{target}', out of the content; replace it by what it leads to",
        path = .path.display(), target = .target.display()
    )]
    LinkOut {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Neither file, directory nor link.
    #[error("{path}: is neither a file nor a directory; take it out of the content", path = .path.display())]
    Special {
        /// What it is about.
        path: PathBuf,
    },
    /// Too many directories in one another.
    #[error("{path}: is nested more than {MOST_DEEP} directories deep; flatten it", path = .path.display())]
    TooDeep {
        /// The directory.
        path: PathBuf,
    },
    /// It was written while it was read.
    #[error("{path}: it has changed while it was read; deploy again when nothing writes to it", path = .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The archive can not be written.
    #[error("the archive can not be written to {place}: {source}; make room there, or set TMPDIR to another directory", place = .place.display())]
    Write {
        /// Directory of temporary files.
        place: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// An archive that is ready to be sent.
#[derive(Debug)]
pub struct Packed {
    /// The archive, at its beginning.
    pub file: File,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Packs a directory into a temporary file without a name.
///
/// # Errors
/// [`PackError`].
pub fn pack(tree: &Path) -> Result<Packed, PackError> {
    let fault = |source| PackError::Write {
        place: std::env::temp_dir(),
        source,
    };
    let hashing = Hashing::new(BufWriter::new(tempfile::tempfile().map_err(fault)?));
    // Neither name nor time in the header.
    let gzip = GzBuilder::new().write(hashing, Compression::default());
    let mut tar = tar::Builder::new(gzip);
    directory(&mut tar, tree, &PathBuf::from(TOP), 0)?;
    let gzip = tar.into_inner().map_err(fault)?;
    let hashing = gzip.finish().map_err(fault)?;
    let (file, sha256, bytes) = hashing.end().map_err(fault)?;
    let mut file = file.into_inner().map_err(|error| fault(error.into_error()))?;
    file.rewind().map_err(fault)?;
    Ok(Packed { file, sha256, bytes })
}

/// An archive that exists already, as it is.
///
/// # Errors
/// [`PackError::Read`].
pub fn take(archive: &Path) -> Result<Packed, PackError> {
    let fault = |source| PackError::Read {
        path: archive.to_owned(),
        source,
    };
    let mut file = File::open(archive).map_err(fault)?;
    let mut hashing = Hashing::new(io::sink());
    io::copy(&mut file, &mut hashing).map_err(fault)?;
    let (_, sha256, bytes) = hashing.end().map_err(fault)?;
    file.rewind().map_err(fault)?;
    Ok(Packed { file, sha256, bytes })
}

type Tar<W> = tar::Builder<W>;

fn directory<W: Write>(tar: &mut Tar<W>, tree: &Path, place: &Path, depth: usize) -> Result<(), PackError> {
    if depth > MOST_DEEP {
        return Err(PackError::TooDeep {
            path: tree.to_owned(),
        });
    }
    let unreadable = |source| PackError::Read {
        path: tree.to_owned(),
        source,
    };
    write(tar, header(EntryType::Directory, 0o755, 0), place, io::empty())?;
    let entries: io::Result<Vec<_>> = std::fs::read_dir(tree).map_err(unreadable)?.collect();
    let mut entries = entries.map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, place) = (entry.path(), place.join(entry.file_name()));
        let metadata = entry.metadata().map_err(|source| PackError::Read {
            path: path.clone(),
            source,
        })?;
        if metadata.is_dir() {
            directory(tar, &path, &place, depth + 1)?;
        } else if metadata.is_symlink() {
            link(tar, path, &place, depth)?;
        } else if metadata.is_file() {
            file(tar, &path, &place, &metadata)?;
        } else {
            return Err(PackError::Special { path });
        }
    }
    Ok(())
}

fn file<W: Write>(tar: &mut Tar<W>, path: &Path, place: &Path, metadata: &Metadata) -> Result<(), PackError> {
    let unreadable = |source| PackError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = match metadata.permissions().mode() & 0o111 {
        0 => 0o644,
        _ => 0o755,
    };
    let mut exact = Exact {
        stream: BufReader::new(file),
        left: metadata.len(),
        changed: false,
    };
    let written = write(
        tar,
        header(EntryType::Regular, mode, metadata.len()),
        place,
        &mut exact,
    );
    if exact.is_changed().map_err(unreadable)? {
        return Err(PackError::Changed {
            path: path.to_owned(),
        });
    }
    written
}

fn link<W: Write>(tar: &mut Tar<W>, path: PathBuf, place: &Path, depth: usize) -> Result<(), PackError> {
    let target = std::fs::read_link(&path).map_err(|source| PackError::Read {
        path: path.clone(),
        source,
    })?;
    if !layout::link_stays_inside(depth, &target) {
        return Err(PackError::LinkOut { path, target });
    }
    let mut header = header(EntryType::Symlink, 0o777, 0);
    tar.append_link(&mut header, place, &target).map_err(not_written)
}

/// Everything but name, kind, mode and size is the same for all.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MODIFIED);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn write<W: Write>(
    tar: &mut Tar<W>,
    mut header: Header,
    place: &Path,
    content: impl Read,
) -> Result<(), PackError> {
    tar.append_data(&mut header, place, content).map_err(not_written)
}

fn not_written(source: io::Error) -> PackError {
    PackError::Write {
        place: std::env::temp_dir(),
        source,
    }
}

/// Gives exactly as many bytes as the header has announced: zeros where the file has become shorter.
struct Exact<R> {
    stream: R,
    left: u64,
    changed: bool,
}

impl<R: Read> Exact<R> {
    /// Whether the file was shorter or is longer than announced.
    fn is_changed(&mut self) -> io::Result<bool> {
        Ok(self.changed || self.stream.read(&mut [0])? > 0)
    }
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..most];
        let mut read = if self.changed {
            0
        } else {
            self.stream.read(buffer)?
        };
        if read == 0 && most > 0 {
            self.changed = true;
            buffer.fill(0);
            read = most;
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Counts and hashes what goes through.
struct Hashing<W> {
    stream: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Hashing<W> {
    fn new(stream: W) -> Self {
        Self {
            stream,
            digest: Sha256::new(),
            bytes: 0,
        }
    }

    fn end(mut self) -> io::Result<(W, String, u64)> {
        self.stream.flush()?;
        let digits = self.digest.finalize();
        let sha256 = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((self.stream, sha256, self.bytes))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
