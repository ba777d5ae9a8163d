//! From what a person names (a directory, an archive, a job file) to a deployed bundle (AP2).

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::LocalError;
use crate::api::job::{ContentJobSpec, Metadata};
use crate::api::{JobFileError, Manifest, parse_app, parse_job};
use crate::content::archive::{self, Limits};
use crate::content::dir::DirFiles;
use crate::content::{BundleFacts, gather};
use crate::data::{ContentId, DataDir, Deploy, Staged, Store, layout, new_key};
use crate::names::KIND_CONTENT_APP;
use crate::plan::ServeTask;

/// A job as it was asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked for.
    pub spec: ContentJobSpec,
    /// Where it is to be served, if it is.
    pub serve: Option<ServeTask>,
    /// The manifest that a server follows, where it is one: others than administrators may be able to write it.
    pub manifest: Option<PathBuf>,
    /// Where the bundle's path counts from.
    pub base: PathBuf,
    /// What a failure names: the job's name, or the path that was given.
    pub name: String,
}

/// The job or application that a path describes; none where it names a directory or archive.
///
/// # Errors
/// The path is not there, or the file is wrong.
pub fn manifest(target: &Path) -> Result<Option<Manifest>, LocalError> {
    let fault = |problem: String| LocalError::Target {
        path: target.to_owned(),
        problem,
    };
    let metadata = std::fs::metadata(target).map_err(|error| {
        fault(format!(
            "{error}; name a directory or archive with content, or a job file"
        ))
    })?;
    let is_job = matches!(
        target.extension().and_then(|end| end.to_str()),
        Some("yaml" | "yml" | "json")
    );
    if !metadata.is_file() || !is_job {
        return Ok(None);
    }
    let text = std::fs::read_to_string(target)
        .map_err(|error| fault(format!("{error}; a job file is UTF-8 text")))?;
    let name = target.display().to_string();
    match parse_job(&text, &name) {
        Err(JobFileError::Kind { found, .. }) if found == KIND_CONTENT_APP => {
            Ok(Some(Manifest::App(Box::new(parse_app(&text, &name)?))))
        }
        job => Ok(Some(Manifest::Job(Box::new(job?)))),
    }
}

/// Name and labels of the job or application that a path describes.
///
/// # Errors
/// As for [`manifest`].
pub fn metadata(target: &Path) -> Result<Option<Metadata>, LocalError> {
    Ok(manifest(target)?.map(|manifest| match manifest {
        Manifest::App(app) => app.metadata,
        Manifest::Job(job) => job.metadata,
    }))
}

/// Reads the file of a job or application, or makes a request of a directory or archive.
///
/// # Errors
/// The path is not there, or the file is wrong.
pub fn request(target: &Path) -> Result<Request, LocalError> {
    if let Some(manifest) = manifest(target)? {
        let base = target.parent().map_or_else(PathBuf::new, Path::to_owned);
        return Ok(match manifest {
            Manifest::Job(job) => Request {
                spec: job.spec,
                serve: None,
                manifest: None,
                base,
                name: job.metadata.name,
            },
            Manifest::App(app) => Request {
                spec: app.spec.as_job(&app.metadata.name),
                serve: Some(ServeTask::of(&app.spec, &app.metadata.name)),
                manifest: None,
                base,
                name: app.metadata.name,
            },
        });
    }
    let fault = |problem: String| LocalError::Target {
        path: target.to_owned(),
        problem,
    };
    let mut spec = ContentJobSpec::default();
    spec.bundle.path = Some(
        target
            .to_str()
            .ok_or_else(|| fault("is not UTF-8; rename it".to_owned()))?
            .to_owned(),
    );
    Ok(Request {
        spec,
        serve: None,
        manifest: None,
        base: PathBuf::new(),
        name: target.display().to_string(),
    })
}

/// A bundle before it is deployed: a directory, or an archive that was unpacked.
#[derive(Debug)]
pub struct Opened {
    /// The path that was named, absolute.
    pub source: PathBuf,
    /// The directory with the content.
    pub tree: PathBuf,
    /// Removes what was unpacked.
    _unpacked: Option<Staged>,
}

/// Opens the bundle that a request names by path; an archive is unpacked below `unpack_in`, which is made only then.
///
/// # Errors
/// It is not there, or the archive is not whole.
pub fn open(
    request: &Request,
    path: &str,
    unpack_in: impl FnOnce() -> Result<PathBuf, LocalError>,
) -> Result<Opened, LocalError> {
    let source = request.base.join(path);
    let fault = |error: std::io::Error| LocalError::Target {
        path: source.clone(),
        problem: format!("{error}; name a directory or archive with content"),
    };
    let source = source.canonicalize().map_err(fault)?;
    if source.is_dir() {
        return Ok(Opened {
            tree: source.clone(),
            source,
            _unpacked: None,
        });
    }
    let place = Staged::make(unpack_in()?.join(format!("{}{}", layout::UNPACK_PREFIX, new_key())))?;
    archive::unpack(&source, place.path(), Limits::default())?;
    Ok(Opened {
        tree: place.path().to_owned(),
        source,
        _unpacked: Some(place),
    })
}

/// Takes over what is set for the content item where the job asks for nothing (RA2, EX5): gives its default image.
///
/// # Errors
/// Its record is damaged.
pub fn take_defaults(
    store: &Store<'_>,
    content: &ContentId,
    spec: &mut ContentJobSpec,
) -> Result<Option<String>, LocalError> {
    Ok(store.content(content)?.defaults.take_into(&mut spec.run_as))
}

/// What the bundle says; nothing of it is run.
///
/// # Errors
/// A bundle that can not be used, in one sentence.
pub fn facts(tree: &Path, spec: &ContentJobSpec) -> Result<BundleFacts, LocalError> {
    let files = DirFiles::open(tree).map_err(|error| LocalError::Target {
        path: tree.to_owned(),
        problem: format!("{error}; name a directory with content"),
    })?;
    Ok(gather(&files, spec)?)
}

/// The content item a request is for: as it says, else after the name of the bundle.
///
/// # Errors
/// A name that can not be one of a content item.
pub fn content_id(spec: &ContentJobSpec, source: &Path) -> Result<ContentId, LocalError> {
    if let Some(given) = &spec.content {
        return Ok(ContentId::parse(given)?);
    }
    let name = source
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("content");
    Ok(ContentId::from_source_name(name)?)
}

/// Deploys what was opened and gives the bundle's number; the same content again is the same bundle.
///
/// # Errors
/// The name belongs to content from elsewhere, or the data directory can not be written.
pub fn deploy(data: &DataDir, content: &ContentId, named: bool, opened: &Opened) -> Result<u64, LocalError> {
    let store = Store::new(data);
    if !named
        && let Ok(known) = store.content(content)
        && known.source != opened.source
    {
        // Two directories of the same name must not replace each other's content unasked.
        return Err(LocalError::OtherSource {
            content: content.to_string(),
            known: known.source,
        });
    }
    let deployed = store.deploy(&Deploy {
        content,
        name: content.as_str(),
        source: &opened.source,
        tree: &opened.tree,
        activate: true,
        job: None,
        now: Timestamp::now(),
    })?;
    Ok(deployed.record.bundle)
}
