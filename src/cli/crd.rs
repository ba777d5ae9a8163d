//! `offhost crd`: the definitions of the custom resources.

use std::path::Path;

use super::failure::{Because, Failure};
use super::printer;
use crate::cluster::crd::{self, Definition};
use crate::reason::Reason;

pub(super) fn run(directory: Option<&Path>) -> Result<u8, Failure> {
    let Some(directory) = directory else {
        let texts = crd::definitions().map(Definition::yaml);
        printer::line(texts.join("---\n").trim_end());
        return Ok(0);
    };
    for definition in crd::definitions() {
        let file = directory.join(format!("{}.yaml", definition.name()));
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&file, definition.yaml()))
            .map_err(|error| {
                format!(
                    "{}: {error}; name a directory that can be written",
                    file.display()
                )
            })
            .because(Reason::InvalidInput)?;
        printer::line(file.display());
    }
    Ok(0)
}
