//! Signals to the command line end the running job in order, instead of leaving its traces behind.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// Signals that ask a program to end.
const ASKING: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// The helper of the process that runs now, 0 if none does.
static HELPER: AtomicI32 = AtomicI32::new(0);
/// How often the end was asked for.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// Takes signals from now on. Called before any other thread is started: threads inherit what is blocked.
///
/// # Errors
/// Signals can not be blocked.
pub fn take() -> std::io::Result<()> {
    crate::exec::block(&ASKING)?;
    std::thread::spawn(|| {
        while crate::exec::wait_for(&ASKING).is_ok() {
            // A first one asks the process to end, a second one does not ask any more.
            let again = ASKED.fetch_add(1, Ordering::SeqCst) > 0;
            let helper = HELPER.load(Ordering::SeqCst);
            if helper != 0 {
                let _ = crate::exec::kill(helper, if again { libc::SIGKILL } else { libc::SIGTERM });
            }
        }
    });
    Ok(())
}

/// Whether the end was asked for.
#[must_use]
pub fn stop_asked() -> bool {
    ASKED.load(Ordering::SeqCst) > 0
}

/// Names the helper that signals are passed on to, until the guard is dropped.
#[must_use]
pub(crate) fn pass_on_to(helper: i32) -> PassOn {
    HELPER.store(helper, Ordering::SeqCst);
    if stop_asked() {
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
        HELPER.store(0, Ordering::SeqCst);
    }
}
