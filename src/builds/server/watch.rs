//! One repository: looked at again and again, and what is new in it built.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::Scope;
use std::time::{Duration, Instant, SystemTime};

use super::metrics::BuildMetrics;
use super::{TICK, memory_fault, read_failure};
use crate::builds::deliver;
use crate::builds::error::BuildError;
use crate::builds::file::{GitBuilder, Trigger};
use crate::builds::next::{Bounds, Memory, Outcome, Staged, pause};
use crate::builds::refs::State;
use crate::builds::workshop::{From, Order, Workshop};
use crate::local::signals;
use crate::settings::BuildSettings;

/// Directory with what R said last of each commit.
pub(super) const LOGS: &str = "logs";

/// What all repositories share.
#[derive(Debug)]
pub(super) struct Shared<'s> {
    workshop: &'s Workshop,
    metrics: &'s BuildMetrics,
    state: &'s Path,
    tries: u32,
    concurrency: u32,
}

impl<'s> Shared<'s> {
    pub(super) fn new(
        settings: &BuildSettings,
        workshop: &'s Workshop,
        metrics: &'s BuildMetrics,
        state: &'s Path,
    ) -> Self {
        Self {
            workshop,
            metrics,
            state,
            tries: settings.build_retries,
            concurrency: settings.build_concurrency,
        }
    }
}

/// A build that is over.
type Ended = (State, Result<Vec<Staged>, BuildError>);

/// One repository.
#[derive(Debug)]
pub(super) struct Watch<'s> {
    builder: &'s GitBuilder,
    shared: &'s Shared<'s>,
    path: PathBuf,
    memory: Memory,
    wanted: Vec<State>,
    running: BTreeSet<String>,
    /// Looks that failed, in a row.
    failures: u32,
}

impl<'s> Watch<'s> {
    /// Reads what is remembered, and ends what a kill has cut off.
    ///
    /// # Errors
    /// The record can not be read.
    pub(super) fn open(builder: &'s GitBuilder, shared: &'s Shared<'s>) -> Result<Self, BuildError> {
        let path = shared.state.join(format!("{}.json", builder.name));
        let memory = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| memory_fault(&path, error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Memory::default(),
            Err(error) => return Err(read_failure(&path, error)),
        };
        let mut watch = Self {
            builder,
            shared,
            path,
            memory: memory.of(&builder.recipe()),
            wanted: Vec::new(),
            running: BTreeSet::new(),
            failures: 0,
        };
        watch.resume()?;
        Ok(watch)
    }

    /// Gives archives their names that a kill has kept from them.
    fn resume(&mut self) -> Result<(), BuildError> {
        let placing = |outcome: &Outcome| match outcome {
            Outcome::Placing { archives } => Some(archives.clone()),
            _ => None,
        };
        let cut_off: Vec<(String, Vec<Staged>)> = self
            .memory
            .builds
            .iter()
            .filter_map(|(commit, record)| Some((commit.clone(), placing(&record.outcome)?)))
            .collect();
        for (commit, archives) in &cut_off {
            if deliver::resume(&self.builder.output, archives)?
                && let Some(record) = self.memory.builds.get_mut(commit)
            {
                tracing::info!(
                    builder = self.builder.name,
                    commit,
                    "an archive that was whole before a restart is in place"
                );
                record.outcome = built(archives);
            }
        }
        if cut_off.is_empty() { Ok(()) } else { self.save() }
    }

    /// Removes what a kill has left half written. Before any builder begins and after all have ended what was cut off, because
    /// several may have one directory.
    pub(super) fn sweep(&self) {
        deliver::sweep(&self.builder.output, &[]);
    }

    /// Looks and builds until the end of the program is asked for.
    pub(super) fn run(mut self) {
        std::thread::scope(|scope| {
            let (done, ended) = mpsc::channel();
            while !signals::ends() {
                let until = Instant::now() + self.look();
                self.build_until(until, scope, &done, &ended);
            }
            // What still runs was told to end as well.
            while !self.running.is_empty() {
                match ended.recv() {
                    Ok(over) => self.take(over),
                    Err(_) => break,
                }
            }
        });
    }

    /// Asks the repository what it has; gives the time until the next look.
    fn look(&mut self) -> Duration {
        let builder = self.builder;
        let remote = self.shared.workshop.remote(&builder.url, &builder.access);
        let found = remote.refs().and_then(|refs| Ok(builder.wanted(&refs)?));
        match found {
            Ok(wanted) => {
                self.shared.metrics.polled("succeeded");
                self.failures = 0;
                self.wanted = wanted;
                builder.poll
            }
            Err(BuildError::Stopped) => builder.poll,
            Err(error) => {
                self.shared.metrics.polled(error.reason().name());
                self.failures = self.failures.saturating_add(1);
                let pause = pause(builder.poll, self.failures);
                tracing::warn!(
                    builder = builder.name,
                    again_in_seconds = pause.as_secs(),
                    "{error}"
                );
                pause
            }
        }
    }

    /// Builds what is due until the next look is.
    fn build_until<'t>(
        &mut self,
        until: Instant,
        scope: &'t Scope<'t, '_>,
        done: &Sender<Ended>,
        ended: &Receiver<Ended>,
    ) where
        's: 't,
    {
        while !signals::ends() {
            for state in self.due() {
                self.start(state, scope, done.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            match ended.recv_timeout(left.min(TICK)) {
                Ok(over) => self.take(over),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return,
                Err(_) => {}
            }
        }
    }

    fn due(&self) -> Vec<State> {
        let at_once = match self.builder.trigger {
            Trigger::Tags => usize::try_from(self.shared.concurrency).unwrap_or(usize::MAX),
            Trigger::Commits => 1,
        };
        let bounds = Bounds {
            at_once,
            tries: self.shared.tries,
        };
        let due = self.memory.due(&self.wanted, &self.running, bounds, now());
        due.into_iter().cloned().collect()
    }

    fn start<'t>(&mut self, state: State, scope: &'t Scope<'t, '_>, done: Sender<Ended>)
    where
        's: 't,
    {
        self.running.insert(state.commit.clone());
        let (builder, shared) = (self.builder, self.shared);
        tracing::info!(
            builder = builder.name,
            commit = state.commit,
            "{} is built",
            state.label()
        );
        scope.spawn(move || {
            shared.metrics.began();
            let begun = Instant::now();
            let result = build(builder, shared, &state);
            let outcome = result
                .as_ref()
                .map_or_else(|error| error.reason().name(), |_| "succeeded");
            shared.metrics.ended(outcome, begun.elapsed());
            // The receiver outlives every build.
            drop(done.send((state, result)));
        });
    }

    /// Takes over what a build has made, or notes why it made nothing.
    fn take(&mut self, (state, result): Ended) {
        self.running.remove(&state.commit);
        let name = &self.builder.name;
        let placed = result.and_then(|archives| self.place(&state, archives));
        match placed {
            Ok(paths) => {
                for path in paths {
                    tracing::info!(
                        builder = name,
                        commit = state.commit,
                        "{} is built: {}",
                        state.label(),
                        path.display()
                    );
                }
            }
            Err(error) if error.is_passing() => {
                tracing::info!(
                    builder = name,
                    commit = state.commit,
                    "{}: {error}",
                    state.label()
                );
            }
            Err(error) if error.is_of_the_cluster() => {
                self.memory
                    .put_off(&state, error.to_string(), self.builder.poll, now());
                tracing::warn!(
                    builder = name,
                    commit = state.commit,
                    again_in_seconds = self.builder.poll.as_secs(),
                    "{}: {error}",
                    state.label()
                );
                self.save_or_tell();
            }
            Err(error) => {
                let tries = self
                    .memory
                    .failed(&state, error.to_string(), self.builder.poll, now());
                let given_up = tries >= self.shared.tries;
                tracing::warn!(
                    builder = name,
                    commit = state.commit,
                    tries,
                    given_up,
                    "{}: {error}",
                    state.label()
                );
                self.save_or_tell();
            }
        }
    }

    /// Noted first and renamed then: whenever this is cut off, the next start knows what is whole.
    fn place(&mut self, state: &State, archives: Vec<Staged>) -> Result<Vec<PathBuf>, BuildError> {
        let outcome = built(&archives);
        let placing = Outcome::Placing {
            archives: archives.clone(),
        };
        self.memory.note(state, placing);
        self.save()?;
        let paths = deliver::place(&self.builder.output, &archives)?;
        self.memory.note(state, outcome);
        if self.builder.trigger == Trigger::Commits {
            self.memory.keep_only(&state.commit);
        }
        self.save()?;
        Ok(paths)
    }

    fn save_or_tell(&self) {
        if let Err(error) = self.save() {
            tracing::error!(builder = self.builder.name, "{error}");
        }
    }

    fn save(&self) -> Result<(), BuildError> {
        let bytes =
            serde_json::to_vec_pretty(&self.memory).map_err(|error| memory_fault(&self.path, error))?;
        Ok(crate::data::write_whole(&self.path, &bytes)?)
    }
}

fn build(builder: &GitBuilder, shared: &Shared<'_>, state: &State) -> Result<Vec<Staged>, BuildError> {
    let log = shared
        .state
        .join(LOGS)
        .join(format!("{}-{}.log", builder.name, state.commit));
    shared.workshop.build(&Order {
        from: From::Git {
            url: &builder.url,
            access: &builder.access,
            state,
        },
        subdirectory: &builder.subdirectory,
        products: builder.products,
        limit: builder.limit,
        limits: builder.limits,
        destination: &builder.output,
        log: &log,
        is_shown: false,
    })
}

fn built(archives: &[Staged]) -> Outcome {
    Outcome::Built {
        archives: archives.iter().map(|archive| archive.name.clone()).collect(),
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs())
}
