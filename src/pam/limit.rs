//! A time limit for what modules do, which nothing else in this program could end.

use crate::exec;

/// Ends the program by SIGALRM when a step takes longer; who started it sees that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    seconds: u32,
}

impl Limit {
    pub(super) fn new(seconds: u32) -> Self {
        // 0 would be no limit at all.
        Self {
            seconds: seconds.max(1),
        }
    }

    /// Does this, or ends the program.
    pub(super) fn during<T>(self, step: impl FnOnce() -> T) -> T {
        exec::alarm_in(self.seconds);
        let result = step();
        exec::alarm_in(0);
        result
    }
}
