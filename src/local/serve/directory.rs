//! The directory of manifests: what lies in it, and when that may have changed.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::pipe::PipeFlags;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::book::Found;
use crate::data::IoFailure;

/// A manifest is text that a person wrote.
const LARGEST: u64 = 1 << 20;
/// A change counts once nothing more has changed for so long: an editor writes in several steps.
const QUIET: Duration = Duration::from_millis(100);
/// What never gets quiet is read all the same.
const LATEST: Duration = Duration::from_secs(1);

/// The manifests of a directory, by name. Files that editors make meanwhile are left out.
///
/// # Errors
/// The directory can not be read; what is in force stays.
pub fn read(directory: &Path) -> Result<Vec<Found>, IoFailure> {
    let fault = |source| IoFailure::new("read the manifests in", directory, source);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name();
        let Some(name) = name.to_str().filter(|name| is_manifest(name)) else {
            continue;
        };
        match text(&directory.join(name)) {
            Ok(Some(text)) => found.push((name.to_owned(), Ok(text))),
            Ok(None) => {}
            Err(problem) => found.push((name.to_owned(), Err(problem))),
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name is one of a manifest: `.#a.yaml`, `.a.yaml.swp`, `a.yaml~` and `#a.yaml#` are editors' own.
fn is_manifest(name: &str) -> bool {
    let end = Path::new(name).extension().and_then(|end| end.to_str());
    matches!(end, Some("yaml" | "yml" | "json")) && !name.starts_with(['.', '#'])
}

/// The text of a file; none where there is no file any more, or something else.
fn text(path: &Path) -> Result<Option<String>, String> {
    let advice = |error: std::io::Error| format!("can not be read: {error}; correct its permissions");
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(advice(error)),
    };
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => drop(file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(advice)?),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(advice(error)),
    }
    if bytes.len() as u64 > LARGEST {
        return Err("is larger than 1 MiB; a manifest only names content".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text; save it as that".to_owned())?;
    Ok(Some(text))
}

/// Tells when a directory changes. Where the system can not tell, nothing but time passes.
#[derive(Debug)]
pub struct Watch {
    directory: PathBuf,
    events: Option<Events>,
    /// Since when a change is known that nobody was told of: whoever waited may have turned to something else.
    since: Mutex<Option<Instant>>,
}

/// The system's notices, which a thread waits for.
#[derive(Debug)]
struct Events {
    inotify: Arc<OwnedFd>,
    came: Arc<Notify>,
    /// Closed when this is dropped: then the thread ends.
    _end: OwnedFd,
}

impl Watch {
    /// Of a directory.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        let events = Events::begin();
        if let Err(error) = &events {
            tracing::warn!(%error, "changes of manifests are not seen at once, but within a minute");
        }
        Self {
            directory: directory.to_owned(),
            events: events.ok(),
            since: Mutex::default(),
        }
    }

    /// From now on. Called again before each reading: another directory may have got the name.
    pub fn begin(&self) {
        let flags = WatchFlags::CREATE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVE
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ATTRIB;
        if let Some(events) = &self.events {
            // A directory that is not there at present is looked for again with the next reading.
            let _ = inotify::add_watch(&events.inotify, &self.directory, flags);
        }
    }

    /// Waits for a change, and until it is over; at most until `at_last`. Whether there was one.
    pub async fn changed(&self, at_last: Instant) -> bool {
        let Some(Events { came, .. }) = &self.events else {
            sleep_until(at_last).await;
            return false;
        };
        let known = *self.since();
        if known.is_none() && timeout_at(at_last, came.notified()).await.is_err() {
            return false;
        }
        let latest = *self.since().get_or_insert_with(Instant::now) + LATEST;
        loop {
            let quiet = (Instant::now() + QUIET).min(latest);
            if timeout_at(quiet, came.notified()).await.is_err() {
                *self.since() = None;
                return true;
            }
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events {
    fn begin() -> io::Result<Self> {
        let inotify = Arc::new(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?);
        let (ended, end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let came = Arc::new(Notify::new());
        let (waited, told) = (inotify.clone(), came.clone());
        let thread = std::thread::Builder::new().name("manifests".to_owned());
        thread.spawn(move || {
            while wait(&waited, &ended) {
                told.notify_one();
            }
        })?;
        Ok(Self {
            inotify,
            came,
            _end: end,
        })
    }
}

/// Waits for events and takes all that are there: what they say is seen by reading. False at the end.
fn wait(inotify: &OwnedFd, ended: &OwnedFd) -> bool {
    let mut poll = [
        PollFd::new(inotify, PollFlags::IN),
        PollFd::new(ended, PollFlags::IN),
    ];
    match rustix::event::poll(&mut poll, None) {
        Err(rustix::io::Errno::INTR) => return true,
        Err(_) => return false,
        Ok(_) => {}
    }
    if !poll[1].revents().is_empty() {
        return false;
    }
    let mut buffer = [0u8; 4096];
    while rustix::io::read(inotify, &mut buffer).is_ok_and(|length| length > 0) {}
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_manifests_are_read() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b.yml",
            "a.yaml",
            "c.json",
            ".d.yaml",
            "#e.yaml",
            "f.yaml~",
            "g.txt",
            ".h.yaml.swp",
        ] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        std::fs::create_dir(dir.path().join("i.yaml")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("nowhere"), dir.path().join("j.yaml")).unwrap();
        std::fs::write(dir.path().join("k.yaml"), [0xff]).unwrap();
        let found = read(dir.path()).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.yaml", "b.yml", "c.json", "k.yaml"]);
        assert_eq!(found[0].1, Ok("a.yaml".to_owned()));
        assert_eq!(found[3].1, Err("is not UTF-8 text; save it as that".to_owned()));
    }

    #[test]
    fn a_huge_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("a.yaml")).unwrap();
        file.set_len(1 << 40).unwrap();
        let found = read(dir.path()).unwrap();
        assert!(found[0].1.as_ref().unwrap_err().contains("larger than 1 MiB"));
    }

    #[tokio::test]
    async fn a_change_is_told_once_it_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::of(dir.path());
        watch.begin();
        let began = Instant::now();
        let path = dir.path().join("a.yaml");
        let writer = std::thread::spawn(move || {
            for _ in 0..5 {
                std::fs::write(&path, "x").unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert!(watch.changed(began + Duration::from_secs(30)).await);
        let waited = began.elapsed();
        writer.join().unwrap();
        assert!(waited > Duration::from_millis(150), "{waited:?}");
        assert!(waited < Duration::from_secs(20), "{waited:?}");
        let quiet = Instant::now();
        assert!(!watch.changed(quiet + Duration::from_millis(50)).await);
        assert!(quiet.elapsed() >= Duration::from_millis(50));
    }
}
