//! The results that are kept: listed, and removed one by one, by count or by age (RD4).

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::activate::{Renders, ResultRecord};
use super::bundles;
use super::dir::{self, DataDir};
use super::failure::IoFailure;
use super::fdio;
use super::layout::{self, ContentId, Variant};
use super::lock::{FileLock, Probe};
use super::result_error::ResultError;

/// One result, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultEntry {
    /// Its number (RR).
    pub number: u64,
    /// Its directory.
    pub path: PathBuf,
    /// Whether it is the one that is served.
    pub active: bool,
    /// What became of it.
    pub state: ResultState,
    /// Its record, once it is finished.
    pub record: Option<ResultRecord>,
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ResultState {
    /// Whole; it can be served.
    Finished,
    /// A job is making it.
    Rendering,
    /// Its job was cut off; the next sweep removes it.
    Abandoned,
}

/// The possible variants of a content item, by name: the directories of bundles, which lie beside them, hold no results.
///
/// # Errors
/// The directory can not be read.
pub fn variants(data: &DataDir, content: &ContentId) -> Result<Vec<Variant>, IoFailure> {
    let mut names = fdio::names(&data.path(layout::content_reports(content)))?;
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names
        .iter()
        .filter_map(|name| Variant::parse(name).ok())
        .collect())
}

impl Renders<'_> {
    /// All results, oldest first.
    ///
    /// # Errors
    /// The directory or a record can not be read.
    pub fn list(&self) -> Result<Vec<ResultEntry>, ResultError> {
        let active = self.active()?;
        self.numbers()?
            .into_iter()
            .map(|number| {
                let record = self.record(number)?;
                let path = self.path(number);
                let state = if record.is_some() {
                    ResultState::Finished
                } else if matches!(FileLock::probe(&layout::lock_beside(&path))?, Probe::Held) {
                    ResultState::Rendering
                } else {
                    ResultState::Abandoned
                };
                Ok(ResultEntry {
                    number,
                    path,
                    active: active == Some(number),
                    state,
                    record,
                })
            })
            .collect()
    }

    /// Removes one result.
    ///
    /// # Errors
    /// It is the one that is served, it is still being made, or it does not exist.
    pub fn remove(&self, number: u64) -> Result<(), ResultError> {
        let _lock = self.lock()?;
        let content = self.content.clone();
        if self.active()? == Some(number) {
            return Err(ResultError::Active { content, number });
        }
        if self.record(number)?.is_none() {
            let variant = self.variant.clone();
            return Err(ResultError::NotFound {
                content,
                variant,
                number,
            });
        }
        Ok(self.take_away(number)?)
    }

    /// Removes the finished results beyond the newest `keep` and those older than `age_seconds`; 0 keeps all.
    /// The one that is served always stays. Returns the numbers removed.
    ///
    /// # Errors
    /// A result can not be read or removed.
    pub fn retain(&self, keep: u32, age_seconds: u64, now: Timestamp) -> Result<Vec<u64>, ResultError> {
        let _lock = self.lock()?;
        let active = self.active()?;
        let age = SignedDuration::from_secs(i64::try_from(age_seconds).unwrap_or(i64::MAX));
        let mut removed = Vec::new();
        let mut finished = Vec::new();
        for number in self.numbers()? {
            finished.extend(self.record(number)?);
        }
        for (rank, record) in finished.iter().rev().enumerate() {
            let beyond = keep > 0 && rank >= keep as usize;
            let old = age_seconds > 0 && now.duration_since(record.finished) > age;
            if (beyond || old) && active != Some(record.number) {
                self.take_away(record.number)?;
                removed.push(record.number);
            }
        }
        removed.sort_unstable();
        Ok(removed)
    }

    /// Removes all results of the variant, and that they ever were. Nobody may be making one.
    ///
    /// # Errors
    /// Something of it can not be removed.
    pub fn remove_all(&self) -> Result<(), IoFailure> {
        let dir = self.dir();
        dir::take_away(&dir)?;
        bundles::remove_file(&layout::lock_beside(&dir))
    }

    /// Directory first: a record without a directory is nothing, a directory in pieces with one would be served.
    fn take_away(&self, number: u64) -> Result<(), IoFailure> {
        dir::take_away(&self.path(number))?;
        bundles::remove_file(&self.record_path(number))
    }
}
