//! What a server does about the state all the time: says that it lives, ends what it is asked to, and takes over what was
//! written elsewhere.

use std::sync::Arc;
use std::time::Duration;

use super::record;
use crate::data::{self, ContentId, DataDir, JobRecord, JobState, Store};
use crate::local::error::LocalError;
use crate::local::index;
use crate::local::server::Server;
use crate::local::signals;
use crate::state::{LEASE, State, StateError};

/// How often a server says that it lives: some may be lost before its claims end.
const BEAT: Duration = Duration::from_secs(5);
/// How often it is looked for jobs whose end was not written down.
const LOOK: Duration = Duration::from_secs(60);
/// How soon an index that could not be written is tried again.
const INDEX_AGAIN: Duration = Duration::from_secs(30);
/// That the records of a data directory were taken over.
const IMPORTED: &str = "records of jobs";

/// Takes over what lies in files: all of it the first time, and what a server that died could not write down. Blocks.
///
/// # Errors
/// The state can not be written, or a record not be read.
pub fn catch_up(server: &Server) -> Result<(), LocalError> {
    let state = &server.state;
    record::import(&server.data, state)?;
    if !state.is_marked(IMPORTED)? {
        let mut count = 0_usize;
        for content in Store::new(&server.data).list()? {
            for job in data::jobs(&server.data, &content.content)? {
                state.put_job(content.content.as_str(), &job.key, &job.record)?;
                count += 1;
            }
        }
        state.mark(IMPORTED)?;
        tracing::info!(jobs = count, state = %state.address(), "what was known of jobs is taken over");
    }
    for fault in close_ended(&server.data, state)? {
        tracing::warn!("{fault}");
    }
    Ok(())
}

/// Closes the jobs that the state calls running, and of which nothing runs. Gives what can not be read: of jobs about which
/// the data directory says nothing for the moment nothing is known.
fn close_ended(data: &DataDir, state: &State) -> Result<Vec<String>, StateError> {
    let mut faults = Vec::new();
    let open = state.open_jobs()?;
    // One whose file system was taken away has no jobs, and they may run all the same.
    if open.is_empty() || !state.is_of(data)? {
        return Ok(faults);
    }
    for open in open {
        let Ok(content) = ContentId::parse(&open.content) else {
            continue;
        };
        let there = match data::jobs(data, &content) {
            Ok(there) => there,
            Err(error) => {
                faults.push(error.to_string());
                continue;
            }
        };
        let record = there.into_iter().find(|job| job.key == open.key);
        let record = record.map_or(
            JobRecord {
                state: JobState::CutOff,
                ..open.record
            },
            |job| job.record,
        );
        if record.state != JobState::Running {
            state.close_job(&open.content, &open.key, &record)?;
        }
    }
    Ok(faults)
}

/// Works for as long as the program does: jobs that are being ended are still its own. Nothing but this is done there, so that
/// no slow disk makes a claim end.
pub async fn keep_up(server: Arc<Server>) {
    let beat = |server: &Server| {
        for run in beat(&server.state)? {
            signals::stop(&run);
        }
        Ok(Vec::new())
    };
    let pauses = Pauses {
        usual: BEAT,
        after_fault: BEAT,
    };
    tokio::time::sleep(BEAT).await;
    tend(server, "what is served goes on, jobs wait for it", pauses, beat).await;
}

/// Looks from time to time for jobs whose end was not written down.
pub async fn keep_records(server: Arc<Server>) {
    let look = |server: &Server| Ok(close_ended(&server.data, &server.state)?);
    let pauses = Pauses {
        usual: LOOK,
        after_fault: LOOK,
    };
    tend(server, "what became of jobs is told later", pauses, look).await;
}

/// Compares the index of content with the data directory, at the start and from time to time.
pub async fn keep_index(server: Arc<Server>) {
    let pauses = Pauses {
        usual: index::SWEEP,
        after_fault: INDEX_AGAIN,
    };
    let what = "the index of content follows later, what is served goes on";
    tend(server, what, pauses, |server| server.index().sweep()).await;
}

/// How long is waited before something is done again.
struct Pauses {
    usual: Duration,
    after_fault: Duration,
}

/// Does something again and again. What goes wrong is told when it begins and when it is over.
async fn tend(
    server: Arc<Server>,
    meanwhile: &'static str,
    pauses: Pauses,
    work: fn(&Server) -> Result<Vec<String>, LocalError>,
) {
    let mut fault: Option<String> = None;
    loop {
        let place = server.clone();
        let now = match tokio::task::spawn_blocking(move || work(&place)).await {
            Ok(Ok(faults)) => (!faults.is_empty()).then(|| faults.join("; ")),
            Ok(Err(error)) => Some(error.to_string()),
            // It panicked, or the server ends.
            Err(error) if error.is_panic() => Some(error.to_string()),
            Err(_) => return,
        };
        match (&now, &fault) {
            (Some(now), None) => tracing::warn!("{now}; {meanwhile}"),
            (None, Some(_)) => tracing::info!(state = %server.state.address(), "the state is back"),
            _ => {}
        }
        let pause = if now.is_some() {
            pauses.after_fault
        } else {
            pauses.usual
        };
        fault = now;
        tokio::time::sleep(pause).await;
    }
}

/// The names of the runs that are to end.
fn beat(state: &State) -> Result<Vec<String>, StateError> {
    let works = state.renew(LEASE)?;
    let names = works.iter().filter_map(|work| work.split_once('/'));
    Ok(names.map(|(_, name)| name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{JobDir, layout};
    use crate::state::Address;

    fn record() -> JobRecord {
        JobRecord {
            name: "x".into(),
            tag: "run".into(),
            bundle: 1,
            variant: "default".into(),
            rendering: None,
            started: jiff::Timestamp::UNIX_EPOCH,
            finished: None,
            state: JobState::Running,
            exit_code: None,
            reason: None,
            message: None,
        }
    }

    /// Proves: CN3 (L), PK10 (L)
    #[test]
    fn a_job_is_cut_off_where_that_is_known_and_not_where_nothing_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        let state = State::of_data(&Address::Sqlite(dir.path().join("db")), &data).unwrap();
        let content = ContentId::parse("sales").unwrap();
        let make = |key| {
            let job = JobDir::make(&data, &content, key, None).unwrap();
            job.write_record(&record()).unwrap();
            state.put_job("sales", key, &record()).unwrap();
            job
        };
        let (_runs, dead, damaged) = (make("runs"), make("dead"), make("damaged"));
        drop((dead, damaged));
        let path = data.path(layout::job(&content, "damaged")).join("job.json");
        std::fs::write(&path, "{").unwrap();
        let count = || state.open_jobs().unwrap().len();
        assert_eq!(close_ended(&data, &state).unwrap().len(), 3);
        assert_eq!(count(), 3, "nothing is known of any of them");
        std::fs::write(&path, serde_json::to_vec(&record()).unwrap()).unwrap();
        // As where its file system is not there for a while.
        let aside = dir.path().join("aside");
        std::fs::rename(data.root(), &aside).unwrap();
        std::fs::create_dir(data.root()).unwrap();
        assert_eq!(close_ended(&data, &state).unwrap(), Vec::<String>::new());
        assert_eq!(count(), 3);
        std::fs::remove_dir(data.root()).unwrap();
        std::fs::rename(&aside, data.root()).unwrap();
        close_ended(&data, &state).unwrap();
        let open = state.open_jobs().unwrap();
        assert_eq!((open.len(), open[0].key.as_str()), (1, "runs"));
        // One that was forgotten meanwhile does not come back.
        state.close_job("sales", "forgotten", &record()).unwrap();
        assert_eq!(state.jobs("sales").unwrap().len(), 3);
    }
}
