//! The file with the keys of session cookies: made where there is none, and read again when it changes.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use thiserror::Error;

use super::cookie::{KeyError, Keyring};

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// More than any number of keys that makes sense.
const MOST_BYTES: u64 = 64 * 1024;

/// Why the keys can not be had.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file can not be read.
    #[error("can not read the session keys '{}': {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It can not be made.
    #[error("can not make the session keys '{}': {source}; name another file in 'Gateway.SessionKeyFile'", path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Others may read or change it.
    #[error(
        "'{}' has mode {mode:04o}, so that others can read or change the session keys; set it to 0600, or to 0440 \
         in a volume of Kubernetes", path.display()
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What it holds can not be used.
    #[error("'{}' {source}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
}

/// What tells that a file has changed: a volume of Kubernetes replaces it, an editor may write into it.
type Stamp = (u64, u64, i64, i64, u64, u32);

/// The keys of a file.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    keys: ArcSwap<Keyring>,
    seen: Mutex<Option<Stamp>>,
}

impl KeyFile {
    /// Reads the keys of `path`.
    ///
    /// # Errors
    /// It can not be read, others may read it, or it holds no good key.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyFileError> {
        let path = path.into();
        let (keys, stamp) = read(&path)?;
        Ok(Self {
            path,
            keys: ArcSwap::from_pointee(keys),
            seen: Mutex::new(Some(stamp)),
        })
    }

    /// Reads the keys of `path`, and makes it with a new one where it does not exist.
    ///
    /// # Errors
    /// As for [`Self::open`], or it can not be made.
    pub fn open_or_make(path: impl Into<PathBuf>) -> Result<Self, KeyFileError> {
        let path = path.into();
        if matches!(std::fs::metadata(&path), Err(error) if error.kind() == io::ErrorKind::NotFound) {
            make(&path).map_err(|source| KeyFileError::Make {
                path: path.clone(),
                source,
            })?;
        }
        Self::open(path)
    }

    /// The keys in force.
    #[must_use]
    pub fn keys(&self) -> Arc<Keyring> {
        self.keys.load_full()
    }

    /// Reads the file again if it has changed, and says whether it did. What can not be used is told once, and the last
    /// good keys stay.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn refresh(&self) -> Result<bool, KeyFileError> {
        let mut seen = self
            .seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = std::fs::metadata(&self.path).ok().map(|meta| stamp(&meta));
        if *seen == now {
            return Ok(false);
        }
        *seen = now;
        let (keys, stamp) = read(&self.path)?;
        *seen = Some(stamp);
        self.keys.store(Arc::new(keys));
        Ok(true)
    }

    /// Follows the file for as long as it is polled.
    pub async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(EVERY).await;
            let file = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || file.refresh()).await {
                Ok(Ok(true)) => tracing::info!(file = %self.path.display(), "session keys read again"),
                Ok(Err(error)) => tracing::warn!(%error, "the last good session keys stay in force"),
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }
}

fn read(path: &Path) -> Result<(Keyring, Stamp), KeyFileError> {
    let failed = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let mode = meta.mode() & 0o7777;
    if mode & 0o027 != 0 {
        let path = path.to_owned();
        return Err(KeyFileError::Mode { path, mode });
    }
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    let keys = Keyring::parse(&text).map_err(|source| KeyFileError::Keys {
        path: path.to_owned(),
        source,
    })?;
    Ok((keys, stamp(&meta)))
}

fn stamp(meta: &Metadata) -> Stamp {
    (
        meta.dev(),
        meta.ino(),
        meta.ctime(),
        meta.ctime_nsec(),
        meta.size(),
        meta.mode(),
    )
}

/// Makes the file whole under another name first; if two servers do so at once, both use the first one's.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = [0_u8; 32];
    fill(&mut bytes)?;
    let key: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let staging = tempfile::Builder::new()
        .prefix(".staging-")
        .make_in(directory, |path| {
            File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
        })?;
    writeln!(
        staging.as_file(),
        "# Keys of session cookies, one a line: the first signs, all verify.\n{key}"
    )?;
    staging.as_file().sync_all()?;
    match staging.persist_noclobber(path) {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop).map_err(|error| error.error),
    }
}

/// A new session's number.
///
/// # Errors
/// The system has no random numbers.
pub fn random_id() -> io::Result<u128> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(u128::from_ne_bytes(bytes))
}

fn fill(bytes: &mut [u8]) -> io::Result<()> {
    // Up to 256 bytes come whole.
    rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::gateway::cookie::Session;

    fn sign(file: &KeyFile) -> String {
        let session = Session {
            app: "a".into(),
            process: "p".into(),
            id: 1,
            visitor: None,
            issued: 1,
        };
        file.keys().sign(&session).unwrap()
    }

    fn is_good(file: &KeyFile, value: &str) -> bool {
        file.keys()
            .verify(value.as_bytes(), &"a".into(), None, 2, 10)
            .is_ok()
    }

    /// Proves: SC5 (L)
    #[test]
    fn a_key_is_made_once_and_outlives_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let value = sign(&KeyFile::open_or_make(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(is_good(&KeyFile::open_or_make(&path).unwrap(), &value));
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left over"
        );
        fs::remove_file(&path).unwrap();
        assert!(
            !is_good(&KeyFile::open_or_make(&path).unwrap(), &value),
            "every key is another"
        );
    }

    /// Proves: SC5 (L, P)
    #[test]
    fn changed_keys_come_into_force_and_broken_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let file = KeyFile::open_or_make(&path).unwrap();
        let value = sign(&file);
        assert!(!file.refresh().unwrap());
        fs::write(&path, "short").unwrap();
        let error = file.refresh().unwrap_err();
        assert!(
            error.to_string().contains("line 1: the key has fewer than 32"),
            "{error}"
        );
        assert!(is_good(&file, &value), "the last good keys stay");
        assert!(!file.refresh().unwrap(), "it is told once");
        fs::write(&path, "n".repeat(50)).unwrap();
        assert!(file.refresh().unwrap());
        assert!(!is_good(&file, &value));
        fs::remove_file(&path).unwrap();
        assert!(matches!(file.refresh(), Err(KeyFileError::Read { .. })));
    }

    #[test]
    fn keys_that_others_can_read_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        drop(KeyFile::open_or_make(&path).unwrap());
        for (mode, is_fine) in [
            (0o600, true),
            (0o400, true),
            (0o440, true),
            (0o644, false),
            (0o620, false),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let opened = KeyFile::open(&path);
            assert_eq!(opened.is_ok(), is_fine, "{mode:o}");
            if let Err(error) = opened {
                assert!(error.to_string().contains(&format!("mode {mode:04o}")), "{error}");
            }
        }
        let missing = KeyFile::open(dir.path().join("none")).unwrap_err();
        assert!(
            missing.to_string().starts_with("can not read the session keys"),
            "{missing}"
        );
        let nowhere = KeyFile::open_or_make(dir.path().join("no/keys")).unwrap_err();
        assert!(
            nowhere.to_string().contains("Gateway.SessionKeyFile"),
            "{nowhere}"
        );
    }

    #[test]
    fn numbers_of_sessions_differ() {
        assert_ne!(random_id().unwrap(), random_id().unwrap());
    }
}
