//! The search for the interpreters of one language (EX1, EX2).

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    LanguageName,
    ask::ask,
    discover::{DiscoverError, Found, Origin},
    places::{Places, closed_to_others, is_executable},
    version::Version,
};

/// What to look for in one language.
pub(super) struct Search {
    pub(super) language: LanguageName,
    pub(super) program: &'static str,
    pub(super) enabled: bool,
    pub(super) named: Vec<(&'static str, PathBuf)>,
    pub(super) scanned: Vec<PathBuf>,
}

/// Collects the interpreters of one language.
pub(super) struct Finder<'a> {
    pub(super) search: &'a Search,
    pub(super) places: &'a Places,
    pub(super) limit: Duration,
    pub(super) found: Vec<Found>,
    pub(super) notes: &'a mut Vec<String>,
    pub(super) left_out: &'a mut Vec<String>,
}

impl Finder<'_> {
    pub(super) fn take_named(&mut self) -> Result<(), DiscoverError> {
        for (setting, path) in &self.search.named {
            check_named(setting, path, self.search.program)?;
            let language = self.search.language;
            let answer = ask(language, path, self.limit).map_err(|source| DiscoverError::Ask {
                setting,
                path: path.clone(),
                language,
                source,
            })?;
            if let Some(first) = self.found.iter().find(|found| found.version == answer.version) {
                return Err(twice(first, setting, path));
            }
            if let Some(part) = self.closed(path) {
                self.notes.push(format!(
                    "{setting} = {} can be reached only by some accounts, because of the mode of {}; content that \
                     runs as another account will not start",
                    path.display(),
                    part.display()
                ));
            }
            self.add(answer.version, path.clone(), Origin::Setting(setting));
        }
        Ok(())
    }

    pub(super) fn take_scanned(&mut self) {
        for path in &self.search.scanned {
            let real = fs::canonicalize(path).ok();
            if self
                .found
                .iter()
                .any(|found| fs::canonicalize(&found.path).ok() == real)
            {
                continue;
            }
            self.take_if_usable(path, Origin::Scan);
        }
    }

    /// Looks along PATH where the settings name none, up to the first that other accounts can use.
    pub(super) fn take_from_path(&mut self) {
        if !self.found.is_empty() {
            return;
        }
        let mut tried: Vec<PathBuf> = Vec::new();
        for path in self.places.path.iter().map(|dir| dir.join(self.search.program)) {
            if tried.contains(&path) || !is_executable(&path) {
                continue;
            }
            if self.take_if_usable(&path, Origin::Path) {
                return;
            }
            tried.push(path);
        }
    }

    fn take_if_usable(&mut self, path: &Path, origin: Origin) -> bool {
        match self.usable(path, origin) {
            Ok((version, path)) => {
                self.add(version, path, origin);
                true
            }
            Err(why) => {
                self.left_out
                    .push(format!("{} is left out: {why}", path.display()));
                false
            }
        }
    }

    fn usable(&self, path: &Path, origin: Origin) -> Result<(Version, PathBuf), String> {
        let unreachable = |part: PathBuf| format!("other accounts can not pass {}", part.display());
        if let Some(part) = self.closed(path) {
            return Err(unreachable(part));
        }
        let answer = ask(self.search.language, path, self.limit).map_err(|error| error.to_string())?;
        // A wrapper on PATH may choose another version for another account: what it started is what is meant.
        let path = answer
            .executable
            .filter(|_| origin == Origin::Path)
            .unwrap_or_else(|| path.to_path_buf());
        if let Some(part) = self.closed(&path) {
            return Err(unreachable(part));
        }
        match self.found.iter().find(|found| found.version == answer.version) {
            Some(first) => Err(format!("{} is {} as well", first.path.display(), answer.version)),
            None => Ok((answer.version, path)),
        }
    }

    fn closed(&self, path: &Path) -> Option<PathBuf> {
        if self.places.for_others {
            closed_to_others(path)
        } else {
            None
        }
    }

    fn add(&mut self, version: Version, path: PathBuf, origin: Origin) {
        self.found.push(Found {
            language: self.search.language,
            version,
            path,
            origin,
        });
    }
}

fn check_named(setting: &'static str, path: &Path, program: &str) -> Result<(), DiscoverError> {
    let path_of = || path.to_path_buf();
    if !path.is_absolute() {
        return Err(DiscoverError::NotAbsolute {
            setting,
            path: path_of(),
        });
    }
    let meta = fs::metadata(path).map_err(|source| DiscoverError::Missing {
        setting,
        path: path_of(),
        source,
    })?;
    if meta.is_dir() {
        let inside = if path.join(program).exists() {
            path.join(program)
        } else {
            path.join("bin").join(program)
        };
        return Err(DiscoverError::Directory {
            setting,
            path: path_of(),
            example: inside,
        });
    }
    if !is_executable(path) {
        return Err(DiscoverError::NotExecutable {
            setting,
            path: path_of(),
        });
    }
    Ok(())
}

fn twice(first: &Found, setting: &'static str, path: &Path) -> DiscoverError {
    let first_setting = match first.origin {
        Origin::Setting(setting) => setting,
        Origin::Scan | Origin::Path => setting,
    };
    DiscoverError::Twice {
        language: first.language,
        version: first.version.clone(),
        first_setting,
        first: first.path.clone(),
        setting,
        path: path.to_path_buf(),
    }
}
