//! The sign by which a process says that it can answer: a file in a directory that is made for it, and watched without
//! looking again and again.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, inotify};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::error::{Step, StepError};

/// Steps carry this name in messages.
const STEP: &str = "watch for the ready file";
/// Between two looks, where the machine gives no more watches: its limit counts those of all processes of an account.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Waits for the file.
#[derive(Debug)]
pub(crate) struct ReadyWatch {
    file: PathBuf,
    events: Option<OwnedFd>,
}

impl ReadyWatch {
    /// Makes the directory of the file, as the account of the process, and begins to watch it. What an earlier process
    /// left there is removed.
    ///
    /// # Errors
    /// The directory can not be made.
    pub(crate) fn begin(file: &Path) -> Result<Self, StepError> {
        let directory = file.parent().unwrap_or(file);
        match rustix::fs::mkdir(directory, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).step(STEP, directory.display()),
        }
        match rustix::fs::unlink(file) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error).step(STEP, file.display()),
        }
        Ok(Self {
            file: file.to_owned(),
            events: watch(directory).ok(),
        })
    }

    /// What is waited for.
    pub(crate) fn polled(&self) -> Option<PollFd<'_>> {
        self.events.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN))
    }

    /// How long at most, where nothing tells of a change.
    pub(crate) fn pause(&self) -> Option<Timespec> {
        self.events.is_none().then_some(PAUSE)
    }

    /// Whether the file is there. Asked after every change, so it does not matter how it was made, or how long before the
    /// first wait.
    pub(crate) fn is_ready(&mut self) -> bool {
        if let Some(events) = &self.events {
            let mut buffer = [0u8; 4096];
            while rustix::io::read(events, &mut buffer).is_ok_and(|count| count > 0) {}
        }
        rustix::fs::lstat(&self.file).is_ok()
    }
}

fn watch(directory: &Path) -> Result<OwnedFd, Errno> {
    let events = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let what = inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::ONLYDIR;
    inotify::add_watch(&events, directory, what)?;
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK5 (L, P)
    #[test]
    fn the_file_is_seen_however_it_comes() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("new/ready");
        let mut ready = ReadyWatch::begin(&file).unwrap();
        assert!(!ready.is_ready());
        std::fs::write(&file, "").unwrap();
        let seen = rustix::event::poll(&mut [ready.polled().unwrap()], None);
        assert_eq!(seen, Ok(1));
        assert!(ready.is_ready());
        // One that was left by an earlier process says nothing.
        let mut again = ReadyWatch::begin(&file).unwrap();
        assert!(!again.is_ready());
        std::fs::write(place.path().join("other"), "").unwrap();
        std::fs::rename(place.path().join("other"), &file).unwrap();
        assert_eq!(rustix::event::poll(&mut [again.polled().unwrap()], None), Ok(1));
        assert!(again.is_ready());
    }
}
