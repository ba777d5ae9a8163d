//! The locks of one attempt: taken when its directories are made, or taken over from a controller that has ended.

use std::path::Path;

use super::attempt::{Attempt, Record, result_of};
use super::{Volume, VolumeError};
use crate::data::{
    Environments, IoFailure, JobDir, LibraryStaging, Rendering, Renders, SourceCopy, Staging, Variant,
    layout, remove_tree,
};
use crate::plan::Output;

/// Name of the file that remembers the number of a result before its attempt is begun.
pub(super) const RENDERING: &str = "rendering.json";

/// The inputs of the process that renders, in the directory of its attempt.
const TASK_INPUTS: &str = "task.inputs";

/// The locks of one attempt.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) job: JobDir,
    /// Its record, once it was begun.
    pub(super) record: Option<Record>,
    pub(super) rendering: Option<(Variant, Rendering)>,
    pub(super) copy: Option<SourceCopy>,
    pub(super) making: Option<Making>,
}

/// An environment that is being made.
#[derive(Debug)]
pub(super) enum Making {
    /// An environment of Python or Node.js packages.
    Environment(Staging),
    /// A library of R packages.
    R(LibraryStaging),
}

impl Making {
    /// Removes what is left of where it was made.
    pub(super) fn discard(self, environments: &Environments<'_>) -> Result<(), IoFailure> {
        match self {
            Self::Environment(staging) => environments.discard(staging),
            Self::R(staging) => environments.discard_library(staging),
        }
    }
}

/// Whether an environment is a library of R packages: those are built in `R`.
pub(super) fn is_library(staging: &str) -> bool {
    Path::new(staging).starts_with(layout::r_data())
}

impl Held {
    /// Whether it is known what the attempt came to.
    pub(super) fn is_over(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.answer.is_some())
    }

    /// Ends what is held: in order where it is known what the attempt came to, else as a kill does, so that the next
    /// sweep removes what is left.
    pub(super) fn close(self) {
        if self.is_over() {
            self.job.close();
        }
    }
}

impl Volume {
    /// Fills the place of an attempt: with what this process holds already, with what an earlier controller has left, or,
    /// where `make` says so, with a new directory. `false` where there is nothing.
    pub(super) fn hold(
        &self,
        attempt: &Attempt,
        place: &mut Option<Held>,
        make: bool,
    ) -> Result<bool, VolumeError> {
        if place.is_some() {
            return Ok(true);
        }
        let path = self.data.path(layout::job(attempt.content(), attempt.key()));
        if !make && !path.exists() {
            return Ok(false);
        }
        let what = || format!("attempt {} of '{}'", attempt.key(), attempt.content());
        let job = JobDir::take(&self.data, attempt.content(), attempt.key())?;
        let job = job.ok_or_else(|| held(what(), &path))?;
        let record: Option<Record> = job.read(layout::ATTEMPT_RECORD)?;
        let mut found = Held {
            job,
            record: None,
            rendering: None,
            copy: None,
            making: None,
        };
        match record {
            Some(record) => {
                if record.answer.is_none() {
                    self.adopt_all(attempt, &record, &mut found)?;
                }
                found.record = Some(record);
            }
            None => self.adopt_number(attempt, &mut found)?,
        }
        *place = Some(found);
        Ok(true)
    }

    /// Takes over everything that a begun attempt has.
    fn adopt_all(&self, attempt: &Attempt, record: &Record, found: &mut Held) -> Result<(), VolumeError> {
        match &record.output {
            Output::None => {}
            Output::Scratch { .. } => self.adopt_copy(attempt, record.bundle, found)?,
            Output::Environment { staging, target, .. } => self.adopt_making(staging, target, found)?,
            Output::Result {
                source_copy,
                directory,
                ..
            } => {
                if source_copy.is_some() {
                    self.adopt_copy(attempt, record.bundle, found)?;
                }
                if let Some((variant, number)) = result_of(directory) {
                    self.adopt_result(attempt, variant, number, found)?;
                }
            }
        }
        Ok(())
    }

    /// Takes over the result that was numbered for an attempt which was not begun.
    fn adopt_number(&self, attempt: &Attempt, found: &mut Held) -> Result<(), VolumeError> {
        let number: Option<(Variant, u64)> = found.job.read(RENDERING)?;
        match number {
            Some((variant, number)) => self.adopt_result(attempt, variant, number, found),
            None => Ok(()),
        }
    }

    fn adopt_result(
        &self,
        attempt: &Attempt,
        variant: Variant,
        number: u64,
        found: &mut Held,
    ) -> Result<(), VolumeError> {
        let renders = Renders::new(&self.data, attempt.content().clone(), variant.clone());
        let path = renders.path(number);
        let adopted = renders.adopt(number)?;
        let rendering = adopted.ok_or_else(|| held(format!("the result '{}'", path.display()), &path))?;
        found.rendering = Some((variant, rendering));
        Ok(())
    }

    fn adopt_copy(&self, attempt: &Attempt, bundle: u64, found: &mut Held) -> Result<(), VolumeError> {
        let (content, key) = (attempt.content(), attempt.key());
        let path = self.data.path(layout::source_copy(content, bundle, key));
        let adopted = SourceCopy::adopt(&self.data, content, bundle, key)?;
        found.copy = Some(adopted.ok_or_else(|| held(format!("the copy '{}'", path.display()), &path))?);
        Ok(())
    }

    fn adopt_making(&self, staging: &str, target: &str, found: &mut Held) -> Result<(), VolumeError> {
        let environments = Environments::new(&self.data);
        let (at, to) = (Path::new(staging), Path::new(target));
        let making = if is_library(staging) {
            environments.adopt_library(to, at)?.map(Making::R)
        } else {
            environments.adopt(to, at)?.map(Making::Environment)
        };
        let what = || held(format!("the environment '{target}'"), &self.data.path(staging));
        found.making = Some(making.ok_or_else(what)?);
        Ok(())
    }

    /// Removes everything that an attempt works with. Content on a lost node may still write into it: what can not be
    /// removed now, a sweep removes.
    pub(super) fn clear(&self, held: &mut Held) -> Vec<IoFailure> {
        let mut failures = Vec::new();
        // Parameters, passwords and files of visitors are nobody's business any more.
        let inputs = held.job.path().join(TASK_INPUTS);
        failures.extend(remove_tree(&inputs).err());
        let environments = Environments::new(&self.data);
        failures.extend(held.copy.take().and_then(|copy| copy.remove().err()));
        let making = held.making.take();
        failures.extend(making.and_then(|making| making.discard(&environments).err()));
        failures
    }

    /// Removes a result that is not to be.
    pub(super) fn clear_result(&self, attempt: &Attempt, held: &mut Held) -> Option<IoFailure> {
        let (variant, rendering) = held.rendering.take()?;
        let renders = Renders::new(&self.data, attempt.content().clone(), variant);
        renders.discard(rendering).err()
    }
}

/// What says that another process holds something.
pub(super) fn held(what: String, path: &Path) -> VolumeError {
    VolumeError::Held {
        what,
        lock: layout::lock_beside(path),
    }
}
