//! Who is told what a job does, and may say that it is not to go on.

use super::error::LocalError;

/// Is told what happens.
pub trait Watcher {
    /// Something begins.
    fn step(&self, text: &str);
    /// Something is done.
    fn done(&self, text: &str);
    /// A process is about to write to the terminal.
    fn pause(&self);
    /// A job of this content item and key begins.
    ///
    /// # Errors
    /// It may not.
    fn begins(&self, _content: &str, _key: &str) -> Result<(), LocalError> {
        Ok(())
    }
    /// What was made is about to be used.
    ///
    /// # Errors
    /// It may not be.
    fn may_finish(&self) -> Result<(), LocalError> {
        Ok(())
    }
}
