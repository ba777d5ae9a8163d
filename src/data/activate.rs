//! The life of a result (RD2–RD4): begun under a number of its own, finished or discarded, activated in one step.
//!
//! A result is finished when its record `RR.json` lies beside it, and the record is written only after everything
//! else is on the disk. So a cut at any point leaves either a whole result or one that can not be activated.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{self, AtFlags, FileType};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::dir::{DataDir, Owner, next_number};
use super::failure::{Context, IoFailure};
use super::layout::{self, ContentId, Variant};
use super::lock::{Claim, FileLock};
use super::result_error::ResultError;
use super::{fdio, remove, seal, site, sync};

/// What is kept of a finished result, in `RR.json` beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultRecord {
    /// Its number (RR).
    pub number: u64,
    /// The bundle it was made from (YY).
    pub bundle: u64,
    /// The job that made it.
    pub job: String,
    /// When it was finished.
    pub finished: Timestamp,
    /// Its main file, relative to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<PathBuf>,
    /// Regular files in it.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// What was left out of it and why, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What is known of a render that has succeeded.
#[derive(Clone, Debug)]
pub struct Finish<'a> {
    /// The bundle it was made from.
    pub bundle: u64,
    /// The job that made it.
    pub job: &'a str,
    /// Subdirectory that becomes the root (ST2); none, or `.`, leaves it as it is (ST3).
    pub site_output_dir: Option<&'a Path>,
    /// Main file, relative to the finished result.
    pub index: Option<&'a Path>,
    /// The time now.
    pub now: Timestamp,
}

/// The results of one variant of one content item.
#[derive(Clone, Debug)]
pub struct Renders<'a> {
    pub(super) data: &'a DataDir,
    pub(super) content: ContentId,
    pub(super) variant: Variant,
}

/// A result that is being made. Dropped without [`Renders::finish`] or [`Renders::discard`] it is what a kill
/// leaves: unfinished, never served, and removed by the next sweep.
#[derive(Debug)]
#[must_use]
pub struct Rendering {
    number: u64,
    claim: Claim,
}

impl Rendering {
    /// Its number (RR).
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claim.path()
    }

    /// Gives the directory to the account that renders into it.
    ///
    /// # Errors
    /// The server may not give it away.
    pub fn give_to(&self, owner: Option<Owner>) -> Result<(), IoFailure> {
        self.claim.give_to(owner)
    }
}

impl<'a> Renders<'a> {
    /// The results of `variant` of `content`.
    #[must_use]
    pub fn new(data: &'a DataDir, content: ContentId, variant: Variant) -> Self {
        Self {
            data,
            content,
            variant,
        }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.data.path(layout::variant(&self.content, &self.variant))
    }

    /// The directory of one result.
    #[must_use]
    pub fn path(&self, number: u64) -> PathBuf {
        self.dir().join(number.to_string())
    }

    pub(super) fn record_path(&self, number: u64) -> PathBuf {
        self.dir().join(format!("{number}.json"))
    }

    pub(super) fn lock(&self) -> Result<FileLock, IoFailure> {
        let dir = self.data.ensure(layout::variant(&self.content, &self.variant))?;
        FileLock::exclusive(&layout::lock_beside(&dir))
    }

    /// Makes a new, empty output directory with the next number (RD2) for `owner` to write in.
    ///
    /// # Errors
    /// The directory can not be made or given away.
    pub fn begin(&self, owner: Option<Owner>) -> Result<Rendering, ResultError> {
        let _lock = self.lock()?;
        let dir = self.dir();
        let mut seen = self.numbers()?.last().copied().unwrap_or(0);
        loop {
            seen = next_number(&dir.join(".last"), seen)?;
            // The mkdir decides: numbers never clash, even where locks are not shared between machines.
            if let Some(claim) = Claim::make(&dir.join(seen.to_string()))? {
                let rendering = Rendering { number: seen, claim };
                if let Err(failure) = rendering.give_to(owner) {
                    self.discard(rendering)?;
                    return Err(failure.into());
                }
                return Ok(rendering);
            }
        }
    }

    /// Makes what was rendered a finished result: moves a site up, takes it from the job's account, writes it to
    /// the disk, and only then its record. All processes of the job must have ended.
    ///
    /// # Errors
    /// It is not a usable result, or can not be stored; it is removed then.
    pub fn finish(&self, rendering: Rendering, finish: &Finish<'_>) -> Result<ResultRecord, ResultError> {
        match self.make_whole(&rendering, finish) {
            Ok(record) => {
                rendering.claim.release();
                Ok(record)
            }
            Err(error) => {
                // The first error is the cause; a sweep removes what this can not.
                drop(self.discard(rendering));
                Err(error)
            }
        }
    }

    fn make_whole(&self, rendering: &Rendering, finish: &Finish<'_>) -> Result<ResultRecord, ResultError> {
        let path = rendering.path();
        if let Some(output) = site::output_dir(finish.site_output_dir)? {
            site::promote(path, &output)?;
        }
        let sealed = seal::seal(path)?;
        if let Some(index) = finish.index {
            check_index(path, index)?;
        }
        sync::sync_tree(path)?;
        let record = ResultRecord {
            number: rendering.number,
            bundle: finish.bundle,
            job: finish.job.to_owned(),
            finished: finish.now,
            index: finish.index.map(Path::to_owned),
            files: sealed.files,
            bytes: sealed.bytes,
            notes: sealed.notes,
        };
        let path = self.record_path(rendering.number);
        let json = serde_json::to_vec_pretty(&record).map_err(|source| ResultError::Record {
            path: path.clone(),
            source,
        })?;
        fdio::write_whole(&path, &json)?;
        Ok(record)
    }

    /// Removes a result that did not succeed.
    ///
    /// # Errors
    /// Something of it can not be removed.
    pub fn discard(&self, rendering: Rendering) -> Result<(), IoFailure> {
        remove::remove_tree(&site::staging(rendering.path()))?;
        remove::remove_tree(rendering.path())?;
        rendering.claim.release();
        Ok(())
    }

    /// Makes a finished result the one that is served: one rename of a link (RD3).
    ///
    /// # Errors
    /// There is no such result, or it is unfinished.
    pub fn activate(&self, number: u64) -> Result<(), ResultError> {
        let _lock = self.lock()?;
        self.check_finished(number)?;
        Ok(fdio::replace_link(
            &self.dir().join(layout::ACTIVE),
            &number.to_string(),
        )?)
    }

    fn check_finished(&self, number: u64) -> Result<(), ResultError> {
        let there = std::fs::symlink_metadata(self.path(number)).is_ok_and(|meta| meta.is_dir());
        match self.record(number)? {
            Some(record) if there && record.number == number => Ok(()),
            _ if there => Err(ResultError::Unfinished {
                content: self.content.clone(),
                number,
            }),
            _ => Err(ResultError::NotFound {
                content: self.content.clone(),
                variant: self.variant.clone(),
                number,
            }),
        }
    }

    /// The number of the result that is served.
    ///
    /// # Errors
    /// The link can not be read.
    pub fn active(&self) -> Result<Option<u64>, IoFailure> {
        read_active(&self.dir())
    }

    /// The record of a result, if it has one.
    ///
    /// # Errors
    /// It can not be read, or is damaged.
    pub fn record(&self, number: u64) -> Result<Option<ResultRecord>, ResultError> {
        let path = self.record_path(number);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IoFailure::new("read", path, error).into()),
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| ResultError::Record { path, source })
    }

    /// The numbers that are in use, finished or not, in order.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, IoFailure> {
        let mut numbers: Vec<u64> = fdio::names(&self.dir())?
            .iter()
            .filter_map(|name| layout::parse_number(name))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// The number that the link `active` in `dir` names.
pub(super) fn read_active(dir: &Path) -> Result<Option<u64>, IoFailure> {
    let link = dir.join(layout::ACTIVE);
    match std::fs::read_link(&link) {
        Ok(target) => Ok(target.to_str().and_then(layout::parse_number)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(IoFailure::new("read link", link, error)),
    }
}

/// The main file must be a file of the result itself, not a link that was put in its place.
fn check_index(result: &Path, index: &Path) -> Result<(), ResultError> {
    let parent = index.parent().unwrap_or_else(|| Path::new(""));
    let name = index.file_name().unwrap_or_default();
    let root = fdio::open_dir_nofollow(result).during("open", result)?;
    let found = fdio::open_below(root.as_fd(), parent)
        .and_then(|dir| fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW));
    let index = index.to_owned();
    match found.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::RegularFile) => Ok(()),
        Ok(FileType::Symlink) => Err(ResultError::IndexKind { index, kind: "link" }),
        Ok(FileType::Directory) => Err(ResultError::IndexKind {
            index,
            kind: "directory",
        }),
        Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Err(ResultError::IndexMissing { index }),
        Err(error) => Err(IoFailure::new("read", result.join(index), error).into()),
    }
}
