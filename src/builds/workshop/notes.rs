//! What is told of the limits of a build that did not end it.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// What was told of one build already: what two of its processes have in common is told once.
#[derive(Debug, Default)]
pub(super) struct Notes(RefCell<BTreeSet<String>>);

impl Notes {
    /// Tells what is new of these, in the log.
    pub(super) fn take(&self, what: &str, told: Vec<String>) {
        for note in told {
            if self.0.borrow_mut().insert(note.clone()) {
                tracing::warn!("{what}: {note}");
            }
        }
    }
}
