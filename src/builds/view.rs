//! What a build sees: the masks of GB3, the exposures of GB4, its environment. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::names::{BUILD_CONFIG_DIR, BUILD_WORKSPACES, CONFIG_DIR, MOUNT_BUILD_OUTPUT, MOUNT_BUILD_SOURCE};
use crate::sandbox::{Bind, MaskPath, Rlimit, RlimitName, SandboxMode, SandboxSpec};
use crate::settings::BuildSettings;

/// Where a build's temporary directory is seen: there is no other, not even the machine's.
const TMP: [&str; 2] = ["/tmp", "/var/tmp"];
/// What people keep keys and passwords in, below their home.
const KEYS: [&str; 11] = [
    ".ssh",
    ".gnupg",
    ".netrc",
    ".git-credentials",
    ".config/git",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".kube",
    ".docker",
    ".pgpass",
];
/// Time between SIGTERM and SIGKILL.
const GRACE_MS: u64 = 2_000;

/// The account that builds, which is the one that runs this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// User id; never 0.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Name, where it has one.
    pub name: Option<String>,
    /// Home directory, where it has one.
    pub home: Option<PathBuf>,
}

/// Directories of one build, as this machine has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The source of the package.
    pub source: PathBuf,
    /// Whether the build may write in it: in a checkout of its own, not in somebody's directory.
    pub source_is_own: bool,
    /// Where it writes its archive.
    pub output: PathBuf,
    /// Its temporary directory.
    pub temp: PathBuf,
}

/// Every path that no build may see (GB3): those that the settings name, the keys of the account, and `secrets`, files
/// that the server needs itself. The outermost of them, in order.
#[must_use]
pub fn hidden(settings: &BuildSettings, builder: &Builder, secrets: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths: BTreeSet<PathBuf> = [
        settings.data_dir.clone(),
        settings.sqlite_dir.clone(),
        settings.builder_dir.clone(),
        PathBuf::from(BUILD_CONFIG_DIR),
        PathBuf::from(CONFIG_DIR),
        settings.sock_file_dir.clone(),
        settings.temp_dir.join(BUILD_WORKSPACES),
    ]
    .into();
    paths.extend(settings.storage.iter().cloned());
    paths.extend(secrets.iter().cloned());
    paths.extend(settings.config_file.as_deref().map(|file| config(file, builder)));
    if let Some(home) = &builder.home {
        paths.extend(KEYS.iter().map(|name| home.join(name)));
    }
    let outermost = |path: &&PathBuf| !path.ancestors().skip(1).any(|above| paths.contains(above));
    paths.iter().filter(outermost).cloned().collect()
}

/// The directory of the settings file; the file alone where that directory holds more than settings.
fn config(file: &Path, builder: &Builder) -> PathBuf {
    let is_of_settings = |dir: &&Path| dir.components().count() > 2 && Some(*dir) != builder.home.as_deref();
    file.parent().filter(is_of_settings).unwrap_or(file).to_owned()
}

/// What is exposed (GB4), and the empty places that every build has for itself. Parents first.
#[must_use]
pub fn exposures(exposed: &Exposed) -> Vec<Bind> {
    let bind = |source: &Path, target: &str, read_only| Bind {
        source: Some(source.to_owned()),
        target: PathBuf::from(target),
        read_only,
    };
    let mut binds = vec![
        bind(&exposed.source, MOUNT_BUILD_SOURCE, !exposed.source_is_own),
        bind(&exposed.output, MOUNT_BUILD_OUTPUT, false),
        Bind {
            source: None,
            target: PathBuf::from("/dev/shm"),
            read_only: false,
        },
    ];
    binds.extend(TMP.map(|target| bind(&exposed.temp, target, false)));
    binds.sort_by(|a, b| a.target.cmp(&b.target));
    binds
}

/// The environment of a build: nothing of the server's but PATH. `temp` and `output` are where the process sees them.
#[must_use]
pub fn environment(builder: &Builder, path: &str, temp: &str) -> BTreeMap<String, String> {
    let name = builder.name.clone().unwrap_or_else(|| builder.uid.to_string());
    [
        ("HOME", temp),
        ("LANG", "C.UTF-8"),
        ("LOGNAME", &name),
        ("PATH", path),
        // The account's own packages are its own.
        ("R_LIBS_USER", "NULL"),
        ("TMPDIR", temp),
        ("USER", &name),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Where the processes of a build see its directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The source.
    pub source: PathBuf,
    /// Where the archive goes.
    pub output: PathBuf,
    /// The temporary directory.
    pub temp: PathBuf,
}

impl Seen {
    /// In the sandbox.
    #[must_use]
    pub fn in_sandbox() -> Self {
        Self {
            source: MOUNT_BUILD_SOURCE.into(),
            output: MOUNT_BUILD_OUTPUT.into(),
            temp: TMP[0].into(),
        }
    }

    /// Without one.
    #[must_use]
    pub fn outside(exposed: &Exposed) -> Self {
        Self {
            source: exposed.source.clone(),
            output: exposed.output.clone(),
            temp: exposed.temp.clone(),
        }
    }
}

/// The sandbox of one process of a build, before its limits are put on it; without `exposed`, of one that only looks around.
#[must_use]
pub fn sandbox(
    builder: &Builder,
    hidden: &[PathBuf],
    exposed: Option<&Exposed>,
    argv: Vec<String>,
    environment: &BTreeMap<String, String>,
    limit: Duration,
) -> SandboxSpec {
    SandboxSpec {
        mode: SandboxMode::Unprivileged,
        argv,
        env: environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        cwd: exposed.map_or_else(|| PathBuf::from("/"), |_| PathBuf::from(MOUNT_BUILD_OUTPUT)),
        uid: builder.uid,
        gid: builder.gid,
        groups: Vec::new(),
        masks: hidden
            .iter()
            .map(|path| MaskPath {
                path: path.clone(),
                required: false,
            })
            .collect(),
        binds: exposed.map(exposures).unwrap_or_default(),
        rlimits: vec![Rlimit {
            resource: RlimitName::Core,
            limit: 0,
        }],
        cgroup: None,
        timeout_ms: u64::try_from(limit.as_millis()).ok(),
        grace_ms: GRACE_MS,
        serve: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::settings::BuildLimits;

    fn settings(data: &str, temp: &str, storage: Vec<PathBuf>) -> BuildSettings {
        BuildSettings {
            data_dir: data.into(),
            temp_dir: temp.into(),
            sock_file_dir: "/var/run/rstudio-pm".into(),
            r_version: Vec::new(),
            sqlite_dir: format!("{data}/db").into(),
            storage,
            builder_dir: "/srv/builder".into(),
            poll_interval: Duration::from_secs(300),
            build_retries: 3,
            build_concurrency: 25,
            allow_unsandboxed: false,
            limits: BuildLimits::default(),
            pods: None,
            config_file: Some("/etc/pm/rstudio-pm.gcfg".into()),
        }
    }

    fn builder() -> Builder {
        Builder {
            uid: 999,
            gid: 999,
            name: Some("rstudio-pm".to_owned()),
            home: Some("/home/pm".into()),
        }
    }

    /// Proves: GB3 (B)
    #[test]
    fn everything_of_the_servers_is_hidden() {
        let settings = settings("/var/lib/rstudio-pm", "/scratch", vec!["/mnt/packages".into()]);
        let hidden = hidden(&settings, &builder(), &["/keys/praise".into()]);
        for path in [
            "/var/lib/rstudio-pm",
            "/srv/builder",
            "/etc/rstudio-pm",
            "/etc/pm",
            "/var/run/rstudio-pm",
            "/mnt/packages",
            "/scratch/rspm-workspaces",
            "/home/pm/.ssh",
            "/keys/praise",
        ] {
            assert!(hidden.contains(&PathBuf::from(path)), "{path}: {hidden:?}");
        }
        assert!(
            !hidden.contains(&PathBuf::from("/var/lib/rstudio-pm/db")),
            "its parent is hidden"
        );
    }

    /// Proves: GB3 (B)
    #[test]
    fn a_settings_file_among_other_things_is_hidden_alone() {
        for (file, masked) in [
            ("/etc/pm.gcfg", "/etc/pm.gcfg"),
            ("/home/pm/pm.gcfg", "/home/pm/pm.gcfg"),
            ("/srv/pm/a.gcfg", "/srv/pm"),
        ] {
            assert_eq!(config(Path::new(file), &builder()), PathBuf::from(masked));
        }
    }

    proptest! {
        /// Proves: GB3 (B), GB4 (B)
        #[test]
        fn no_setting_is_left_visible_and_no_build_sees_anothers_directory(
            data in "/[a-d]{1,2}(/[a-d]){0,2}", temp in "/[a-d]{1,2}(/[a-d]){0,2}",
            storage in proptest::collection::vec("/[a-d](/[a-d]){0,3}", 0..4), one in "[a-f0-9]{16}", other in "[a-f0-9]{16}",
        ) {
            prop_assume!(one != other);
            let storage: Vec<PathBuf> = storage.into_iter().map(PathBuf::from).collect();
            let settings = settings(&data, &temp, storage.clone());
            let hidden = hidden(&settings, &builder(), &[]);
            let is_hidden = |path: &Path| path.ancestors().any(|above| hidden.iter().any(|mask| mask == above));
            let workspace = |key: &str| settings.temp_dir.join(BUILD_WORKSPACES).join(key);
            let exposed = Exposed { source: workspace(&one).join("source"), source_is_own: true, output: workspace(&one).join("output"), temp: workspace(&one).join("tmp") };
            for path in [&settings.data_dir, &settings.sqlite_dir, &settings.builder_dir, &settings.sock_file_dir].into_iter().chain(&storage) {
                prop_assert!(is_hidden(path), "{:?} of {:?}", path, hidden);
            }
            prop_assert!(is_hidden(&workspace(&other)));
            for bind in exposures(&exposed) {
                if let Some(source) = bind.source {
                    prop_assert!(source.starts_with(workspace(&one)) && !source.starts_with(workspace(&other)));
                }
            }
            let spec = sandbox(&builder(), &hidden, Some(&exposed), vec!["R".to_owned()], &BTreeMap::new(), Duration::from_secs(1));
            prop_assert_eq!(spec.mode, SandboxMode::Unprivileged);
            prop_assert!(hidden.iter().enumerate().all(|(n, a)| hidden.iter().skip(n + 1).all(|b| !b.starts_with(a))));
        }
    }
}
