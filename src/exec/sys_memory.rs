//! Memory for secrets: never written to swap or to a core dump, empty in a forked process, wiped when it is let go.
#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;

use zeroize::Zeroize;

/// Keeps all memory of this program out of swap, what it gets later included, where it may lock as much as it likes: under
/// a limit (RLIMIT_MEMLOCK) what is loaded later could fail. What it starts is not concerned.
pub(crate) fn lock_all() {
    let may = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::IPC_LOCK));
    if may {
        // SAFETY: the call takes numbers; it changes where pages are kept, not what is in them.
        unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) };
    }
}

/// Pages of its own.
pub(crate) struct LockedMemory {
    start: NonNull<u8>,
    /// What was asked for, and what was mapped.
    len: usize,
    mapped: usize,
}

// SAFETY: it owns its pages alone, as a vector does; they are written through `&mut` only.
unsafe impl Send for LockedMemory {}
// SAFETY: as above; `&` only reads.
unsafe impl Sync for LockedMemory {}

impl std::fmt::Debug for LockedMemory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "LockedMemory({} bytes)", self.len)
    }
}

impl LockedMemory {
    /// So many bytes, all 0.
    ///
    /// # Errors
    /// `ENOMEM` or `EPERM` where the limit of locked memory (RLIMIT_MEMLOCK) is reached, or there is no memory.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let mapped = len.max(1).next_multiple_of(page);
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new private mapping at an address of the kernel's choice; nothing that is there is touched.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), mapped, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        // From here on it is unmapped again when a step fails.
        let memory = Self { start, len, mapped };
        let whole = memory.start.as_ptr().cast::<libc::c_void>();
        // SAFETY: the range is our own mapping.
        if unsafe { libc::mlock(whole, mapped) } < 0 {
            return Err(io::Error::last_os_error());
        }
        for advice in [libc::MADV_DONTDUMP, libc::MADV_WIPEONFORK] {
            // SAFETY: the range is our own mapping; neither advice changes what this process sees of it.
            if unsafe { libc::madvise(whole, mapped, advice) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(memory)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is readable, initialised by the kernel, at least this long, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and writable; `&mut self` makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for LockedMemory {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        // SAFETY: the range is our own mapping, and no reference to it is left. Unmapping unlocks.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.mapped) };
    }
}
