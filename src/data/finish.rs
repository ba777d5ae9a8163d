//! What was rendered becomes a finished result (RD3, ST2, ST3).
//!
//! Each step can be done again by another server where one was cut off: the record, written last, is what makes a result
//! finished.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{self, AtFlags, FileType};
use rustix::io::Errno;

use super::activate::{Rendering, Renders, ResultRecord};
use super::failure::{Context, IoFailure};
use super::result_error::ResultError;
use super::seal::Sealed;
use super::{fdio, seal, site, sync};

/// What is known of a render that has succeeded.
#[derive(Clone, Debug)]
pub struct Finish<'a> {
    /// The bundle it was made from.
    pub bundle: u64,
    /// The job that made it.
    pub job: &'a str,
    /// Subdirectory that becomes the root (ST2); none, or `.`, leaves it as it is (ST3).
    pub site_output_dir: Option<&'a Path>,
    /// The main file that the render was to make, relative to the finished result.
    pub index: Option<&'a Path>,
    /// The time now.
    pub now: Timestamp,
}

impl Renders<'_> {
    /// Makes what was rendered a finished result: moves a site up, takes it from the job's account, writes it to
    /// the disk, and only then its record. All processes of the job must have ended.
    ///
    /// # Errors
    /// It is not a usable result, or can not be stored; it is removed then.
    pub fn finish(&self, rendering: Rendering, finish: &Finish<'_>) -> Result<ResultRecord, ResultError> {
        match self.try_finish(&rendering, finish) {
            Ok(record) => {
                rendering.release();
                Ok(record)
            }
            Err(error) => {
                // The first error is the cause; a sweep removes what this can not.
                drop(self.discard(rendering));
                Err(error)
            }
        }
    }

    /// As [`Self::finish`], but what fails stays as it is: where [`ResultError::is_temporary`], it can be tried again, also
    /// by another server that has adopted it.
    ///
    /// # Errors
    /// It is not a usable result, or can not be stored.
    pub fn try_finish(
        &self,
        rendering: &Rendering,
        finish: &Finish<'_>,
    ) -> Result<ResultRecord, ResultError> {
        let (number, path) = (rendering.number(), rendering.path());
        let record = match self.record(number)? {
            Some(record) => record,
            None => self.make_whole(rendering, finish)?,
        };
        site::forget_source(path);
        Ok(record)
    }

    fn make_whole(&self, rendering: &Rendering, finish: &Finish<'_>) -> Result<ResultRecord, ResultError> {
        let path = rendering.path();
        if let Some(output) = site::output_dir(finish.site_output_dir)? {
            site::promote(path, &output)?;
        }
        let index = finish.index.and_then(|planned| main_file(path, planned));
        let sealed = seal::seal(path)?;
        check_index(path, finish.index, index.as_deref(), &sealed)?;
        // What was not written now is lost, whatever a second try says.
        sync::sync_tree(path).map_err(ResultError::Lost)?;
        let record = ResultRecord {
            number: rendering.number(),
            bundle: finish.bundle,
            job: finish.job.to_owned(),
            finished: finish.now,
            index,
            files: sealed.files,
            bytes: sealed.bytes,
            notes: sealed.notes,
        };
        let path = self.record_path(rendering.number());
        let json = serde_json::to_vec_pretty(&record).map_err(|source| ResultError::Record {
            path: path.clone(),
            source,
        })?;
        fdio::write_whole(&path, &json)?;
        Ok(record)
    }
}

/// What rendering leaves beside a document of another format.
const BY_PRODUCTS: [&str; 5] = ["aux", "log", "md", "tex", "toc"];

/// The main file of a result: the planned one, or what the document's own format made of it, `index.docx` for instance.
fn main_file(result: &Path, planned: &Path) -> Option<PathBuf> {
    if std::fs::symlink_metadata(result.join(planned)).is_ok() {
        return Some(planned.to_owned());
    }
    let is_by_product = |name: &Path| {
        let own = name.extension();
        own.is_some_and(|own| BY_PRODUCTS.iter().any(|end| own == *end))
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(result)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| PathBuf::from(entry.file_name()))
        .filter(|name| name.file_stem() == planned.file_stem() && !is_by_product(name))
        .collect();
    found.sort();
    found.into_iter().next()
}

/// The main file must be a file of the result itself, not a link that was put in its place. A result may have none, as
/// one whose document names its own output file, but not be empty.
fn check_index(
    result: &Path,
    planned: Option<&Path>,
    index: Option<&Path>,
    sealed: &Sealed,
) -> Result<(), ResultError> {
    let Some(index) = index else {
        let missing = planned.filter(|_| sealed.files == 0);
        return missing.map_or(Ok(()), |planned| {
            let index = planned.to_owned();
            Err(ResultError::IndexMissing { index })
        });
    };
    let parent = index.parent().unwrap_or_else(|| Path::new(""));
    let name = index.file_name().unwrap_or_default();
    let root = fdio::open_dir_nofollow(result).during("open", result)?;
    let found = fdio::open_below(root.as_fd(), parent)
        .and_then(|dir| fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW));
    let index = index.to_owned();
    match found.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::RegularFile) => Ok(()),
        Ok(FileType::Symlink) => Err(ResultError::IndexKind { index, kind: "link" }),
        Ok(FileType::Directory) => Err(ResultError::IndexKind {
            index,
            kind: "directory",
        }),
        Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Err(ResultError::IndexMissing { index }),
        Err(error) => Err(IoFailure::new("read", result.join(index), error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK3 (L, P)
    #[test]
    fn the_main_file_has_the_extension_of_its_format() {
        let place = tempfile::tempdir().unwrap();
        let planned = Path::new("index.html");
        assert_eq!(main_file(place.path(), planned), None);
        for (name, main) in [
            ("other.pdf", None),
            ("index.tex", None),
            ("index.pdf", Some("index.pdf")),
            ("index.html", Some("index.html")),
        ] {
            std::fs::write(place.path().join(name), "").unwrap();
            assert_eq!(
                main_file(place.path(), planned),
                main.map(PathBuf::from),
                "after {name}"
            );
        }
    }
}
