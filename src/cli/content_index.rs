//! What `offhost content` reads from the index of content items, and writes there of what it has changed.

use jiff::Timestamp;
use serde::Serialize;

use super::args::Format;
use super::content_jobs;
use super::failure::Failure;
use super::printer;
use crate::data::{self, ContentEntry, ContentId, DataDir, Store};
use crate::local::error::LocalError;
use crate::local::index::{Index, observe};
use crate::settings::Settings;
use crate::state::{Address, Item, Overview, Served, State, StateError};

/// The state of a data directory, where there is one: to read it makes none.
pub(super) fn existing(data: &DataDir, settings: &Settings) -> Result<Option<State>, LocalError> {
    let address = Address::of(settings)?;
    if !address.exists() {
        return Ok(None);
    }
    let state = State::of_data(&address, data)?;
    state.make()?;
    Ok(Some(state))
}

/// Writes down what has become of a content item, where there is a database. What was done is done: where this can not be
/// written, the next sweep of a server does it.
pub(super) fn note(data: &DataDir, settings: &Settings, content: &ContentId) {
    let noted = existing(data, settings).and_then(|state| match &state {
        Some(state) => Index {
            data,
            settings,
            state,
        }
        .note(content)
        .map(drop),
        None => Ok(()),
    });
    if let Err(error) = noted {
        printer::note(format!("note: {error}; the index of content follows later"));
    }
}

/// What the index knows of all content items.
#[derive(Default)]
pub(super) struct Known {
    overview: Overview,
    served: Vec<Served>,
}

/// A content item, as a list shows it: the data directory says what there is, the index the rest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    #[serde(flatten)]
    pub(super) entry: ContentEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_as: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    served: Vec<Served>,
}

impl Known {
    /// Where the database can not be asked, this is told, and nothing is known.
    pub(super) fn of(data: &DataDir, settings: &Settings) -> Self {
        let read =
            existing(data, settings).and_then(|state| Ok(state.map(|state| read(&state)).transpose()?));
        read.unwrap_or_else(|error| {
            printer::note(format!("note: {error}; kind, access and account are not known"));
            None
        })
        .unwrap_or_default()
    }

    pub(super) fn line(&self, entry: ContentEntry) -> Line {
        let content = entry.content.as_str();
        let of_content = self.served.iter().filter(|served| served.content == content);
        let served: Vec<Served> = of_content.cloned().collect();
        let kind = entry
            .active
            .and_then(|bundle| self.overview.kinds.get(&(content.to_owned(), bundle)));
        let own = self.overview.accounts.get(content);
        Line {
            kind: kind.cloned(),
            access: together(served.iter().map(|served| &served.access)),
            run_as: together(served.iter().map(|served| &served.run_as)).or_else(|| own.cloned()),
            entry,
            served,
        }
    }
}

fn read(state: &State) -> Result<Known, StateError> {
    Ok(Known {
        overview: state.overview()?,
        served: state.served()?,
    })
}

/// What several applications of one content item say, each word once.
fn together<'a>(words: impl Iterator<Item = &'a String>) -> Option<String> {
    let mut words: Vec<&str> = words.map(String::as_str).collect();
    words.sort_unstable();
    words.dedup();
    (!words.is_empty()).then(|| words.join(","))
}

/// Something that happened to a content item.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    time: Timestamp,
    what: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
}

/// Tells what happened to a content item, oldest first.
pub(super) fn history(
    data: &DataDir,
    settings: &Settings,
    content: &str,
    format: Format,
) -> Result<u8, Failure> {
    let id = ContentId::parse(content).map_err(LocalError::from)?;
    let store = Store::new(data);
    store.content(&id).map_err(LocalError::from)?;
    let (item, is_asked) = item(data, settings, &id)?;
    let Some(item) = item else {
        // It was removed meanwhile.
        return store
            .content(&id)
            .map(|_| 0)
            .map_err(|error| LocalError::from(error).into());
    };
    let mut events = events(item);
    let jobs = if is_asked {
        content_jobs::history(data, settings, &id)?
    } else {
        data::jobs(data, &id).map_err(LocalError::from)?
    };
    for job in jobs {
        events.push(Event {
            time: job.record.started,
            what: format!("job {}", job.key),
            state: content_jobs::word(job.record.state),
            variant: Some(job.record.variant),
            bytes: None,
            bundle: Some(job.record.bundle),
            job: None,
            manifest: None,
        });
    }
    events.sort_by_key(|event| event.time);
    if format == Format::Json {
        printer::json(&events);
        return Ok(0);
    }
    let mut rows = vec![
        ["TIME", "WHAT", "STATE", "VARIANT", "BUNDLE", "BYTES", "JOB"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    rows.extend(events.into_iter().map(|event| {
        vec![
            event.time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            event.what,
            event.state.to_owned(),
            or_dash(event.variant),
            or_dash(event.bundle.map(|bundle| bundle.to_string())),
            or_dash(event.bytes.map(|bytes| bytes.to_string())),
            or_dash(event.job),
        ]
    }));
    printer::table(&rows);
    Ok(0)
}

/// What there is of it: by the index, brought up to date, or by the data directory alone. Whether the database, where there
/// is one, could be asked.
fn item(
    data: &DataDir,
    settings: &Settings,
    content: &ContentId,
) -> Result<(Option<Item>, bool), LocalError> {
    let noted = existing(data, settings).and_then(|state| {
        let index = state.as_ref().map(|state| Index {
            data,
            settings,
            state,
        });
        index.map(|index| index.note(content)).transpose()
    });
    match noted {
        Ok(Some(item)) => Ok((item, true)),
        Ok(None) => Ok((observe(data, settings, content, None)?, true)),
        Err(error) => {
            printer::note(format!("note: {error}; this is what the data directory says"));
            Ok((observe(data, settings, content, None)?, false))
        }
    }
}

fn events(item: Item) -> Vec<Event> {
    let bundles = item.bundles.into_iter().map(|bundle| Event {
        time: bundle.deployed,
        what: format!("bundle {}", bundle.bundle),
        state: if bundle.active { "in force" } else { "kept" },
        variant: None,
        bytes: Some(bundle.facts.bytes),
        bundle: Some(bundle.bundle),
        job: None,
        manifest: bundle.facts.manifest,
    });
    let results = item.results.into_iter().map(|made| Event {
        time: made.finished,
        what: format!("result {}", made.result),
        state: if made.active { "served" } else { "kept" },
        variant: Some(made.variant),
        bytes: Some(made.bytes),
        bundle: Some(made.bundle),
        job: Some(made.job),
        manifest: None,
    });
    bundles.chain(results).collect()
}
