//! What a process inherits of the server's environment (EN2, EN3).

use std::collections::BTreeMap;

use super::{Mode, Task};
use crate::names;
use crate::settings::Settings;

/// `PATH` where the server gives none: in Pods always.
pub const POD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Never inherited, by prefix: overrides of this and of the other products' settings, which hold passwords,
/// and the traces of `sudo`.
const REFUSED_PREFIXES: [&str; 4] = [names::ENV_PREFIX, "CONNECT_", "PACKAGEMANAGER_", "SUDO_"];

/// Inherited all the same: these share the prefix, but are meant for content.
const ACCEPTED: [&str; 2] = ["CONNECT_API_KEY", "CONNECT_SERVER"];

/// Never inherited, by name: what holds only in the server's own process.
const REFUSED: [&str; 33] = [
    // Would be loaded into the supervisor and into every interpreter.
    "LD_AUDIT",
    "LD_PRELOAD",
    // The service manager's conversation with the server, and its credentials.
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    // Agents and sessions of the person who started the server.
    "DBUS_SESSION_BUS_ADDRESS",
    "GPG_AGENT_INFO",
    "KRB5CCNAME",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "XAUTHORITY",
    // Directories of the server's account.
    "MAIL",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    // The shell's notes about itself.
    "OLDPWD",
    "PWD",
    "SHLVL",
    "_",
    // Would lead an interpreter away from the one and the packages that were chosen.
    "PYTHONHOME",
    "R_HOME",
    "R_LIBS",
    "R_LIBS_USER",
    "RETICULATE_PYTHON",
    "VIRTUAL_ENV",
];

/// What the process starts from, before anything of its own is set.
pub(super) fn base(task: &Task, settings: &Settings) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = match task.mode {
        Mode::Local if settings.applications.inherit_system_env_vars => task
            .server_env
            .iter()
            .filter(|(name, _)| is_inherited(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        Mode::Local | Mode::Pod => BTreeMap::new(),
    };
    let path = match task.mode {
        Mode::Local => task.server_env.get("PATH").filter(|path| !path.is_empty()),
        Mode::Pod => None,
    };
    env.insert(
        "PATH".to_owned(),
        path.map_or(POD_PATH, String::as_str).to_owned(),
    );
    env
}

fn is_inherited(name: &str) -> bool {
    let refused = REFUSED.contains(&name) || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    ACCEPTED.contains(&name) || !refused
}
