//! Content items and their deployments (AP2): each bundle a directory of its own, whole or not there.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::activate::read_active;
use super::copy::copy_opened;
use super::copy_types::{CopyOptions, Links, Modes};
use super::digest::{digest_opened, tree_digest};
use super::dir::{self, DataDir, next_number};
use super::failure::{Context, IoFailure};
use super::layout::{self, ContentId};
use super::records::{
    BundleRecord, ContentDefaults, ContentEntry, ContentRecord, Deploy, Deployed, StoreError, read_json,
    write_json,
};
use super::{fdio, remove, sync};

/// The content items of a data directory.
#[derive(Clone, Copy, Debug)]
pub struct Store<'a> {
    pub(super) data: &'a DataDir,
}

impl<'a> Store<'a> {
    /// The content items of `data`.
    #[must_use]
    pub fn new(data: &'a DataDir) -> Self {
        Self { data }
    }

    /// Deploys a directory: it is copied, checked for links that lead out, and put in place by one rename. The same
    /// content as the latest bundle is that bundle. A killed deployment leaves only a staging directory.
    ///
    /// # Errors
    /// The source can not be read or is not allowed, or there is no space.
    pub fn deploy(&self, deploy: &Deploy<'_>) -> Result<Deployed, StoreError> {
        let tree = fdio::open_dir_nofollow(deploy.tree).during("open", deploy.tree)?;
        self.deploy_opened(deploy, tree)
    }

    /// As [`Self::deploy`], with the directory opened before: it is that one, whatever its name means by now.
    ///
    /// # Errors
    /// As for [`Self::deploy`].
    pub fn deploy_opened(&self, deploy: &Deploy<'_>, tree: OwnedFd) -> Result<Deployed, StoreError> {
        let content = deploy.content;
        // Before the lock, which others wait for. What can not be read is told by the copy.
        let digest = self
            .latest(content)
            .and_then(|_| digest_opened(tree.as_fd(), deploy.tree).ok());
        let _lock = self.data.lock_content(content)?;
        if self.tombstone(content).exists() {
            self.finish_removal(content)?;
        }
        let app = self.data.ensure(layout::app(content))?;
        self.data.ensure(layout::bundle_records(content))?;
        let deployed = match digest.and_then(|digest| self.latest_of(content, &digest)) {
            Some(record) => self.reuse(deploy, record)?,
            None => self.deploy_copy(deploy, tree, &app)?,
        };
        let bundle = deployed.record.bundle;
        if deploy.activate && self.active(content)? != Some(bundle) {
            fdio::replace_link(&app.join(layout::ACTIVE), &bundle.to_string())?;
        }
        Ok(deployed)
    }

    /// The record of the latest bundle; a damaged one is no reason to refuse a new bundle.
    fn latest(&self, content: &ContentId) -> Option<BundleRecord> {
        let latest = self.bundles(content).ok()?.last().copied()?;
        self.bundle_record(content, latest).ok()
    }

    /// The same, if it is of this digest and untouched.
    fn latest_of(&self, content: &ContentId, digest: &str) -> Option<BundleRecord> {
        // What an application has had to write in is not that any more, whatever it looks like (AP2).
        self.latest(content)
            .filter(|record| record.digest == digest && record.given.is_none())
    }

    fn reuse(&self, deploy: &Deploy<'_>, record: BundleRecord) -> Result<Deployed, StoreError> {
        self.ensure_record(deploy)?;
        Ok(Deployed { record, reused: true })
    }

    fn deploy_copy(&self, deploy: &Deploy<'_>, tree: OwnedFd, app: &Path) -> Result<Deployed, StoreError> {
        let staging = app.join(format!("{}deploy", layout::STAGING_PREFIX));
        remove::remove_tree(&staging)?;
        let deployed = self.deploy_staged(deploy, tree, &staging);
        if !matches!(&deployed, Ok(deployed) if !deployed.reused) {
            remove::remove_tree(&staging)?;
        }
        if deployed.is_err() {
            self.forget_empty(deploy.content);
        }
        deployed
    }

    /// Content that was refused at its first deployment is no content item: its directories go while they are empty.
    fn forget_empty(&self, content: &ContentId) {
        for part in [
            layout::app(content),
            layout::bundle_records(content),
            layout::content(content),
        ] {
            let _ = std::fs::remove_dir(self.data.path(part));
        }
    }

    fn deploy_staged(
        &self,
        deploy: &Deploy<'_>,
        tree: OwnedFd,
        staging: &Path,
    ) -> Result<Deployed, StoreError> {
        let options = CopyOptions {
            links: Links::Inside,
            modes: Modes::Normal,
            ..CopyOptions::default()
        };
        copy_opened(tree, deploy.tree, staging, options)?;
        let digest = tree_digest(staging)?;
        let content = deploy.content;
        let latest = self.bundles(content)?.last().copied();
        if let Some(record) = self.latest_of(content, &digest) {
            return self.reuse(deploy, record);
        }
        self.ensure_record(deploy)?;
        let counter = self.data.path(layout::content(content)).join(".last");
        let bundle = next_number(&counter, latest.unwrap_or(0))?;
        let source = deploy.source.to_owned();
        let record = BundleRecord {
            bundle,
            digest,
            deployed: deploy.now,
            source,
            job: deploy.job.map(str::to_owned),
            given: None,
        };
        sync::sync_tree(staging)?;
        // The record first: the rename of the directory is what makes the bundle exist.
        write_json(&self.data.path(layout::bundle_record(content, bundle)), &record)?;
        let place = self.data.path(layout::bundle(content, bundle));
        if !fdio::rename_new(staging, &place).during("put in place", &place)? {
            return Err(IoFailure::new("put in place", place, rustix::io::Errno::EXIST).into());
        }
        sync::sync_dir(fdio::parent(&place))?;
        Ok(Deployed {
            record,
            reused: false,
        })
    }

    /// The record follows the content item to where it is deployed from: what is deployed under its name was meant for it.
    fn ensure_record(&self, deploy: &Deploy<'_>) -> Result<(), StoreError> {
        let path = self.data.path(layout::content_record(deploy.content));
        let source = deploy.source.to_owned();
        let record = match read_json::<ContentRecord>(&path)? {
            Some(known) if known.source == source => return Ok(()),
            Some(known) => ContentRecord { source, ..known },
            None => ContentRecord {
                name: deploy.name.to_owned(),
                source,
                created: deploy.now,
                defaults: ContentDefaults::default(),
            },
        };
        write_json(&path, &record)
    }

    /// The record of a content item.
    ///
    /// # Errors
    /// There is none, or it can not be read.
    pub fn content(&self, content: &ContentId) -> Result<ContentRecord, StoreError> {
        read_json(&self.data.path(layout::content_record(content)))?.ok_or_else(|| StoreError::NoContent {
            content: content.clone(),
        })
    }

    /// Changes what a content item's jobs take where they ask for nothing.
    ///
    /// # Errors
    /// There is no such content item, or its record can not be written.
    pub fn set_defaults(&self, content: &ContentId, defaults: ContentDefaults) -> Result<(), StoreError> {
        let _lock = self.data.lock_content(content)?;
        let record = ContentRecord {
            defaults,
            ..self.content(content)?
        };
        write_json(&self.data.path(layout::content_record(content)), &record)
    }

    /// The names of all content items, of which one may be on its way in or out.
    ///
    /// # Errors
    /// The directory can not be read.
    pub fn names(&self) -> Result<Vec<ContentId>, IoFailure> {
        let names = fdio::names(&self.data.path(layout::contents()))?;
        Ok(names
            .iter()
            .filter_map(|name| ContentId::parse(name).ok())
            .collect())
    }

    /// All content items, by name.
    ///
    /// # Errors
    /// A record can not be read.
    pub fn list(&self) -> Result<Vec<ContentEntry>, StoreError> {
        let mut entries = Vec::new();
        for content in self.names()? {
            let Some(record) = read_json(&self.data.path(layout::content_record(&content)))? else {
                continue;
            };
            let (active, bundles) = (self.active(&content)?, self.bundles(&content)?);
            entries.push(ContentEntry {
                content,
                record,
                active,
                bundles,
            });
        }
        Ok(entries)
    }

    /// The numbers of a content item's bundles, oldest first.
    ///
    /// # Errors
    /// The directory can not be read.
    pub fn bundles(&self, content: &ContentId) -> Result<Vec<u64>, IoFailure> {
        let mut numbers: Vec<u64> = fdio::names(&self.data.path(layout::app(content)))?
            .iter()
            .filter_map(|name| layout::parse_number(name))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The record of a bundle.
    ///
    /// # Errors
    /// There is no such bundle, or its record can not be read.
    pub fn bundle_record(&self, content: &ContentId, bundle: u64) -> Result<BundleRecord, StoreError> {
        let there = self.bundles(content)?;
        let record = read_json(&self.data.path(layout::bundle_record(content, bundle)))?;
        match record {
            Some(record) if there.contains(&bundle) => Ok(record),
            _ => Err(StoreError::NoBundle {
                content: content.clone(),
                bundle,
                there: there.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The bundle in force.
    ///
    /// # Errors
    /// The link can not be read.
    pub fn active(&self, content: &ContentId) -> Result<Option<u64>, IoFailure> {
        read_active(&self.data.path(layout::app(content)))
    }

    /// Makes a bundle the one in force; processes of the one before keep theirs (AP2).
    ///
    /// # Errors
    /// There is no such bundle.
    pub fn activate(&self, content: &ContentId, bundle: u64) -> Result<(), StoreError> {
        let _lock = self.data.lock_content(content)?;
        self.bundle_record(content, bundle)?;
        let link = self.data.path(layout::active_bundle(content));
        Ok(fdio::replace_link(&link, &bundle.to_string())?)
    }

    /// Removes a content item with its bundles, results and job records.
    ///
    /// # Errors
    /// There is no such content item, a process works with it, or something can not be removed.
    pub fn remove(&self, content: &ContentId) -> Result<(), StoreError> {
        // A name that is nowhere leaves no lock behind.
        self.content(content)?;
        let _lock = self.data.lock_content(content)?;
        self.content(content)?;
        let bundles = self.bundles(content)?;
        let held: Vec<_> = bundles
            .iter()
            .map(|bundle| self.seize(content, *bundle))
            .collect::<Result<_, _>>()?;
        if held.iter().any(Option::is_none) {
            return Err(StoreError::InUse {
                content: content.clone(),
            });
        }
        let place = self.data.path(layout::content(content));
        std::fs::rename(&place, self.tombstone(content)).during("take away", &place)?;
        sync::sync_dir(fdio::parent(&place))?;
        Ok(self.finish_removal(content)?)
    }

    /// What the records of a content item become when it is removed. As long as it is there the removal goes on.
    pub(super) fn tombstone(&self, content: &ContentId) -> PathBuf {
        self.data
            .path(layout::contents())
            .join(format!("{}{content}", layout::GONE_PREFIX))
    }

    /// Ends a removal that has begun; the content's lock is held.
    pub(super) fn finish_removal(&self, content: &ContentId) -> Result<(), IoFailure> {
        for part in [
            layout::app(content),
            layout::content_reports(content),
            layout::jobs().join(content.as_str()),
        ] {
            dir::take_away(&self.data.path(part))?;
        }
        remove::remove_tree(&self.tombstone(content)).map(|_| ())
    }
}
