//! What applications need of the volume: their deployment, and the directories of their processes (AP1, AP2).

use jiff::Timestamp;

use super::attempt::Attempt;
use super::bundle::{Asked, Bundle};
use super::discard::Failure;
use super::{Beginning, BundleError, Volume, VolumeError};
use crate::api::job::ContentJobSpec;
use crate::data::{ContentId, Renders, Variant};
use crate::status::Problem;

/// An application, as far as its deployment goes.
#[derive(Clone, Copy, Debug)]
pub struct AppAsked<'a> {
    /// Its uid.
    pub uid: &'a str,
    /// What it asks for, as a job would: with the content item and without what brings a bundle.
    pub spec: &'a ContentJobSpec,
    /// The time now.
    pub now: Timestamp,
}

impl Volume {
    /// The deployment that new processes of an application are made from: that which it names, or the active one. It stays
    /// on the volume until another one is asked for, or until [`Volume::release`].
    ///
    /// # Errors
    /// There is none, or it can not be read.
    pub fn app_bundle(&self, app: &AppAsked<'_>) -> Result<Bundle, BundleError> {
        let asked = Asked {
            job_uid: app.uid,
            namespace: "",
            name: "",
            spec: app.spec,
            pinned: None,
            now: app.now,
        };
        let (content, bundle) = self.existing(&asked, app.spec.bundle.id.as_deref())?;
        self.look_into(&asked, content, bundle)
    }

    /// Whether a variant of a document has a result that is served.
    ///
    /// # Errors
    /// The name of the variant can not be part of a path, or the volume can not be read.
    pub fn has_active_result(&self, content: &ContentId, variant: Option<&str>) -> Result<bool, VolumeError> {
        let variant = Variant::parse(variant.unwrap_or("default"))?;
        let renders = Renders::new(&self.data, content.clone(), variant);
        Ok(renders.active()?.is_some())
    }

    /// Makes what the Pod of a process mounts, and holds its deployment until [`Volume::end_process`].
    ///
    /// # Errors
    /// What can not be made.
    pub fn begin_process(&self, attempt: &Attempt, beginning: &Beginning<'_>) -> Result<(), VolumeError> {
        let bundle = beginning.bundle;
        self.use_bundle(attempt.job_uid(), &bundle.content, bundle.bundle)?;
        self.begin(attempt, beginning)
    }

    /// A process is gone: what it came to is recorded, and nothing is held for it any more. Its log stays.
    ///
    /// # Errors
    /// It can not be recorded; it can be tried again.
    pub fn end_process(
        &self,
        attempt: &Attempt,
        problem: Option<(&Problem, Option<i32>)>,
        now: Timestamp,
    ) -> Result<(), VolumeError> {
        match problem {
            None => drop(self.finish(attempt, now)?),
            Some((problem, exit_code)) => {
                let failure = Failure {
                    problem,
                    exit_code,
                    signal: None,
                };
                self.discard(attempt, &failure, now)?;
            }
        }
        self.release(attempt.job_uid());
        Ok(())
    }
}
