//! What is kept of content items and bundles, and the records it is kept in.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::copy_types::CopyError;
use super::failure::IoFailure;
use super::fdio;
use super::layout::ContentId;

/// Why a content item can not be deployed, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The source can not be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// There is no such content item.
    #[error("there is no content '{content}'; 'offhost content list' shows what there is")]
    NoContent {
        /// The name asked for.
        content: ContentId,
    },
    /// There is no such bundle.
    #[error("'{content}' has no bundle {bundle}; deploy it, or name one of: {there}")]
    NoBundle {
        /// The content item.
        content: ContentId,
        /// The number asked for.
        bundle: u64,
        /// The numbers there are.
        there: String,
    },
    /// Processes still work with it.
    #[error("'{content}' is in use by a running process; wait for it or end it, then try again")]
    InUse {
        /// The content item.
        content: ContentId,
    },
    /// A record can not be read or written.
    #[error("the record '{}' is damaged; restore it, or remove the content and deploy it again", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// What is kept of a content item, in `content.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentRecord {
    /// Name for people.
    pub name: String,
    /// Path it was last deployed from.
    pub source: PathBuf,
    /// When it was first deployed.
    pub created: Timestamp,
    /// What its jobs take where they ask for nothing.
    #[serde(default)]
    pub defaults: ContentDefaults,
}

/// What a content item's jobs take where they ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentDefaults {
    /// Image (EX5, third).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Account (RA2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
}

impl ContentDefaults {
    /// Takes the account over where a job names none (RA2), and gives the image (EX5).
    #[must_use]
    pub fn take_into(self, run_as: &mut Option<String>) -> Option<String> {
        *run_as = run_as.take().or(self.run_as);
        self.image
    }
}

/// What is kept of a bundle, in `bundles/YY.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleRecord {
    /// Its number (YY).
    pub bundle: u64,
    /// SHA-256 over its paths, execute bits and bytes.
    pub digest: String,
    /// When it was deployed.
    pub deployed: Timestamp,
    /// Path it was deployed from.
    pub source: PathBuf,
    /// The job of a cluster that deployed it, by its uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The account of the application that it was given to. From then on it is not what was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}

/// The account that a bundle was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Whether the group can do there what the account can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Whether all of it was.
    pub whole: bool,
}

/// One deployment.
#[derive(Clone, Debug)]
pub struct Deploy<'a> {
    /// The content item.
    pub content: &'a ContentId,
    /// Name for people, of a new content item.
    pub name: &'a str,
    /// What the publisher named: a directory or archive.
    pub source: &'a Path,
    /// The directory to deploy: `source` itself, or what an archive was unpacked to.
    pub tree: &'a Path,
    /// Whether it becomes the bundle in force.
    pub activate: bool,
    /// The job of a cluster that deploys it, by its uid.
    pub job: Option<&'a str>,
    /// The time now.
    pub now: Timestamp,
}

/// What a deployment came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The record of the bundle.
    pub record: BundleRecord,
    /// Whether the latest bundle was the same already.
    pub reused: bool,
}

/// One content item, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentEntry {
    /// The content item.
    pub content: ContentId,
    /// Its record.
    pub record: ContentRecord,
    /// The bundle in force.
    pub active: Option<u64>,
    /// All its bundles, oldest first.
    pub bundles: Vec<u64>,
}

pub(super) fn write_json(path: &Path, record: &impl Serialize) -> Result<(), StoreError> {
    Ok(fdio::write_whole(path, &json(path, record)?)?)
}

pub(super) fn note_json(path: &Path, record: &impl Serialize) -> Result<(), StoreError> {
    Ok(fdio::note_whole(path, &json(path, record)?)?)
}

fn json(path: &Path, record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec_pretty(record).map_err(|source| StoreError::Record {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| StoreError::Record {
                path: path.to_owned(),
                source,
            }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(IoFailure::new("read", path, error).into()),
    }
}
