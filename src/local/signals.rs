//! Signals to the command line end the running job in order, instead of leaving its traces behind.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Signals that ask a program to end.
const ASKING: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

struct State {
    /// The helper of the process that runs now.
    helper: Option<i32>,
    /// The signal by which the end was asked for first.
    asked: Option<i32>,
}

static STATE: Mutex<State> = Mutex::new(State {
    helper: None,
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
    let mut state = state();
    let again = state.asked.is_some();
    state.asked.get_or_insert(signal);
    match (state.helper, again) {
        // Another signal than the first, which may still be pending: two of one kind are one.
        (Some(helper), true) => drop(crate::exec::kill(helper, libc::SIGQUIT)),
        (Some(helper), false) => drop(crate::exec::kill(helper, libc::SIGTERM)),
        // Nothing of any content runs, and the next sweep removes what is left of the job.
        (None, true) => crate::exec::exit_now(128 + signal),
        (None, false) => {}
    }
}

/// The signal by which the end was asked for.
#[must_use]
pub fn asked() -> Option<i32> {
    state().asked
}

/// Whether the end was asked for.
#[must_use]
pub fn stop_asked() -> bool {
    asked().is_some()
}

/// Names the helper that signals are passed on to, until the guard is dropped.
#[must_use]
pub(crate) fn pass_on_to(helper: i32) -> PassOn {
    let mut state = state();
    state.helper = Some(helper);
    if state.asked.is_some() {
        // It came before the helper was known.
        let _ = crate::exec::kill(helper, libc::SIGTERM);
    }
    PassOn
}

/// See [`pass_on_to`].
#[derive(Debug)]
pub(crate) struct PassOn;

impl Drop for PassOn {
    fn drop(&mut self) {
        state().helper = None;
    }
}
