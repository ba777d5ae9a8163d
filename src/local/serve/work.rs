//! Work that is done once, by one server: jobs of manifests, and runs of schedules. Blocks.

use std::path::PathBuf;
use std::sync::Weak;
use std::time::Duration;

use jiff::Timestamp;

use super::keeper::News;
use super::record;
use crate::api::job::JobFile;
use crate::data::{self, ContentId, DataDir, JobDir, JobState};
use crate::local::server::Server;
use crate::local::signals;
use crate::state::{Before, Claim, Claimed, End, LEASE, Outcome, State, StateError};

/// How soon the processes of a server that is gone are looked for again, and a database that can not be reached.
const PAUSE: Duration = Duration::from_millis(500);

/// A piece of work.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What is to be done; its name is that of the job or of the run.
    pub job: JobFile,
    /// What paths count from.
    pub base: PathBuf,
    /// The manifest that asks for it.
    pub manifest: PathBuf,
    /// The schedule and the time, of a run.
    pub run: Option<(String, Timestamp)>,
    /// Lives for as long as it is asked for.
    pub wanted: Weak<()>,
}

/// What trying to do it gave.
#[derive(Debug)]
pub enum Tried {
    /// It is over.
    Over(Outcome),
    /// Another server works on it, or has to say so itself first.
    Elsewhere,
    /// This server ends; the next one does it again.
    Ended,
}

impl Piece {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.job.metadata.name
    }

    /// Whether it is asked for still: what has not begun when its manifest goes, or says something else, is not begun.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    /// By which it is claimed.
    #[must_use]
    pub fn work(&self) -> String {
        let kind = if self.run.is_some() { "run" } else { "job" };
        format!("{kind}/{}", self.name())
    }

    /// What became of it, if it is over: for what its manifest says now.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn known(&self, state: &State) -> Result<Option<Outcome>, StateError> {
        let digest = record::digest(&self.job);
        if let Some((schedule, time)) = &self.run {
            let end = state.run_end(schedule, *time)?;
            return Ok(end.map(|end| Outcome {
                digest,
                succeeded: end.succeeded,
                finished: end.finished,
                content: None,
                message: end.message,
            }));
        }
        Ok(state
            .outcome(self.name())?
            .filter(|outcome| outcome.digest == digest))
    }

    fn finish(&self, state: &State, claim: &Claim, outcome: &Outcome) -> Result<(), StateError> {
        match &self.run {
            None => state.finish_job(claim, self.name(), outcome),
            Some((schedule, time)) => {
                let end = End {
                    finished: outcome.finished,
                    succeeded: outcome.succeeded,
                    message: outcome.message.clone(),
                };
                state.finish_run(claim, schedule, *time, &end)
            }
        }
    }

    /// It has got its turn.
    #[must_use]
    pub fn begun(&self) -> News {
        match &self.run {
            None => News::JobBegun(self.name().to_owned()),
            Some((schedule, time)) => News::RunBegun(schedule.clone(), *time),
        }
    }

    /// It is over; none where the server ended it.
    #[must_use]
    pub fn over(self, done: Option<Outcome>, was_known: bool) -> News {
        match self.run {
            None => News::Job {
                name: self.job.metadata.name,
                done,
                was_known,
            },
            Some((job, time)) => News::Run {
                job,
                time,
                done,
                was_known,
            },
        }
    }

    /// Does it, unless somebody else does or has done it; `run` gives nothing where the server ends.
    ///
    /// # Errors
    /// [`StateError`]: nothing was begun.
    pub fn attempt(
        &self,
        server: &Server,
        run: impl FnOnce(&Claim) -> Option<Outcome>,
    ) -> Result<Tried, StateError> {
        let state = &server.state;
        if let Some(outcome) = self.known(state)? {
            return Ok(Tried::Over(outcome));
        }
        let Claimed::Mine(claim, before) = state.claim(&self.work(), LEASE)? else {
            return Ok(Tried::Elsewhere);
        };
        // It may have ended between the two.
        if let Some(outcome) = self.known(state)? {
            state.give_up(&claim)?;
            return Ok(Tried::Over(outcome));
        }
        if !await_end(server, before.as_ref()) {
            return Ok(Tried::Ended);
        }
        if let Some(outcome) = before.and_then(|before| self.done_before(&server.data, &before)) {
            return Ok(self.write_down(server, &claim, outcome));
        }
        match run(&claim) {
            Some(outcome) => Ok(self.write_down(server, &claim, outcome)),
            None => {
                // Another server may go on at once; where this can not be said it waits until the claim ends.
                drop(state.give_up(&claim));
                Ok(if signals::ends() {
                    Tried::Ended
                } else {
                    Tried::Elsewhere
                })
            }
        }
    }

    /// What a server that is gone has done to its end, and could not write down any more. A failure is tried again: of some
    /// the server's end was the cause.
    fn done_before(&self, data: &DataDir, before: &Before) -> Option<Outcome> {
        let digest = record::digest(&self.job);
        if before.digest.as_ref() != Some(&digest) {
            return None;
        }
        let content = ContentId::parse(&before.content).ok()?;
        let jobs = data::jobs(data, &content).ok()?;
        let record = jobs.into_iter().find(|job| job.key == before.key)?.record;
        (record.state == JobState::Succeeded).then(|| Outcome {
            digest,
            succeeded: true,
            finished: record.finished.unwrap_or(record.started),
            message: done(&before.content, &before.key),
            content: Some(before.content.clone()),
        })
    }

    /// Writes down what became of it, as soon as that can be done. Where the server ends before, a file says it to the next.
    fn write_down(&self, server: &Server, claim: &Claim, outcome: Outcome) -> Tried {
        let mut told = false;
        loop {
            match self.finish(&server.state, claim, &outcome) {
                Ok(()) => return Tried::Over(outcome),
                Err(error) if !error.may_pass() => {
                    tracing::warn!(job = %self.name(), "{error}");
                    return Tried::Elsewhere;
                }
                Err(error) if signals::ends() => {
                    tracing::warn!(job = %self.name(), "{error}; what became of the job is kept in a file");
                    if let Err(error) = record::write(&server.data, self.name(), &outcome, self.run.as_ref())
                    {
                        tracing::warn!(job = %self.name(), "{error}; after a restart the job runs again");
                    }
                    return Tried::Ended;
                }
                Err(error) => {
                    if !told {
                        tracing::warn!(job = %self.name(), "{error}; the job has ended, and this is written down as soon as it can be");
                        told = true;
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }
}

/// What is said of a job that succeeded.
pub(super) fn done(content: &str, key: &str) -> String {
    format!("done; see: offhost logs {content}/{key}")
}

/// Waits until nothing runs of the job that a server before this one had begun. False where this one ends.
fn await_end(server: &Server, before: Option<&Before>) -> bool {
    let Some(Before { content, key, .. }) = before else {
        return true;
    };
    let Ok(content) = ContentId::parse(content) else {
        return true;
    };
    let mut told = false;
    while matches!(JobDir::is_running(&server.data, &content, key), Ok(true)) {
        if signals::ends() {
            return false;
        }
        if !told {
            tracing::info!(%content, key, "waiting for the end of what another server has begun");
            told = true;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

/// Whether the claim may be made use of: waits while the database can not be reached.
///
/// # Errors
/// [`StateError`]: another server has it by now, or this one ends.
pub fn confirm(state: &State, claim: &Claim) -> Result<(), StateError> {
    let mut told = false;
    loop {
        match state.confirm(claim) {
            Err(error) if error.may_pass() && !signals::stop_asked() => {
                if !told {
                    tracing::warn!(work = %claim.work, "{error}; what was made is used as soon as it can be");
                    told = true;
                }
                std::thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::parse_job;
    use crate::data::JobRecord;

    fn piece(command: &str) -> Piece {
        let text = format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {{name: a}}\n\
             spec: {{content: sales, task: Run, command: [{command}]}}\n"
        );
        Piece {
            job: parse_job(&text, "a.yaml").unwrap(),
            base: "/".into(),
            manifest: "/a.yaml".into(),
            run: None,
            wanted: Weak::new(),
        }
    }

    fn record(state: JobState) -> JobRecord {
        JobRecord {
            name: "a".into(),
            tag: "run".into(),
            bundle: 1,
            variant: "default".into(),
            rendering: None,
            started: Timestamp::UNIX_EPOCH,
            finished: Some(Timestamp::UNIX_EPOCH),
            state,
            exit_code: None,
            reason: None,
            message: None,
        }
    }

    /// Proves: CN3 (L)
    #[test]
    fn what_a_dead_server_has_done_is_not_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        let content = ContentId::parse("sales").unwrap();
        let piece = piece("make");
        for (key, state) in [
            ("done", JobState::Succeeded),
            ("failed", JobState::Failed),
            ("cut", JobState::Running),
        ] {
            let job = JobDir::make(&data, &content, key, None).unwrap();
            job.write_record(&record(state)).unwrap();
        }
        let begun = |key: &str, digest: Option<String>| Before {
            content: "sales".into(),
            key: key.into(),
            digest,
        };
        let digest = Some(record::digest(&piece.job));
        let done = piece
            .done_before(&data, &begun("done", digest.clone()))
            .expect("it is over");
        assert!(done.succeeded && Some(&done.digest) == digest.as_ref());
        assert!(done.message.contains("sales/done"), "{}", done.message);
        for (key, digest) in [
            ("failed", digest.clone()),
            ("cut", digest.clone()),
            ("gone", digest.clone()),
            ("done", None),
            // The manifest says something else since.
            ("done", Some(record::digest(&super::tests::piece("other").job))),
        ] {
            assert_eq!(piece.done_before(&data, &begun(key, digest)), None, "{key}");
        }
    }
}
