//! The starters of `runtime/`, which come inside this program and are laid out in `DataDir` where processes see them.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::data::{DataDir, IoFailure, Staged, layout, new_key};

/// Name and text of every starter.
const STARTERS: &[(&str, &str)] = &[
    ("common.R", include_str!("../../runtime/common.R")),
    ("install_node.js", include_str!("../../runtime/install_node.js")),
    (
        "install_python.py",
        include_str!("../../runtime/install_python.py"),
    ),
    ("install_r.R", include_str!("../../runtime/install_r.R")),
    ("params.R", include_str!("../../runtime/params.R")),
    (
        "render_notebook.py",
        include_str!("../../runtime/render_notebook.py"),
    ),
    ("render_rmd.R", include_str!("../../runtime/render_rmd.R")),
    ("render_site.R", include_str!("../../runtime/render_site.R")),
    ("repositories.R", include_str!("../../runtime/repositories.R")),
    ("serve_api.R", include_str!("../../runtime/serve_api.R")),
    ("serve_asgi.py", include_str!("../../runtime/serve_asgi.py")),
    ("serve_bokeh.py", include_str!("../../runtime/serve_bokeh.py")),
    ("serve_common.py", include_str!("../../runtime/serve_common.py")),
    ("serve_dash.py", include_str!("../../runtime/serve_dash.py")),
    ("serve_entry.py", include_str!("../../runtime/serve_entry.py")),
    (
        "serve_forwarded.py",
        include_str!("../../runtime/serve_forwarded.py"),
    ),
    ("serve_gradio.py", include_str!("../../runtime/serve_gradio.py")),
    ("serve_listen.R", include_str!("../../runtime/serve_listen.R")),
    ("serve_node.js", include_str!("../../runtime/serve_node.js")),
    ("serve_python.py", include_str!("../../runtime/serve_python.py")),
    ("serve_r.R", include_str!("../../runtime/serve_r.R")),
    ("serve_shiny.R", include_str!("../../runtime/serve_shiny.R")),
    ("serve_shiny.py", include_str!("../../runtime/serve_shiny.py")),
    (
        "serve_streamlit.py",
        include_str!("../../runtime/serve_streamlit.py"),
    ),
    ("serve_tornado.py", include_str!("../../runtime/serve_tornado.py")),
    ("serve_voila.py", include_str!("../../runtime/serve_voila.py")),
    ("serve_wsgi.py", include_str!("../../runtime/serve_wsgi.py")),
    ("servers.lock", include_str!("../../runtime/servers.lock")),
];

/// Digest of the starters: another version of this program lays its own out beside them.
#[must_use]
pub fn digest() -> String {
    let mut hasher = Sha256::new();
    for (name, text) in STARTERS {
        hasher.update(format!("{name}\0{}\0{text}", text.len()));
    }
    hasher
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Lays the starters out, unless they are there, and gives their directory.
///
/// # Errors
/// The data directory can not be written.
pub fn lay_out(data: &DataDir) -> Result<PathBuf, IoFailure> {
    let target = data.path(layout::runtime(&digest()));
    if target.is_dir() {
        return Ok(target);
    }
    let parent = data.ensure("runtime")?;
    let fault = |source| IoFailure::new("lay out the starters in", &target, source);
    let staging = Staged::make(layout::staging_beside(&parent.join("starters"), &new_key()))?;
    for (name, text) in STARTERS {
        let path = staging.path().join(name);
        std::fs::write(&path, text).map_err(fault)?;
        set_mode(&path, 0o444).map_err(fault)?;
    }
    set_mode(staging.path(), 0o755).map_err(fault)?;
    match std::fs::rename(staging.path(), &target) {
        Ok(()) => Ok(target),
        // Another process was faster: the same digest is the same text.
        Err(_) if target.is_dir() => Ok(target),
        Err(error) => Err(fault(error)),
    }
}

fn set_mode(path: &std::path::Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_starter() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| {
                [".R", ".js", ".lock", ".py"]
                    .iter()
                    .any(|ending| name.ends_with(ending))
            })
            .collect();
        names.sort();
        assert_eq!(names, STARTERS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn laying_out_twice_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        let first = lay_out(&data).unwrap();
        assert_eq!(lay_out(&data).unwrap(), first);
        assert_eq!(std::fs::read_dir(&first).unwrap().count(), STARTERS.len());
        assert_eq!(
            std::fs::read_dir(first.parent().unwrap()).unwrap().count(),
            1,
            "no staging is left"
        );
    }
}
