//! The output of jobs that the data directory keeps: those of this machine, and those of Pods that are gone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};

use super::error::LocalError;
use super::serve::output;
use crate::data::{ContentId, DataDir, IoFailure, JobDir, layout};

/// The processes of a job, in the order in which they run.
const PROCESSES: [&str; 5] = ["install-python", "install-r", "install-node", "task", "serve"];
/// What the process of an application printed after the beginning of its log.
const LATER: [&str; 2] = [output::OLDER, output::NEWER];
/// Between two looks at a log that grows.
const PAUSE: Duration = Duration::from_millis(300);

/// A job that the data directory knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    content: ContentId,
    key: String,
}

/// The job that `CONTENT/KEY`, or the key alone, names; none where the data directory does not know it.
#[must_use]
pub fn find(data: &DataDir, word: &str) -> Option<Kept> {
    let plain = |name: &str| !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    let kept = |content: &str, key: &str| {
        let content = ContentId::parse(content).ok()?;
        let is_there = plain(key) && data.path(layout::job(&content, key)).is_dir();
        is_there.then(|| Kept {
            content,
            key: key.to_owned(),
        })
    };
    if let Some((content, key)) = word.split_once('/') {
        return kept(content, key);
    }
    let mut contents: Vec<String> = std::fs::read_dir(data.path(layout::jobs()))
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    contents.sort();
    contents.iter().find_map(|content| kept(content, word))
}

/// Writes the output of a job's processes, one after the other; until the job is over where it is followed.
///
/// # Errors
/// It has none, or a log can not be read.
pub fn show(data: &DataDir, job: &Kept, follow: bool, shown_on: &mut dyn Write) -> Result<(), LocalError> {
    let directory = data.path(layout::job(&job.content, &job.key));
    let mut logs: Vec<(PathBuf, Option<File>)> = PROCESSES
        .iter()
        // Beside the log directory on one machine, in it where a Pod wrote it.
        .flat_map(|name| ["", "log"].map(|below| directory.join(below).join(format!("{name}.log"))))
        .chain(LATER.map(|name| directory.join(name)))
        .map(|path| (path, None))
        .collect();
    let mut shown = false;
    // What is older than the newest part is read at the beginning alone: later, it was read under its other name.
    let mut began = false;
    loop {
        // Asked before reading: what was written until then is read in any case.
        let goes_on = follow && JobDir::is_running(data, &job.content, &job.key)?;
        for (path, file) in &mut logs {
            if file.is_none() && (!began || !path.ends_with(output::OLDER)) {
                *file = open(path)?;
            }
            while let Some(held) = file {
                shown = true;
                let fault = |source| IoFailure::new("read", &*path, source);
                let is_whole = path.ends_with(output::NEWER) && !is_at(held, path);
                if !copy(held, shown_on).map_err(fault)? {
                    return Ok(());
                }
                if !is_whole {
                    break;
                }
                // It had got another name: what has its name now follows.
                *file = open(path)?;
            }
        }
        began = true;
        if goes_on {
            std::thread::sleep(PAUSE);
        } else if shown {
            return Ok(());
        } else {
            return Err(LocalError::NoLog(directory));
        }
    }
}

/// Opens a log; none where there is none. The content could have put a link in its place, to a file that only the
/// server may read.
fn open(path: &Path) -> Result<Option<File>, IoFailure> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP) => return Ok(None),
        Err(error) => return Err(IoFailure::new("open", path, error)),
    };
    let stat = rustix::fs::fstat(&fd).map_err(|error| IoFailure::new("read", path, error))?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(is_file.then(|| File::from(fd)))
}

/// Whether an open file is still the one at its path.
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        // Between its two names.
        _ => true,
    }
}

/// Writes what has come since the last time; false where nobody reads any more.
fn copy(file: &mut File, output: &mut dyn Write) -> io::Result<bool> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(output.flush().is_ok());
        }
        if output.write_all(&buffer[..length]).is_err() {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn data() -> (tempfile::TempDir, DataDir) {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        fs::create_dir_all(dir.path().join("data/jobs/page/k1/log")).unwrap();
        (dir, data)
    }

    fn shown(data: &DataDir, word: &str) -> Result<String, String> {
        let job = find(data, word).ok_or("not found")?;
        let mut output = Vec::new();
        show(data, &job, false, &mut output).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(output).unwrap())
    }

    /// Proves: PK10 (L, P)
    #[test]
    fn logs_of_both_modes_are_found_by_the_key() {
        let (dir, data) = data();
        let job = dir.path().join("data/jobs/page/k1");
        assert!(shown(&data, "k1").unwrap_err().contains("has no output"));
        fs::write(job.join("install-python.log"), "a\n").unwrap();
        fs::write(job.join("log/task.log"), "b\n").unwrap();
        fs::write(job.join("log/other.log"), "c\n").unwrap();
        assert_eq!(shown(&data, "k1").unwrap(), "a\nb\n");
        assert_eq!(shown(&data, "page/k1").unwrap(), "a\nb\n");
        for word in [
            "k2",
            "other/k1",
            "../jobs/page/k1",
            "page/../page/k1",
            "page/",
            "",
        ] {
            assert_eq!(shown(&data, word), Err("not found".to_owned()), "{word}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_log_is_not_followed() {
        let (dir, data) = data();
        let secret = dir.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let job = dir.path().join("data/jobs/page/k1");
        std::os::unix::fs::symlink(&secret, job.join("log/task.log")).unwrap();
        assert!(shown(&data, "k1").unwrap_err().contains("has no output"));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            job.join("log/install-r.log"),
            FileType::Fifo,
            Mode::RWXU,
            0,
        )
        .unwrap();
        assert!(shown(&data, "k1").unwrap_err().contains("has no output"));
    }
}
