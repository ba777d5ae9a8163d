//! Signals to the command line end the running job in order, instead of leaving its traces behind.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Signals that ask a program to end.
const ASKING: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

struct State {
    /// The helpers of the processes that run now, one or those of a server's jobs, and the job of each.
    helpers: BTreeMap<i32, Option<Arc<str>>>,
    /// The jobs that are to end while the program goes on.
    stopped: BTreeSet<Arc<str>>,
    /// The signal by which the end was asked for first.
    asked: Option<i32>,
}

static STATE: Mutex<State> = Mutex::new(State {
    helpers: BTreeMap::new(),
    stopped: BTreeSet::new(),
    asked: None,
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes signals from now on. Called before any other thread is started: threads inherit what is blocked.
///
/// # Errors
/// Signals can not be blocked.
pub fn take() -> std::io::Result<()> {
    crate::exec::block(&ASKING)?;
    std::thread::spawn(|| {
        while let Ok(signal) = crate::exec::wait_for(&ASKING) {
            handle(signal);
        }
    });
    Ok(())
}

/// A first signal asks for an end in order, a second one does not ask any more.
fn handle(signal: i32) {
    let again = ask(signal);
    if again && state().helpers.is_empty() {
        // Nothing of any content runs, and the next sweep removes what is left of the job.
        crate::exec::exit_now(128 + signal);
    }
}

/// Asks for the end of all jobs of this program, the second time by force. Whether it was asked for before.
pub fn ask(signal: i32) -> bool {
    let mut state = state();
    let again = state.asked.is_some();
    state.asked.get_or_insert(signal);
    for helper in state.helpers.keys() {
        // Another signal than the first, which may still be pending: two of one kind are one.
        let how = if again { libc::SIGQUIT } else { libc::SIGTERM };
        drop(crate::exec::kill(*helper, how));
    }
    again
}

/// The signal by which the end was asked for.
#[must_use]
pub fn asked() -> Option<i32> {
    state().asked
}

/// Whether the end of the program was asked for.
#[must_use]
pub fn ends() -> bool {
    asked().is_some()
}

/// Whether the end was asked for: of the program, or of the job that this thread works on.
#[must_use]
pub fn stop_asked() -> bool {
    let state = state();
    state.asked.is_some()
        || JOB.with_borrow(|job| job.as_ref().is_some_and(|job| state.stopped.contains(job)))
}

thread_local! {
    /// The job that this thread works on from its beginning to its end, where a server has several.
    static JOB: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Says which job this thread works on, until the guard is dropped: [`stop`] is for that one alone.
#[must_use]
pub fn works_on(job: &str) -> WorksOn {
    JOB.set(Some(Arc::from(job)));
    WorksOn(Arc::from(job))
}

/// See [`works_on`].
#[derive(Debug)]
pub struct WorksOn(Arc<str>);

impl WorksOn {
    /// Whether the end of this job was asked for, and not that of the program.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let state = state();
        state.asked.is_none() && state.stopped.contains(&self.0)
    }
}

impl Drop for WorksOn {
    fn drop(&mut self) {
        JOB.set(None);
        state().stopped.remove(&self.0);
    }
}

/// Asks for the end of one job, whether a process of it runs already or not. It has to be one that will be worked on.
pub fn stop(job: &str) {
    let mut state = state();
    state.stopped.insert(Arc::from(job));
    for (helper, of) in &state.helpers {
        if of.as_deref() == Some(job) {
            let _ = crate::exec::kill(*helper, libc::SIGTERM);
        }
    }
}

/// Names the helper that signals are passed on to, until the guard is dropped.
#[must_use]
pub(crate) fn pass_on_to(helper: i32) -> PassOn {
    let job = JOB.with_borrow(Clone::clone);
    let mut state = state();
    let is_stopped = job.as_ref().is_some_and(|job| state.stopped.contains(job));
    state.helpers.insert(helper, job);
    if state.asked.is_some() || is_stopped {
        // It came before the helper was known.
        let _ = crate::exec::kill(helper, libc::SIGTERM);
    }
    PassOn(helper)
}

/// See [`pass_on_to`].
#[derive(Debug)]
pub(crate) struct PassOn(i32);

impl Drop for PassOn {
    fn drop(&mut self) {
        state().helpers.remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_can_be_ended_and_no_other() {
        let works = works_on("sales-1");
        assert!(!stop_asked() && !works.is_stopped());
        stop("sales-2");
        assert!(!stop_asked() && !works.is_stopped());
        stop("sales-1");
        assert!(stop_asked() && works.is_stopped());
        std::thread::spawn(|| assert!(!stop_asked(), "another thread works on something else"))
            .join()
            .unwrap();
        drop(works);
        assert!(!stop_asked());
        let works = works_on("sales-2");
        assert!(works.is_stopped(), "also where it was asked for before its turn");
    }
}
