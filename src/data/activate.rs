//! The life of a result (RD2–RD4): begun under a number of its own, finished or discarded, activated in one step.
//!
//! A result is finished when its record `RR.json` lies beside it, and the record is written only after everything
//! else is on the disk. So a cut at any point leaves either a whole result or one that can not be activated.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::dir::{DataDir, Owner, next_number};
use super::failure::{Context, IoFailure};
use super::layout::{self, ContentId, Variant};
use super::lock::{Claim, FileLock};
use super::result_error::ResultError;
use super::{fdio, site};

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

    /// Ends the claim on it. One that is finished stays; the next sweep removes one that is not.
    pub fn release(self) {
        self.claim.release();
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

    /// Removes a result that did not succeed.
    ///
    /// # Errors
    /// Something of it can not be removed.
    pub fn discard(&self, rendering: Rendering) -> Result<(), IoFailure> {
        site::discard(rendering.path())?;
        rendering.claim.remove()
    }

    /// Takes over a result that another server has begun and not finished; `None` while that one lives.
    ///
    /// # Errors
    /// Its lock can not be made.
    pub fn adopt(&self, number: u64) -> Result<Option<Rendering>, IoFailure> {
        self.data.ensure(layout::variant(&self.content, &self.variant))?;
        let claim = Claim::adopt(&self.path(number))?;
        Ok(claim.map(|claim| Rendering { number, claim }))
    }

    /// Makes a finished result the one that is served: one rename of a link (RD3).
    ///
    /// # Errors
    /// There is no such result, or it is unfinished.
    pub fn activate(&self, number: u64) -> Result<(), ResultError> {
        let _lock = self.lock()?;
        self.check_finished(number)?;
        self.point_to(number)
    }

    /// As [`Self::activate`], unless another result was activated since this one was finished: a job whose server was
    /// cut off before it could activate does not undo what somebody has chosen since. Says whether it is served.
    ///
    /// # Errors
    /// As for [`Self::activate`].
    pub fn activate_unless_newer(&self, number: u64) -> Result<bool, ResultError> {
        let _lock = self.lock()?;
        self.check_finished(number)?;
        let active = self.active()?;
        if active == Some(number) {
            return Ok(true);
        }
        // Both times are the file system's own, so that no two clocks are compared.
        if active.is_some()
            && changed(&self.dir().join(layout::ACTIVE))? > changed(&self.record_path(number))?
        {
            return Ok(false);
        }
        self.point_to(number).map(|()| true)
    }

    fn point_to(&self, number: u64) -> Result<(), ResultError> {
        let link = self.dir().join(layout::ACTIVE);
        Ok(fdio::replace_link(&link, &number.to_string())?)
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

/// When a file, or a link itself, was written.
fn changed(path: &Path) -> Result<(i64, i64), IoFailure> {
    let meta = std::fs::symlink_metadata(path).during("read", path)?;
    Ok((meta.mtime(), meta.mtime_nsec()))
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
