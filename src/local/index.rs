//! Keeps the index of content items equal to the data directory, which alone says what is served and kept. It is looked at
//! and written down under a lock, so that who writes last has looked last, whichever server that is. Blocks.

use std::time::Duration;

use jiff::Timestamp;

use super::deploy;
use super::error::LocalError;
use crate::api::job::ContentJobSpec;
use crate::data::{
    self, ContentId, DataDir, FileLock, Renders, ResultState, Store, StoreError, layout, measure,
};
use crate::settings::Settings;
use crate::state::{Bundle, Facts, Item, Made, State};

/// How often everything is compared with the data directory.
pub const SWEEP: Duration = Duration::from_secs(600);

/// Where the index of a data directory is kept.
#[derive(Clone, Copy, Debug)]
pub struct Index<'a> {
    /// The data directory.
    pub data: &'a DataDir,
    /// The settings.
    pub settings: &'a Settings,
    /// The database.
    pub state: &'a State,
}

impl Index<'_> {
    /// Writes down what has changed of a content item; what is gone is forgotten. Gives what there is of it.
    ///
    /// # Errors
    /// The data directory can not be read, or the database not be asked: then the index is what it was.
    pub fn note(self, content: &ContentId) -> Result<Option<Item>, LocalError> {
        self.data.ensure(layout::contents())?;
        let path = self.data.path(layout::content(content));
        let name = format!("{content}.index");
        let _lock = FileLock::exclusive(&layout::lock_beside(&path.with_file_name(name)))?;
        let known = self.state.item(content.as_str())?;
        let item = observe(self.data, self.settings, content, known.as_ref())?;
        match &item {
            Some(item) if known.as_ref() != Some(item) => self.state.put_item(item)?,
            // Where the directory itself was taken away nothing is known to be gone.
            None if self.state.is_of(self.data)? => self.state.forget_content(content.as_str())?,
            _ => {}
        }
        Ok(item)
    }

    /// Does the same for everything. What of one content item can not be read is told, and the others go on.
    ///
    /// # Errors
    /// The database can not be asked, or the list of content items not be read.
    pub fn sweep(self) -> Result<Vec<String>, LocalError> {
        let mut names = self.state.contents()?;
        let there = Store::new(self.data).names()?;
        names.extend(there.iter().map(ToString::to_string));
        let mut faults = Vec::new();
        for name in names {
            let Ok(content) = ContentId::parse(&name) else {
                continue;
            };
            match self.note(&content) {
                Err(error @ LocalError::State(_)) => return Err(error),
                Err(error) => faults.push(error.to_string()),
                Ok(_) => {}
            }
        }
        Ok(faults)
    }
}

/// What the data directory says of a content item; what of its bundles is known already is not looked at again.
///
/// # Errors
/// Something of it can not be read.
pub fn observe(
    data: &DataDir,
    settings: &Settings,
    content: &ContentId,
    known: Option<&Item>,
) -> Result<Option<Item>, LocalError> {
    let store = Store::new(data);
    let record = match store.content(content) {
        Err(StoreError::NoContent { .. }) => return Ok(None),
        record => record?,
    };
    let run_as = record.defaults.run_as.clone();
    Ok(Some(Item {
        content: content.to_string(),
        name: record.name,
        created: whole(record.created),
        run_as: run_as.unwrap_or_else(|| settings.applications.run_as.clone()),
        bundles: bundles(data, content, known)?,
        results: results(data, content)?,
    }))
}

fn bundles(data: &DataDir, content: &ContentId, known: Option<&Item>) -> Result<Vec<Bundle>, LocalError> {
    let store = Store::new(data);
    let active = store.active(content)?;
    let mut bundles = Vec::new();
    for number in store.bundles(content)? {
        let record = match store.bundle_record(content, number) {
            // It was removed meanwhile, or is not whole.
            Err(StoreError::NoBundle { .. }) => continue,
            record => record?,
        };
        let before = known.and_then(|known| {
            let mut bundles = known.bundles.iter();
            bundles.find(|bundle| bundle.bundle == number && bundle.digest == record.digest)
        });
        bundles.push(Bundle {
            bundle: number,
            deployed: whole(record.deployed),
            digest: record.digest,
            facts: match before {
                Some(before) => before.facts.clone(),
                None => facts(data, content, number)?,
            },
            active: active == Some(number),
        });
    }
    Ok(bundles)
}

fn facts(data: &DataDir, content: &ContentId, bundle: u64) -> Result<Facts, LocalError> {
    let path = data.path(layout::bundle(content, bundle));
    let measured = measure(&path)?;
    // One whose kind only its job says has none by itself.
    let facts = deploy::facts(&path, &ContentJobSpec::default()).ok();
    Ok(Facts {
        kind: facts.map(|facts| facts.app_mode.name().to_owned()),
        manifest: measured.manifest,
        bytes: measured.bytes,
    })
}

fn results(data: &DataDir, content: &ContentId) -> Result<Vec<Made>, LocalError> {
    let mut results = Vec::new();
    for variant in data::variants(data, content)? {
        let renders = Renders::new(data, content.clone(), variant.clone());
        let finished = renders.list()?.into_iter();
        let finished = finished.filter(|entry| entry.state == ResultState::Finished);
        results.extend(finished.filter_map(|entry| {
            let record = entry.record?;
            Some(Made {
                variant: variant.to_string(),
                result: entry.number,
                bundle: record.bundle,
                job: record.job,
                finished: whole(record.finished),
                bytes: record.bytes,
                active: entry.active,
            })
        }));
    }
    Ok(results)
}

/// As exactly as the database keeps it.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
