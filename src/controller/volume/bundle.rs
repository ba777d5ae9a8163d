//! The bundle of a job: one that is deployed already, or one that is deployed now, once (AP2).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::incoming::{self, Opened};
use super::state::FactsKey;
use super::{BundleError, Volume, uploads};
use crate::api::job::{ArchiveRef, ContentJobSpec};
use crate::content::dir::DirFiles;
use crate::content::{BundleFacts, gather as read_facts};
use crate::data::{BundleUse, ContentId, Deploy, IoFailure, Store, StoreError, layout};
use crate::names::INCOMING;
use crate::plan::Task;
use crate::status::Planned;

/// A job, as far as its bundle goes.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Its uid.
    pub job_uid: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it asks for.
    pub spec: &'a ContentJobSpec,
    /// The bundle that its status names.
    pub pinned: Option<(ContentId, u64)>,
    /// The time now.
    pub now: Timestamp,
}

/// The bundle of a job. It stays on the volume until [`Volume::release`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The content item (XX).
    pub content: ContentId,
    /// Its number (YY).
    pub bundle: u64,
    /// What is asked for, with what is set for the content item taken over (RA2).
    pub spec: ContentJobSpec,
    /// What it says.
    pub facts: Arc<BundleFacts>,
    /// Image that is the content item's default (EX5, third).
    pub content_image: Option<String>,
}

/// Is asked before something new is deployed.
type Check<'c> = dyn Fn(&Task) -> Result<(), Box<Planned>> + 'c;

impl Volume {
    /// The bundle of a job, deployed first if the job brings it. Before that `check` is asked with a task that has
    /// stand-ins for what only a deployed bundle has: where it refuses, nothing is deployed, and what is in force stays.
    ///
    /// # Errors
    /// What the job waits for, or why it is refused.
    pub fn bundle(&self, asked: &Asked<'_>, check: &Check<'_>) -> Result<Bundle, BundleError> {
        let (content, bundle) = match &asked.pinned {
            Some(pinned) => {
                // The status names the bundle, so its archive is not needed again.
                if let Some(digest) = self.state.take_upload(asked.job_uid) {
                    self.forget_upload(&digest);
                }
                pinned.clone()
            }
            None => match self.state.with_job(asked.job_uid, |job| job.found.clone()) {
                Some(found) => found,
                None => self.resolve(asked, check)?,
            },
        };
        let found = (content.clone(), bundle);
        let bundle = self.look_into(asked, content, bundle)?;
        self.state.with_job(asked.job_uid, |job| job.found = Some(found));
        Ok(bundle)
    }

    /// Holds a deployment and reads what it says.
    pub(super) fn look_into(
        &self,
        asked: &Asked<'_>,
        content: ContentId,
        bundle: u64,
    ) -> Result<Bundle, BundleError> {
        let (spec, content_image) = self.with_defaults(asked.spec, &content)?;
        let in_use = self.use_bundle(asked.job_uid, &content, bundle)?;
        let facts = self.facts_of(asked, &content, bundle, &in_use)?;
        Ok(Bundle {
            content,
            bundle,
            spec,
            facts,
            content_image,
        })
    }

    fn resolve(&self, asked: &Asked<'_>, check: &Check<'_>) -> Result<(ContentId, u64), BundleError> {
        let named = &asked.spec.bundle;
        match (&named.path, &named.archive, &named.id) {
            (Some(path), None, None) => self.of_path(asked, path, check),
            (None, Some(archive), None) => self.of_archive(asked, archive, check),
            (None, None, id) => self.existing(asked, id.as_deref()),
            _ => Err(BundleError::Several),
        }
    }

    pub(super) fn existing(
        &self,
        asked: &Asked<'_>,
        id: Option<&str>,
    ) -> Result<(ContentId, u64), BundleError> {
        let name = asked.spec.content.as_deref().ok_or(BundleError::NoSource)?;
        let content = ContentId::parse(name)?;
        let bundle = match id {
            Some(id) => {
                layout::parse_number(id).ok_or_else(|| BundleError::Number { given: id.to_owned() })?
            }
            None => Store::new(&self.data)
                .active(&content)?
                .ok_or_else(|| BundleError::NoBundle {
                    content: name.to_owned(),
                })?,
        };
        Ok((content, bundle))
    }

    fn of_path(
        &self,
        asked: &Asked<'_>,
        path: &str,
        check: &Check<'_>,
    ) -> Result<(ContentId, u64), BundleError> {
        let below = incoming::check_path(path)?;
        let name = below.file_name().and_then(|name| name.to_str()).unwrap_or(path);
        let content = content_of(asked.spec, || ContentId::from_source_name(name))?;
        if let Some(bundle) = self.deployed_before(asked, &content)? {
            return Ok((content, bundle));
        }
        let source = self.data.path(INCOMING).join(below);
        self.refuse_other_source(asked, &content, &source)?;
        let opened = incoming::open_path(&self.data, path)?;
        let facts = Arc::new(read_facts(&opened.files()?, asked.spec)?);
        self.refuse_early(asked, &content, &facts, check)?;
        self.deploy(asked, content, &source, &opened)
    }

    fn of_archive(
        &self,
        asked: &Asked<'_>,
        archive: &ArchiveRef,
        check: &Check<'_>,
    ) -> Result<(ContentId, u64), BundleError> {
        uploads::check(archive)?;
        let content = content_of(asked.spec, || ContentId::from_directory_name(asked.name))?;
        if let Some(bundle) = self.deployed_before(asked, &content)? {
            return Ok((content, bundle));
        }
        let source = PathBuf::from(format!("contentjobs/{}/{}", asked.namespace, asked.name));
        self.refuse_other_source(asked, &content, &source)?;
        let key = FactsKey::of(&content, 0, asked.spec);
        let known = self.state.with_job(asked.job_uid, |job| {
            job.upload = Some(archive.sha256.clone());
            job.opened.clone().filter(|(known, _)| *known == key)
        });
        let (file, shown) = self.uploaded(archive)?;
        // What an archive of this digest says stays the same: a plan that is refused again costs no unpacking.
        if let Some((_, facts)) = known {
            self.refuse_early(asked, &content, &facts, check)?;
        }
        let opened = incoming::unpack(&self.data, file, &shown)?;
        let facts = Arc::new(read_facts(&opened.files()?, asked.spec)?);
        self.state
            .with_job(asked.job_uid, |job| job.opened = Some((key, facts.clone())));
        self.refuse_early(asked, &content, &facts, check)?;
        self.deploy(asked, content, &source, &opened)
    }

    /// The bundle that this job has deployed before it could say so in its status. It is in force, unless another one was
    /// deployed since.
    fn deployed_before(&self, asked: &Asked<'_>, content: &ContentId) -> Result<Option<u64>, BundleError> {
        let store = Store::new(&self.data);
        let Some(bundle) = store.deployed_by(content, asked.job_uid)? else {
            return Ok(None);
        };
        if store.active(content)?.is_none_or(|active| active < bundle) {
            store.activate(content, bundle)?;
        }
        Ok(Some(bundle))
    }

    /// Two sources of the same name must not replace each other's content unasked.
    fn refuse_other_source(
        &self,
        asked: &Asked<'_>,
        content: &ContentId,
        source: &Path,
    ) -> Result<(), BundleError> {
        match Store::new(&self.data).content(content) {
            Ok(known) if asked.spec.content.is_none() && known.source != source => {
                Err(BundleError::OtherSource {
                    content: content.to_string(),
                    known: known.source,
                })
            }
            Ok(_) | Err(StoreError::NoContent { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn refuse_early(
        &self,
        asked: &Asked<'_>,
        content: &ContentId,
        facts: &Arc<BundleFacts>,
        check: &Check<'_>,
    ) -> Result<(), BundleError> {
        let (spec, content_image) = match self.with_defaults(asked.spec, content) {
            // What was never deployed has no defaults.
            Err(BundleError::Store(StoreError::NoContent { .. })) => (asked.spec.clone(), None),
            found => found?,
        };
        let stand_in = Bundle {
            content: content.clone(),
            bundle: 1,
            spec,
            facts: facts.clone(),
            content_image,
        };
        check(&self.task(&stand_in, "JOB", 1)).map_err(BundleError::Plan)
    }

    fn deploy(
        &self,
        asked: &Asked<'_>,
        content: ContentId,
        source: &Path,
        opened: &Opened,
    ) -> Result<(ContentId, u64), BundleError> {
        let deploy = Deploy {
            content: &content,
            name: content.as_str(),
            source,
            tree: &opened.path,
            activate: true,
            job: Some(asked.job_uid),
            now: asked.now,
        };
        let deployed = Store::new(&self.data).deploy_opened(&deploy, opened.tree()?)?;
        Ok((content, deployed.record.bundle))
    }

    /// Takes over what is set for the content item where the job asks for nothing: gives its default image too.
    fn with_defaults(
        &self,
        spec: &ContentJobSpec,
        content: &ContentId,
    ) -> Result<(ContentJobSpec, Option<String>), BundleError> {
        let mut spec = spec.clone();
        let defaults = Store::new(&self.data).content(content)?.defaults;
        let image = defaults.take_into(&mut spec.run_as);
        Ok((spec, image))
    }

    /// Lets a job hold a bundle, together with all others that work with it.
    pub(super) fn use_bundle(
        &self,
        uid: &str,
        content: &ContentId,
        bundle: u64,
    ) -> Result<Arc<BundleUse>, StoreError> {
        let in_use = match self.state.bundle(content, bundle) {
            Some(in_use) => in_use,
            None => Arc::new(Store::new(&self.data).use_bundle(content, bundle)?),
        };
        self.state.hold_bundle(uid, content, bundle, in_use.clone());
        Ok(in_use)
    }

    /// What a deployed bundle says: read once for all jobs that ask the same of it.
    fn facts_of(
        &self,
        asked: &Asked<'_>,
        content: &ContentId,
        bundle: u64,
        in_use: &BundleUse,
    ) -> Result<Arc<BundleFacts>, BundleError> {
        let key = FactsKey::of(content, bundle, asked.spec);
        let facts = match self.state.facts(&key) {
            Some(facts) => facts,
            None => {
                let path = in_use.path();
                let files = DirFiles::open(path).map_err(|error| IoFailure::new("open", path, error))?;
                Arc::new(read_facts(&files, asked.spec)?)
            }
        };
        self.state.hold_facts(asked.job_uid, key, facts.clone());
        Ok(facts)
    }
}

/// The content item of a job: as it says, else after what it brings.
fn content_of(
    spec: &ContentJobSpec,
    otherwise: impl FnOnce() -> Result<ContentId, crate::data::NameError>,
) -> Result<ContentId, BundleError> {
    Ok(match &spec.content {
        Some(name) => ContentId::parse(name)?,
        None => otherwise()?,
    })
}
