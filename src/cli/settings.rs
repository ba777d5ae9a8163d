//! `offhost settings`: every value and where it came from (CN1). Also loads the settings for the other commands.

use std::path::PathBuf;

use super::args::Format;
use super::failure::{Because, Failure};
use super::printer;
use crate::reason::Reason;
use crate::settings::{LoadOptions, Loaded, OrdinaryUser, load};

/// Loads the settings as this process sees them.
pub(super) fn loaded(config: Option<PathBuf>) -> Result<Loaded, Failure> {
    // The flag has a variable of its own, which is no setting.
    let env = std::env::vars().collect();
    load(LoadOptions {
        config,
        env,
        ordinary_user: person(),
    })
    .because(Reason::InvalidInput)
}

/// The person who runs this program without being root (SB9).
pub(super) fn person() -> Option<OrdinaryUser> {
    use uzers::os::unix::UserExt;
    if rustix::process::geteuid().is_root() {
        return None;
    }
    let uid = uzers::get_effective_uid();
    let user = uzers::get_user_by_uid(uid);
    let name = user.as_ref().map_or_else(
        || uid.to_string(),
        |user| user.name().to_string_lossy().into_owned(),
    );
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute());
    let home = home
        .or_else(|| user.map(|user| user.home_dir().to_owned()))
        .unwrap_or_else(|| PathBuf::from("/"));
    Some(OrdinaryUser { name, home })
}

pub(super) fn run(config: Option<PathBuf>, format: Format) -> Result<u8, Failure> {
    let loaded = loaded(config)?;
    if format == Format::Json {
        printer::json(&serde_json::json!({ "settings": loaded.provenance, "notes": loaded.notes }));
        return Ok(0);
    }
    let mut rows = vec![["SETTING", "VALUE", "FROM"].map(str::to_owned).to_vec()];
    for value in &loaded.provenance {
        let section = match &value.subsection {
            Some(name) => format!("{} \"{name}\"", value.section),
            None => value.section.to_string(),
        };
        rows.push(vec![
            format!("{section}.{}", value.key),
            value.value.clone(),
            value.origin.to_string(),
        ]);
    }
    printer::table(&rows);
    for note in &loaded.notes {
        printer::note(format!("note: {note}"));
    }
    Ok(0)
}
