//! An attempt is begun: everything that its Pod mounts is made, in as many steps as there are directories (RD1, RD2, PW1).

use std::path::Path;

use jiff::Timestamp;

use super::attempt::{Attempt, Record, result_of};
use super::bundle::Bundle;
use super::held::{Held, Making, RENDERING, held, is_library};
use super::state::lock_slot;
use super::{Volume, VolumeError, can_own};
use crate::content::form::Upload;
use crate::content::kinds;
use crate::data::{
    BundleOwner, Environments, JobRecord, JobState, Owner, Renders, SourceCopy, Store, Variant, layout,
    write_inputs,
};
use crate::plan::{Output, Plan, ProcessPlan, Purpose, Source};

/// What an attempt is begun with.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// Name of the ContentJob.
    pub name: &'a str,
    /// Its bundle.
    pub bundle: &'a Bundle,
    /// Its plan, made with the attempt's key and the number that [`Volume::rendering`] gave.
    pub plan: &'a Plan,
    /// The process of that plan that the Pod runs.
    pub process: &'a ProcessPlan,
    /// Further files for that process: what a visitor has sent.
    pub files: &'a [Upload],
    /// The time now.
    pub now: Timestamp,
}

impl Volume {
    /// The number of the result that a process of an attempt makes; 1 where it makes none. It is taken once for an
    /// attempt and remembered on the volume. `process` is of a plan made with any number.
    ///
    /// # Errors
    /// The directory of the result can not be made, or an earlier controller still holds it.
    pub fn rendering(&self, attempt: &Attempt, process: &ProcessPlan) -> Result<u64, VolumeError> {
        let Output::Result { directory, .. } = &process.output else {
            return Ok(1);
        };
        let Some((variant, _)) = result_of(directory) else {
            return Ok(1);
        };
        can_own(process)?;
        let slot = self.state.slot(attempt);
        let mut place = lock_slot(&slot);
        self.hold(attempt, &mut place, true)?;
        let Some(found) = place.as_mut() else { return Ok(1) };
        if let Some(Output::Result { directory, .. }) = found.record.as_ref().map(|record| &record.output) {
            // What was begun stays as it is, also when it is finished already.
            return Ok(result_of(directory).map_or(1, |(_, number)| number));
        }
        self.number(attempt, variant, process, found)
    }

    fn number(
        &self,
        attempt: &Attempt,
        variant: Variant,
        process: &ProcessPlan,
        found: &mut Held,
    ) -> Result<u64, VolumeError> {
        if let Some((known, rendering)) = &found.rendering
            && *known == variant
            && rendering.path().exists()
        {
            return Ok(rendering.number());
        }
        if let Some(failure) = self.clear_result(attempt, found) {
            return Err(failure.into());
        }
        let renders = Renders::new(&self.data, attempt.content().clone(), variant.clone());
        let rendering = renders.begin(owner_of(process))?;
        let number = rendering.number();
        found.rendering = Some((variant.clone(), rendering));
        found.job.note(RENDERING, &(variant, number))?;
        Ok(number)
    }

    /// Makes everything that the Pod of an attempt mounts, and the record by which the attempt is finished. Does nothing
    /// once that was done.
    ///
    /// # Errors
    /// [`VolumeError::Changed`] where it was begun with another plan; otherwise what can not be made.
    pub fn begin(&self, attempt: &Attempt, beginning: &Beginning<'_>) -> Result<(), VolumeError> {
        can_own(beginning.process)?;
        let slot = self.state.slot(attempt);
        let mut place = lock_slot(&slot);
        self.hold(attempt, &mut place, true)?;
        let Some(found) = place.as_mut() else {
            return Ok(());
        };
        let record = record_of(attempt, beginning);
        if let Some(begun) = &found.record {
            return if begun.is_same(&record) {
                Ok(())
            } else {
                let key = attempt.key().to_owned();
                Err(VolumeError::Changed { key })
            };
        }
        let owner = owner_of(beginning.process);
        found.job.make_log(owner)?;
        self.make_inputs(beginning, found, owner)?;
        self.make_output(attempt, &record, owner, found)?;
        self.check_sources(attempt, beginning)?;
        self.give_bundle(attempt, beginning)?;
        found.job.note(layout::JOB_RECORD, &job_record(beginning))?;
        // The last step: with this record the attempt is begun, and can be finished by whoever comes.
        found.job.write(layout::ATTEMPT_RECORD, &record)?;
        found.record = Some(record);
        Ok(())
    }

    fn make_inputs(
        &self,
        beginning: &Beginning<'_>,
        found: &Held,
        owner: Option<Owner>,
    ) -> Result<(), VolumeError> {
        let process = beginning.process;
        if process.inputs.is_empty() {
            return Ok(());
        }
        let directory = found.job.path().join(inputs_name(process));
        let files = process
            .inputs
            .iter()
            .map(|input| (input.name.as_str(), input.text.as_bytes()));
        let sent = beginning
            .files
            .iter()
            .map(|file| (file.name.as_str(), file.bytes.as_slice()));
        Ok(write_inputs(&directory, files.chain(sent), owner)?)
    }

    fn make_output(
        &self,
        attempt: &Attempt,
        record: &Record,
        owner: Option<Owner>,
        found: &mut Held,
    ) -> Result<(), VolumeError> {
        match &record.output {
            Output::None => {}
            Output::Scratch { .. } => self.make_copy(attempt, record.bundle, owner, found)?,
            Output::Environment { staging, target, .. } => {
                self.make_environment(staging, target, owner, found)?;
            }
            Output::Result {
                source_copy,
                directory,
                ..
            } => {
                if source_copy.is_some() {
                    self.make_copy(attempt, record.bundle, owner, found)?;
                }
                match &found.rendering {
                    Some((variant, rendering))
                        if result_of(directory) == Some((variant.clone(), rendering.number())) =>
                    {
                        rendering.give_to(owner)?;
                    }
                    // The plan was not made with the number that was taken for the attempt.
                    _ => {
                        let key = attempt.key().to_owned();
                        return Err(VolumeError::Changed { key });
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes the directory that the Pod copies the source to.
    fn make_copy(
        &self,
        attempt: &Attempt,
        bundle: u64,
        owner: Option<Owner>,
        found: &mut Held,
    ) -> Result<(), VolumeError> {
        if found.copy.is_some() {
            return Ok(());
        }
        let (content, key) = (attempt.content(), attempt.key());
        let copy = SourceCopy::take_empty(&self.data, content, bundle, key, owner)?;
        let path = self.data.path(layout::source_copy(content, bundle, key));
        found.copy = Some(copy.ok_or_else(|| held(format!("the copy '{}'", path.display()), &path))?);
        Ok(())
    }

    fn make_environment(
        &self,
        staging: &str,
        target: &str,
        owner: Option<Owner>,
        found: &mut Held,
    ) -> Result<(), VolumeError> {
        if found.making.is_some() {
            return Ok(());
        }
        let environments = Environments::new(&self.data);
        let (at, to) = (Path::new(staging), Path::new(target));
        let making = if is_library(staging) {
            environments.try_stage_library(to, at, owner)?.map(Making::R)
        } else {
            environments.try_stage(to, at, owner)?.map(Making::Environment)
        };
        let target = target.to_owned();
        found.making = Some(making.ok_or(VolumeError::Installing { target })?);
        Ok(())
    }

    /// The directory of an application belongs to its account (AP1).
    fn give_bundle(&self, attempt: &Attempt, beginning: &Beginning<'_>) -> Result<(), VolumeError> {
        if beginning.process.purpose != Purpose::Serve {
            return Ok(());
        }
        let identity = &beginning.process.identity;
        let account = BundleOwner::alone(identity.uid, identity.gid);
        let store = Store::new(&self.data);
        Ok(store.give_bundle(attempt.content(), beginning.bundle.bundle, account)?)
    }

    /// A Pod whose mount has no source waits for ever; a sentence says what is missing instead.
    fn check_sources(&self, attempt: &Attempt, beginning: &Beginning<'_>) -> Result<(), VolumeError> {
        let process = beginning.process;
        let bundle = layout::bundle(attempt.content(), beginning.bundle.bundle);
        let mut sources = vec![("the deployed source".to_owned(), self.data.path(bundle))];
        for mount in &process.mounts {
            let path = match &mount.source {
                Source::Data(path) => self.data.path(path),
                Source::Inputs => self
                    .data
                    .path(layout::job(attempt.content(), attempt.key()))
                    .join(inputs_name(process)),
                // It comes with an image.
                Source::Runtime => continue,
            };
            sources.push((mount.what.clone(), path));
        }
        for (what, path) in sources {
            if !std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
                return Err(VolumeError::NotThere { what, path });
            }
        }
        Ok(())
    }
}

fn owner_of(process: &ProcessPlan) -> Option<Owner> {
    Owner::of_process(process.identity.uid, process.identity.gid)
}

fn inputs_name(process: &ProcessPlan) -> String {
    format!("{}.inputs", process.purpose.process_name())
}

fn record_of(attempt: &Attempt, beginning: &Beginning<'_>) -> Record {
    let process = beginning.process;
    Record {
        job: beginning.name.to_owned(),
        job_uid: attempt.job_uid().to_owned(),
        bundle: beginning.bundle.bundle,
        output: process.output.clone(),
        uid: process.identity.uid,
        gid: process.identity.gid,
        image: beginning.plan.runtime.runtime.clone(),
        answer: None,
    }
}

impl Record {
    /// Whether a Pod of the one plan can be finished as one of the other: the image may be another by now.
    fn is_same(&self, other: &Self) -> bool {
        (&self.output, self.bundle, self.uid, self.gid) == (&other.output, other.bundle, other.uid, other.gid)
    }
}

/// What the list of the content item's jobs shows.
fn job_record(beginning: &Beginning<'_>) -> JobRecord {
    let bundle = beginning.bundle;
    let tag = match &beginning.process.purpose {
        Purpose::Install(key) => kinds::install_tag(key.language),
        Purpose::Task(kind) => kinds::job_tag(*kind, &bundle.facts),
        Purpose::Serve | Purpose::Build => bundle.facts.app_mode.kind().tag,
    };
    let number = match &beginning.process.output {
        Output::Result { directory, .. } => result_of(directory),
        _ => None,
    };
    JobRecord {
        name: beginning.name.to_owned(),
        tag: tag.to_owned(),
        bundle: bundle.bundle,
        variant: bundle
            .spec
            .variant
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
        rendering: number.map(|(_, number)| number.to_string()),
        started: beginning.now,
        finished: None,
        state: JobState::Running,
        exit_code: None,
        reason: None,
        message: None,
    }
}
