//! What is kept of a result that a visitor has asked for: below `DataDir/serve/variants`, for the server alone to read.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Owner;
use crate::data::{ContentId, DataDir, IoFailure, Renders, Variant, write_whole};

/// Below the data directory.
const DIRECTORY: &str = "serve/variants";

/// A result, or one that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its id, which is the name of its variant.
    pub id: Variant,
    /// The application.
    pub app: String,
    /// The content item.
    pub content: ContentId,
    /// The bundle.
    pub bundle: u64,
    /// Whose it is.
    pub owner: Owner,
    /// Tells these answers from others; none where one of them is a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Labels and answers, without passwords.
    pub answers: Vec<(String, String)>,
    /// When it was asked for.
    pub asked: Timestamp,
    /// What became of it.
    pub state: State,
}

/// What became of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It is being made.
    Waiting,
    /// It is there.
    Done {
        /// Since when.
        at: Timestamp,
    },
    /// It could not be made.
    Failed {
        /// Since when.
        at: Timestamp,
        /// A word of the closed list.
        reason: String,
        /// Why, for every visitor.
        message: String,
    },
}

impl Record {
    /// When it was over, if it is.
    #[must_use]
    pub fn over(&self) -> Option<Timestamp> {
        match &self.state {
            State::Waiting => None,
            State::Done { at } | State::Failed { at, .. } => Some(*at),
        }
    }

    /// Writes it down, whole or not at all.
    ///
    /// # Errors
    /// The disk says why.
    pub fn write(&self, data: &DataDir) -> Result<(), IoFailure> {
        let directory = data.ensure(DIRECTORY)?;
        std::fs::set_permissions(&directory, Permissions::from_mode(0o700))
            .map_err(|error| IoFailure::new("set mode of", &directory, error))?;
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_whole(&self.path(data), &text)
    }

    /// Removes it with its result. What can not be removed is tried again by the next server: the record goes last.
    ///
    /// # Errors
    /// The disk says why.
    pub fn remove(&self, data: &DataDir) -> Result<(), IoFailure> {
        Renders::new(data, self.content.clone(), self.id.clone()).remove_all()?;
        match std::fs::remove_file(self.path(data)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(IoFailure::new("remove", self.path(data), error))
            }
            _ => Ok(()),
        }
    }

    /// Whether its result is gone: who removes the content item removes that too. What can not be read is not gone.
    #[must_use]
    pub fn is_lost(&self, data: &DataDir) -> bool {
        let renders = Renders::new(data, self.content.clone(), self.id.clone());
        matches!(renders.active(), Ok(None))
    }

    fn path(&self, data: &DataDir) -> PathBuf {
        data.path(DIRECTORY).join(format!("{}.json", self.id))
    }
}

/// All that were written down; what can not be read is told.
#[must_use]
pub fn all(data: &DataDir) -> Vec<Record> {
    let entries = std::fs::read_dir(data.path(DIRECTORY))
        .into_iter()
        .flatten()
        .flatten();
    let paths = entries.map(|entry| entry.path());
    let records = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    records
        .filter_map(|path| {
            let read = std::fs::read(&path).map_err(|error| error.to_string());
            let record =
                read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
            record
                .map_err(
                    |error| tracing::warn!(path = %path.display(), "a visitor's result is lost: {error}"),
                )
                .ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK6 (L)
    #[test]
    fn a_record_comes_back_and_goes_with_its_result() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        let record = Record {
            id: Variant::parse("v1").unwrap(),
            app: "sales".to_owned(),
            content: ContentId::parse("sales").unwrap(),
            bundle: 3,
            owner: Owner::user("ann"),
            digest: None,
            answers: vec![("Region".to_owned(), "south".to_owned())],
            asked: Timestamp::UNIX_EPOCH,
            state: State::Waiting,
        };
        assert_eq!(all(&data), []);
        record.write(&data).unwrap();
        let mode = std::fs::metadata(data.path(DIRECTORY))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(all(&data), std::slice::from_ref(&record));
        std::fs::write(data.path(DIRECTORY).join("x.json"), "{").unwrap();
        let result = data.ensure("reports/v2/sales/v1/1").unwrap();
        assert!(record.is_lost(&data));
        std::os::unix::fs::symlink("1", result.with_file_name("active")).unwrap();
        assert!(!record.is_lost(&data));
        record.remove(&data).unwrap();
        record.remove(&data).unwrap();
        assert!(!result.parent().unwrap().exists());
        assert_eq!(all(&data), []);
    }
}
