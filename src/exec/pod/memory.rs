//! Whether the kernel ended the process for want of memory. It says so in the container's control group alone.

use std::path::PathBuf;

use crate::exec::cgroup::{out_of_memory_kills, own_memory_group};

/// The count that the kernel keeps, and where it stood at the start.
#[derive(Debug)]
pub(super) struct Memory {
    group: Option<PathBuf>,
    before: u64,
}

impl Memory {
    /// Looks up where the count stands.
    pub(super) fn watch() -> Self {
        let group = own_memory_group();
        let before = group.as_deref().and_then(out_of_memory_kills).unwrap_or(0);
        Self { group, before }
    }

    /// Whether the kernel has ended a process since.
    pub(super) fn ran_out(&self) -> bool {
        let now = self.group.as_deref().and_then(out_of_memory_kills);
        now.is_some_and(|now| now > self.before)
    }
}
