//! Bundles as archives, `.tar.gz` or `.tar`, as the publishing clients upload them.
//!
//! Limits: 1,000,000 entries and 64 GiB when unpacked. A single directory at the top, as `tar czf x.tgz dir` makes
//! it, is taken away. Nothing is left behind when anything fails.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use tar::EntryType;
use thiserror::Error;

use super::dir::MOST_ENTRIES;
pub use super::unpack::EntryFault;
use super::unpack::{Destination, parts};

/// Why an archive can not be unpacked.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It can not be opened or read.
    #[error("cannot read the archive '{archive}': {source}; check the path and its permissions")]
    Read {
        /// The archive.
        archive: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It is none of the known formats.
    #[error(
        "'{archive}' is not a .tar.gz or .tar archive ({cause}); name a directory, an archive made with 'tar czf', or a job file ending in .yaml"
    )]
    Format {
        /// The archive.
        archive: PathBuf,
        /// Cause.
        cause: String,
    },
    /// It ends before its end.
    #[error("the archive '{archive}' is cut off after {entries} entries; copy or upload it again")]
    CutOff {
        /// The archive.
        archive: PathBuf,
        /// Complete entries before the cut.
        entries: u64,
    },
    /// One entry is refused or could not be written.
    #[error("the archive '{archive}' cannot be unpacked: '{path}' {fault}; correct that and make it again")]
    Entry {
        /// The archive.
        archive: PathBuf,
        /// Path of the entry.
        path: String,
        /// What is wrong with it.
        #[source]
        fault: EntryFault,
    },
    /// One entry could not be written.
    #[error(
        "cannot write '{path}' of the archive '{archive}': {source}; free space or check the permissions"
    )]
    Write {
        /// The archive.
        archive: PathBuf,
        /// Path of the entry.
        path: String,
        /// Cause.
        source: io::Error,
    },
    /// It has too much in it.
    #[error("the archive '{archive}' has more than {limit}; leave out what the content does not need")]
    TooLarge {
        /// The archive.
        archive: PathBuf,
        /// The limit that it meets.
        limit: String,
    },
    /// The directory to unpack into can not be used.
    #[error("cannot unpack into '{directory}': {source}; name an empty directory that can be written")]
    Destination {
        /// The directory.
        directory: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

impl ArchiveError {
    /// Whether the place it is unpacked to is the cause: nothing is wrong with the archive itself.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Destination { .. })
    }
}

/// How much an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries.
    pub entries: u64,
    /// Bytes of all files together, unpacked.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: MOST_ENTRIES,
            bytes: 64 << 30,
        }
    }
}

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Entries.
    pub entries: u64,
    /// Bytes of all files together.
    pub bytes: u64,
}

/// Unpacks an archive into an empty directory.
///
/// # Errors
/// [`ArchiveError`]; the directory is then empty again.
pub fn unpack(archive: &Path, into: &Path, limits: Limits) -> Result<Unpacked, ArchiveError> {
    let file = File::open(archive).map_err(|source| ArchiveError::Read {
        archive: archive.to_owned(),
        source,
    })?;
    unpack_opened(file, archive, into, limits)
}

/// As [`unpack`], with the archive opened before; `archive` is what a failure names.
///
/// # Errors
/// As for [`unpack`].
pub fn unpack_opened(
    file: File,
    archive: &Path,
    into: &Path,
    limits: Limits,
) -> Result<Unpacked, ArchiveError> {
    let destination_error = |source| ArchiveError::Destination {
        directory: into.to_owned(),
        source,
    };
    if fs::read_dir(into).map_err(destination_error)?.next().is_some() {
        return Err(destination_error(io::ErrorKind::DirectoryNotEmpty.into()));
    }
    let destination = Destination::open(into).map_err(destination_error)?;
    let mut unpacking = Unpacking {
        archive,
        limits,
        destination,
        done: Unpacked::default(),
    };
    let unpacked = unpacking.run(file);
    if unpacked.is_err() {
        empty(into).map_err(destination_error)?;
    }
    unpacked
}

fn empty(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

struct Unpacking<'a> {
    archive: &'a Path,
    limits: Limits,
    destination: Destination,
    done: Unpacked,
}

impl Unpacking<'_> {
    fn run(&mut self, file: File) -> Result<Unpacked, ArchiveError> {
        let mut file = BufReader::with_capacity(1 << 16, file);
        let magic = file.fill_buf().map_err(|error| self.stream_error(error))?;
        if magic.is_empty() {
            return Err(self.format_error("it is empty"));
        }
        if magic.starts_with(&[0x1F, 0x8B]) {
            self.entries(MultiGzDecoder::new(file))?;
        } else {
            self.entries(file)?;
        }
        self.finish()?;
        Ok(self.done)
    }

    fn entries(&mut self, stream: impl Read) -> Result<(), ArchiveError> {
        let ended = Rc::new(Cell::new(false));
        let mut tar = tar::Archive::new(Watched {
            stream,
            ended: Rc::clone(&ended),
        });
        for entry in tar.entries().map_err(|error| self.stream_error(error))? {
            let mut entry = entry.map_err(|error| self.stream_error(error))?;
            self.entry(&mut entry)?;
            self.done.entries += 1;
        }
        // Every tar ends with a block of zeros, so a stream that ended first was cut between two entries.
        if ended.get() {
            return Err(self.cut_off());
        }
        if self.done.entries == 0 {
            return Err(self.format_error("it has no entries"));
        }
        // What is left is padding; reading it lets the decoder hold its checksum against the whole.
        io::copy(&mut tar.into_inner().take(self.limits.bytes), &mut io::sink())
            .map_err(|error| self.stream_error(error))?;
        Ok(())
    }

    fn entry(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), ArchiveError> {
        let path = entry
            .path()
            .map_err(|error| self.stream_error(error))?
            .into_owned();
        self.hold_limits(entry.size())?;
        let header = entry.header();
        let (mode, mtime) = (header.mode().unwrap_or(0o644), header.mtime().unwrap_or(0));
        let kind = header.entry_type();
        let link = entry
            .link_name()
            .map_err(|error| self.stream_error(error))?
            .map(|link| link.into_owned());
        let made = self.make(&path, kind, link.as_deref(), mode, mtime, entry);
        made.map_err(|fault| match fault {
            EntryFault::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.cut_off(),
            fault => self.entry_error(&path, fault),
        })
    }

    fn make(
        &mut self,
        path: &Path,
        kind: EntryType,
        link: Option<&Path>,
        mode: u32,
        mtime: u64,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<(), EntryFault> {
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let own = parts(path)?;
        if own.is_empty() {
            return Ok(());
        }
        let link = link.unwrap_or_else(|| Path::new(""));
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let size = entry.size();
                self.destination.file(&own, mode, mtime, size, entry)
            }
            EntryType::Directory => self.destination.directory(&own, mode, mtime),
            EntryType::Symlink => self.destination.symlink(&own, link),
            EntryType::Link => self.destination.hard_link(&own, &parts(link)?),
            _ => Err(EntryFault::Special),
        }
    }

    fn hold_limits(&mut self, size: u64) -> Result<(), ArchiveError> {
        self.done.bytes = self.done.bytes.saturating_add(size);
        let limit = if self.done.entries >= self.limits.entries {
            format!("{} entries", self.limits.entries)
        } else if self.done.bytes > self.limits.bytes {
            format!("{} bytes unpacked", self.limits.bytes)
        } else {
            return Ok(());
        };
        Err(ArchiveError::TooLarge {
            archive: self.archive.to_owned(),
            limit,
        })
    }

    fn finish(&mut self) -> Result<(), ArchiveError> {
        self.destination
            .finish_directories()
            .map_err(|(path, fault)| self.entry_error(&path, fault))?;
        let top = self.destination.only_directory().and_then(|top| {
            top.as_deref()
                .map(|top| self.destination.strip(top))
                .transpose()?;
            Ok(top)
        });
        let top = top.map_err(|error| self.entry_error(Path::new("."), EntryFault::Io(error)))?;
        let links = self.destination.check_links(top.as_deref());
        links.map_err(|(path, fault)| self.entry_error(&path, fault))
    }

    fn entry_error(&self, path: &Path, fault: EntryFault) -> ArchiveError {
        let path = path.display().to_string().escape_debug().to_string();
        let archive = self.archive.to_owned();
        match fault {
            EntryFault::Io(source) if source.raw_os_error().is_some() => ArchiveError::Write {
                archive,
                path,
                source,
            },
            fault => ArchiveError::Entry { archive, path, fault },
        }
    }

    fn cut_off(&self) -> ArchiveError {
        ArchiveError::CutOff {
            archive: self.archive.to_owned(),
            entries: self.done.entries,
        }
    }

    fn format_error(&self, cause: impl ToString) -> ArchiveError {
        let cause = cause.to_string();
        // The tar reader goes on with bytes of the file.
        let cause = cause.split(": ").next().unwrap_or_default().to_owned();
        ArchiveError::Format {
            archive: self.archive.to_owned(),
            cause,
        }
    }

    /// What an error of the stream means: cut off, no archive at all, or a disk that fails.
    fn stream_error(&self, error: io::Error) -> ArchiveError {
        let text = error.to_string();
        // The tar reader has no kinds of its own. Half a block at the very beginning is more likely no archive.
        let half_a_block = text.contains("failed to read entire block") && self.done.entries > 0;
        if error.kind() == io::ErrorKind::UnexpectedEof || text.contains("unexpected EOF") || half_a_block {
            return self.cut_off();
        }
        match error.raw_os_error() {
            Some(_) => ArchiveError::Read {
                archive: self.archive.to_owned(),
                source: error,
            },
            None => self.format_error(error),
        }
    }
}

/// Remembers whether the stream ended.
struct Watched<R> {
    stream: R,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.ended.set(true);
        }
        Ok(read)
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
