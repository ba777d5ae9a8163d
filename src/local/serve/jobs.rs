//! Jobs of manifests: each is run once for what its manifest says, some at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::keeper::Keeper;
use super::record;
use super::report::JobLine;
use super::work::{Piece, Tried, confirm, done};
use crate::api::job::JobFile;
use crate::local::deploy::Request;
use crate::local::error::LocalError;
use crate::local::job;
use crate::local::server::Server;
use crate::local::signals;
use crate::local::watcher::Watcher;
use crate::reason::Reason;
use crate::state::{Before, Claim, Outcome};

/// How soon it is looked again whether another server is done, or the database can be reached.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The jobs of all manifests.
#[derive(Debug, Default)]
pub struct Jobs {
    entries: BTreeMap<String, Entry>,
    /// Whether manifests were followed before.
    is_known: bool,
}

#[derive(Debug)]
struct Entry {
    job: JobFile,
    base: PathBuf,
    file: String,
    state: State,
    /// It is begun for as long as this lives.
    wanted: Arc<()>,
}

#[derive(Debug)]
enum State {
    Waiting,
    /// With the digest of what is run; the manifest may say something else by now.
    Running,
    Over(Outcome),
}

impl Jobs {
    /// Follows what the manifests say now. Gives what is to be begun. What runs is run to its end, whatever its manifest
    /// says by now; what waits for its turn is not begun for a manifest that is gone or says something else.
    fn follow(&mut self, jobs: BTreeMap<String, (String, JobFile, PathBuf)>) -> Vec<Piece> {
        self.entries.retain(|name, _| jobs.contains_key(name));
        let mut pieces = Vec::new();
        for (name, (file, job, base)) in jobs {
            let digest = record::digest(&job);
            match self.entries.get_mut(&name) {
                Some(entry) if record::digest(&entry.job) == digest => entry.file = file,
                Some(entry) if matches!(entry.state, State::Running) => (entry.job, entry.file) = (job, file),
                _ => {
                    let entry = Entry {
                        job,
                        base,
                        file,
                        state: State::Waiting,
                        wanted: Arc::default(),
                    };
                    self.entries.insert(name.clone(), entry);
                    pieces.extend(self.piece(&name));
                }
            }
        }
        pieces
    }

    /// A job anew; what waited for its turn of it is not wanted any more.
    fn piece(&mut self, name: &str) -> Option<Piece> {
        let entry = self.entries.get_mut(name)?;
        entry.state = State::Waiting;
        entry.wanted = Arc::default();
        Some(Piece {
            job: entry.job.clone(),
            base: entry.base.clone(),
            manifest: entry.base.join(&entry.file),
            run: None,
            wanted: Arc::downgrade(&entry.wanted),
        })
    }

    /// A job has got its turn.
    pub(super) fn begun(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.state = State::Running;
        }
    }

    pub(super) fn lines(&self) -> Vec<JobLine> {
        let line = |(name, entry): (&String, &Entry)| {
            let (state, message) = match &entry.state {
                State::Waiting => ("Waiting", None),
                State::Running => ("Running", None),
                State::Over(done) if done.succeeded => ("Succeeded", Some(done.message.clone())),
                State::Over(done) => ("Failed", Some(done.message.clone())),
            };
            JobLine {
                name: name.clone(),
                state: state.to_owned(),
                message,
                manifest: entry.file.clone(),
            }
        };
        self.entries.iter().map(line).collect()
    }
}

impl Keeper {
    pub(super) fn follow_jobs(&mut self, jobs: BTreeMap<String, (String, JobFile, PathBuf)>) {
        self.forget_jobs(&jobs);
        for piece in self.jobs.follow(jobs) {
            self.do_once(piece);
        }
    }

    /// Forgets the jobs of which no manifest speaks any more: one that comes back is run again. Which of those that were
    /// there before this server are another server's, nobody knows where several share the state.
    fn forget_jobs(&mut self, jobs: &BTreeMap<String, (String, JobFile, PathBuf)>) {
        let state = self.server.state.clone();
        let is_whole = self.faults().is_empty();
        let is_first = is_first_whole(&mut self.jobs.is_known, is_whole) && !state.address().is_shared();
        let known = self.jobs.entries.keys();
        let mut gone: Vec<String> = known.filter(|name| !jobs.contains_key(*name)).cloned().collect();
        let there: Vec<String> = jobs.keys().cloned().collect();
        tokio::task::spawn_blocking(move || {
            if is_first {
                match state.outcome_names() {
                    Ok(names) => gone.extend(names.into_iter().filter(|name| !there.contains(name))),
                    Err(error) => {
                        tracing::warn!(
                            "{error}; jobs whose manifests went before are not run again when they come back"
                        );
                    }
                }
            }
            for name in gone {
                if let Err(error) = state.forget_job(&name) {
                    tracing::warn!(job = %name, "{error}; the job is not run again when its manifest comes back");
                }
            }
        });
    }

    fn begin_job(&mut self, name: &str) {
        if let Some(piece) = self.jobs.piece(name) {
            self.do_once(piece);
        }
    }

    /// Does a piece of work when it is its turn, unless it is done already, or another server does it.
    pub(super) fn do_once(&self, piece: Piece) {
        let (queue, server, news) = (self.slow.clone(), self.server.clone(), self.news.clone());
        tokio::spawn(async move {
            let (place, looked) = (server.clone(), piece.clone());
            let known = tokio::task::spawn_blocking(move || looked.known(&place.state)).await;
            if let Ok(Ok(Some(done))) = known {
                drop(news.send(piece.over(Some(done), true)));
                return;
            }
            let mut told = false;
            loop {
                let Ok(turn) = queue.clone().acquire_owned().await else {
                    return;
                };
                if !piece.is_wanted() {
                    tracing::info!(job = %piece.name(), "a job is not begun, since its manifest is gone or says something else");
                    return;
                }
                let (place, tried, teller) = (server.clone(), piece.clone(), news.clone());
                let tried = tokio::task::spawn_blocking(move || {
                    tried.attempt(&place, |claim| {
                        drop(teller.send(tried.begun()));
                        run(&place, &tried, claim)
                    })
                });
                let tried = tried.await;
                drop(turn);
                match tried {
                    Ok(Ok(Tried::Over(done))) => {
                        drop(news.send(piece.over(Some(done), false)));
                        return;
                    }
                    Ok(Ok(Tried::Elsewhere)) => {}
                    Ok(Err(error)) if !told => {
                        tracing::warn!(job = %piece.name(), "{error}; the job waits for it");
                        told = true;
                    }
                    Ok(Err(_)) => {}
                    Ok(Ok(Tried::Ended)) | Err(_) => return,
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        });
    }

    pub(super) fn job_over(&mut self, name: &str, done: Option<Outcome>, was_known: bool) {
        let Some(done) = done else {
            return;
        };
        if !was_known {
            self.tally
                .job_over(if done.succeeded { "Succeeded" } else { "Failed" });
        }
        let Some(entry) = self.jobs.entries.get_mut(name) else {
            return;
        };
        let content = entry.job.spec.content.clone().or_else(|| done.content.clone());
        // Its manifest was written again meanwhile.
        let is_other = record::digest(&entry.job) != done.digest;
        entry.state = State::Over(done);
        if is_other {
            self.begin_job(name);
        }
        if let Some(content) = content.filter(|_| !was_known) {
            self.try_content(&content);
        }
    }
}

/// Runs a job to its end; none where the server ended it, and the next one has to run it again.
fn run(server: &Server, piece: &Piece, claim: &Claim) -> Option<Outcome> {
    let name = piece.name();
    let request = Request {
        spec: piece.job.spec.clone(),
        serve: None,
        base: piece.base.clone(),
        manifest: Some(piece.manifest.clone()),
        name: name.to_owned(),
    };
    let works = signals::works_on(name);
    let digest = record::digest(&piece.job);
    let told = Told {
        server,
        name,
        claim,
        digest: &digest,
    };
    let outcome = job::run(server, request, &told);
    if let Err(error) = &outcome
        && (error.reason() == Reason::Interrupted || is_claim_lost(error))
        && !works.is_stopped()
    {
        return None;
    }
    let (content, message) = match &outcome {
        Ok(outcome) => {
            tracing::info!(job = %name, content = %outcome.content, key = %outcome.key, "a job succeeded");
            let content = outcome.content.to_string();
            let message = done(&content, &outcome.key);
            (Some(content), message)
        }
        Err(_) if works.is_stopped() => {
            tracing::info!(job = %name, "a job was ended for the next run of its schedule");
            (None, "was ended for the next run".to_owned())
        }
        Err(error) => {
            tracing::warn!(job = %name, reason = error.reason().name(), "{error}");
            (None, error.to_string())
        }
    };
    Some(Outcome {
        digest: record::digest(&piece.job),
        succeeded: outcome.is_ok(),
        finished: Timestamp::now(),
        content,
        message,
    })
}

/// Whether now, for the first time, it is known of all manifests what they say: of one that can not be read nobody knows
/// that it is gone.
pub(super) fn is_first_whole(is_known: &mut bool, is_whole: bool) -> bool {
    is_whole && !std::mem::replace(is_known, true)
}

/// Whether another server works on it by now, or nobody can say who does.
fn is_claim_lost(error: &LocalError) -> bool {
    matches!(error, LocalError::State(_))
}

/// Tells the log what a job does, and the state which job it is.
struct Told<'a> {
    server: &'a Server,
    name: &'a str,
    claim: &'a Claim,
    digest: &'a str,
}

impl Watcher for Told<'_> {
    fn step(&self, text: &str) {
        tracing::info!(job = %self.name, "{text}");
    }

    fn done(&self, text: &str) {
        tracing::info!(job = %self.name, "{text}");
    }

    fn pause(&self) {}

    fn begins(&self, content: &str, key: &str) -> Result<(), LocalError> {
        let begun = Before {
            content: content.to_owned(),
            key: key.to_owned(),
            digest: Some(self.digest.to_owned()),
        };
        Ok(self.server.state.note_job(self.claim, begun)?)
    }

    fn may_finish(&self) -> Result<(), LocalError> {
        Ok(confirm(&self.server.state, self.claim)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(command: &str) -> BTreeMap<String, (String, JobFile, PathBuf)> {
        let text = format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {{name: sales}}\nspec:\n  content: sales\n  \
             task: Run\n  command: [{command}]\n"
        );
        let job = crate::api::parse_job(&text, "sales.yaml").unwrap();
        [("sales".to_owned(), ("sales.yaml".to_owned(), job, PathBuf::new()))].into()
    }

    /// Proves: CN3 (L)
    #[test]
    fn what_waits_is_not_begun_for_a_manifest_that_is_gone_or_says_something_else() {
        let mut jobs = Jobs::default();
        let first = jobs.follow(job("a")).remove(0);
        assert!(jobs.follow(job("a")).is_empty() && first.is_wanted());
        let second = jobs.follow(job("b")).remove(0);
        assert!(!first.is_wanted() && second.is_wanted());
        jobs.follow(BTreeMap::new());
        assert!(!second.is_wanted());
        let third = jobs.follow(job("b")).remove(0);
        jobs.begun("sales");
        assert!(jobs.follow(job("c")).is_empty(), "what runs is run to its end");
        assert!(third.is_wanted());
    }

    #[test]
    fn what_a_broken_manifest_asks_for_is_not_gone() {
        let mut is_known = false;
        assert!(!is_first_whole(&mut is_known, false));
        assert!(is_first_whole(&mut is_known, true));
        assert!(!is_first_whole(&mut is_known, true));
    }
}
