//! `offhost crd`: the definition of the custom resource.

use std::path::Path;

use super::failure::{Because, Failure};
use super::printer;
use crate::cluster::crd;
use crate::reason::Reason;

pub(super) fn run(directory: Option<&Path>) -> Result<u8, Failure> {
    let Some(directory) = directory else {
        printer::line(crd::yaml().trim_end());
        return Ok(0);
    };
    let file = directory.join(format!("{}.yaml", crd::name()));
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&file, crd::yaml()))
        .map_err(|error| {
            format!(
                "{}: {error}; name a directory that can be written",
                file.display()
            )
        })
        .because(Reason::InvalidInput)?;
    printer::line(file.display());
    Ok(0)
}
