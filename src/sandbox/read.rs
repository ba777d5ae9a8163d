//! What the helper reads, checked before anything is done with it. Pure.

use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use super::SandboxSpec;

/// Why a specification is refused.
#[derive(Debug, Error)]
pub enum SpecError {
    /// It is none.
    #[error("{0}")]
    NotASpec(#[source] serde_json::Error),
    /// It asks for root, or for the id that means "no change" (RA1).
    #[error("root never runs content (RA1)")]
    Root,
    /// A path whose meaning depends on where it is read from, or that leads out of what it names.
    #[error("{}: not an absolute path without \"..\"", .0.display())]
    UnclearPath(PathBuf),
}

/// Reads a specification.
///
/// # Errors
/// [`SpecError`]: nothing may be done with it.
pub fn read(text: &[u8]) -> Result<SandboxSpec, SpecError> {
    let spec: SandboxSpec = serde_json::from_slice(text).map_err(SpecError::NotASpec)?;
    if [spec.uid, spec.gid].iter().any(|id| matches!(*id, 0 | u32::MAX)) {
        return Err(SpecError::Root);
    }
    match unclear_path(&spec) {
        Some(path) => Err(SpecError::UnclearPath(path.to_owned())),
        None => Ok(spec),
    }
}

fn unclear_path(spec: &SandboxSpec) -> Option<&Path> {
    let masks = spec.masks.iter().map(|mask| mask.path.as_path());
    let sources = spec.binds.iter().filter_map(|bind| bind.source.as_deref());
    let targets = spec.binds.iter().map(|bind| bind.target.as_path());
    let ready = spec.serve.iter().map(|serve| serve.ready_file.as_path());
    let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    masks
        .chain(sources)
        .chain(targets)
        .chain(ready)
        .find(|path| !path.is_absolute() || climbs(path))
}
