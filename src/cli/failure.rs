//! What a command that failed tells: one sentence, and the exit code of its reason.

use crate::reason::Reason;

/// A command that failed.
#[derive(Debug)]
pub struct Failure {
    /// Why, from the closed list.
    pub reason: Reason,
    /// One sentence that says what to do.
    pub message: String,
    /// The process's own exit code, where one ran (SB8).
    pub exit_code: Option<u8>,
}

impl Failure {
    /// A failure before any process ran.
    pub fn new(reason: Reason, error: impl std::fmt::Display) -> Self {
        Self {
            reason,
            message: error.to_string(),
            exit_code: None,
        }
    }

    /// The exit code of the program.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.exit_code.unwrap_or_else(|| self.reason.exit_code())
    }
}

/// Gives an error its reason.
pub(crate) trait Because<T> {
    /// Turns the error into a [`Failure`].
    fn because(self, reason: Reason) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> Because<T> for Result<T, E> {
    fn because(self, reason: Reason) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(reason, error))
    }
}
