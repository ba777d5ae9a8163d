//! What is read, and from where.

use std::fs;

use super::*;
use crate::runtimes::Matching;

#[path = "kubernetes_tests.rs"]
mod kubernetes;
#[path = "refusal_tests.rs"]
mod refusals;

struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("rstudio-connect.gcfg");
        fs::write(&path, text).expect("written");
        path
    }
}

fn options(config: Option<PathBuf>, env: &[(&str, &str)]) -> LoadOptions {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    LoadOptions {
        config,
        env,
        ordinary_user: None,
    }
}

fn loaded(text: &str, env: &[(&str, &str)]) -> Loaded {
    let machine = Machine::new();
    load(options(Some(machine.file(text)), env)).expect("good settings")
}

fn origin_of(loaded: &Loaded, section: &str, key: &str) -> (String, Origin) {
    let mut rows = loaded.provenance.iter();
    let row = rows
        .find(|row| row.section == section && row.key == key)
        .expect("in the table");
    (row.value.clone(), row.origin.clone())
}

const REAL: &str = r#"
; Written by hand over the years.
[Server]
SenderEmail = "connect@example.org"
Address =
DataDir = /data       ; TEXT, with a comment
RVersion = /opt/R/3.6.3/
RVersion = /opt/R/4.1.3
[Http]
Listen = :3939
[Authentication]
Provider = "pam"
[PAM]
Service = rstudio-connect
RegisterOnFirstLogin = false
UseSession = true
PasswordLifetime = 12h
[Applications]
RunAs = "ds-system"
SharedRunAsUnixGroup = data-scientists
Supervisor = "/usr/bin/nice -n 2"
ProhibitedEnvironment = LD_PRELOAD
ProhibitedEnvironment = R_CONFIG_ACTIVE
HomeMounting = TRUE
[RPackageRepository "CRAN"]
URL = https://r.example.org/cran
[RPackageRepository "Local"]
URL = "file:///srv/r"
[Python]
Enabled
Executable = /opt/python/3.12.4/bin/python3
Executable = /opt/python/3.11.9/bin/python3
[Database]
Dir = /db
[Launcher]
[server]
TempDir = /scratch
[Scheduler]
MemoryLimit = 1.073741824e+09
InitTimeout = 5m"#;

/// Proves: CN1 (L, P)
#[test]
fn cn1_a_file_of_the_product_is_read_unmodified() {
    let loaded = loaded(REAL, &[]);
    let settings = &loaded.settings;
    assert_eq!(settings.server.data_dir, Path::new("/data"));
    assert_eq!(settings.server.temp_dir, Path::new("/scratch"));
    assert_eq!(
        settings.server.r_version,
        [Path::new("/opt/R/3.6.3/"), Path::new("/opt/R/4.1.3")]
    );
    assert_eq!(settings.sqlite_dir, Path::new("/db"));
    assert_eq!(settings.applications.run_as, "ds-system");
    assert_eq!(settings.applications.supervisor, ["/usr/bin/nice", "-n", "2"]);
    assert_eq!(
        settings.applications.prohibited_environment,
        ["LD_PRELOAD", "R_CONFIG_ACTIVE"]
    );
    assert!(settings.applications.home_mounting && settings.python.enabled);
    assert_eq!(settings.python.executable.len(), 2);
    assert_eq!(settings.r_repositories[1].name, "Local");
    assert_eq!(settings.r_repositories[1].url, "file:///srv/r");
    assert_eq!(
        settings.config_dir.as_deref(),
        loaded.config_file.as_deref().and_then(Path::parent)
    );
    let notes = loaded.notes.join("\n");
    assert!(!notes.contains("[Authentication]"), "{notes}");
    assert_eq!(settings.authentication.provider, crate::settings::Provider::Pam);
    assert!(notes.contains("settings not used by this system: PAM.RegisterOnFirstLogin, Server.SenderEmail"));
    assert!(
        notes.contains("Database.Dir is another name of SQLite.Dir"),
        "{notes}"
    );
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_defaults_are_those_of_the_product() {
    let machine = Machine::new();
    let loaded = load_from(&options(None, &[]), &machine.dir.path().join("none")).expect("defaults");
    let settings = loaded.settings;
    assert_eq!(settings.server.data_dir, Path::new("/var/lib/rstudio-connect"));
    assert_eq!(settings.sqlite_dir, Path::new("/var/lib/rstudio-connect/db"));
    assert_eq!(settings.applications.run_as, "rstudio-connect");
    assert_eq!(settings.applications.shared_run_as_unix_group, None);
    assert!(settings.applications.inherit_system_env_vars);
    assert_eq!(settings.applications.rendering_sweep_age_seconds, 30 * 24 * 3600);
    assert!(settings.r.enabled && !settings.python.enabled && !settings.quarto.enabled);
    assert_eq!(settings.r.version_matching, Matching::Nearest);
    assert_eq!(settings.python.version_matching, Matching::MajorMinor);
    assert_eq!(settings.r_config_active, "rsconnect");
    assert!(settings.sandbox.user_namespace && !settings.sandbox.mask_tmp);
    assert_eq!((settings.runtimes_file, settings.config_dir), (None, None));
}

/// Proves: TD2 (L)
#[test]
fn td2_the_temporary_directory_defaults_to_the_servers_own() {
    let machine = Machine::new();
    let none = machine.dir.path().join("none");
    let temp_dir = |env: &[(&str, &str)]| {
        let loaded = load_from(&options(None, env), &none).expect("defaults");
        (
            loaded.settings.server.temp_dir.clone(),
            origin_of(&loaded, "Server", "TempDir").1,
        )
    };
    let name = "TMPDIR".to_owned();
    assert_eq!(
        temp_dir(&[("TMPDIR", "/scratch")]),
        ("/scratch".into(), Origin::Env { name })
    );
    assert_eq!(
        temp_dir(&[("TMPDIR", "relative")]),
        ("/tmp".into(), Origin::Default)
    );
    assert_eq!(temp_dir(&[]), ("/tmp".into(), Origin::Default));
    let set = loaded("[Server]\nTempDir = /t", &[("TMPDIR", "/scratch")]);
    assert_eq!(set.settings.server.temp_dir, Path::new("/t"));
}

/// Proves: SB9 (L)
#[test]
fn sb9_an_ordinary_user_has_defaults_of_their_own() {
    let machine = Machine::new();
    let usual = machine.dir.path().join("usual");
    let name = "ada".to_owned();
    let home = PathBuf::from("/home/ada");
    let mut options = options(None, &[]);
    options.ordinary_user = Some(OrdinaryUser { name, home });
    let alone = load_from(&options, &usual).expect("defaults");
    assert_eq!(
        alone.settings.server.data_dir,
        Path::new("/home/ada/.local/share/offhost")
    );
    assert_eq!(
        alone.settings.sqlite_dir,
        Path::new("/home/ada/.local/share/offhost/db")
    );
    assert_eq!(alone.settings.applications.run_as, "ada");
    assert_eq!(
        alone.settings.server.temp_dir,
        Path::new("/home/ada/.cache/offhost")
    );
    assert!(alone.data_dir_is_personal && alone.temp_dir_is_personal && alone.settings.python.enabled);
    // The system's file keeps the system's defaults.
    fs::write(&usual, "[R]\nEnabled = no").expect("written");
    let system = load_from(&options, &usual).expect("settings");
    assert_eq!(system.settings.applications.run_as, "rstudio-connect");
    assert!(!system.data_dir_is_personal && !system.temp_dir_is_personal);
    assert_eq!(system.settings.server.temp_dir, Path::new("/tmp"));
    // A file of their own is laid over their own defaults.
    options.config = Some(machine.file("[Server]\nDataDir = /d"));
    let own = load_from(&options, &usual).expect("settings");
    assert_eq!(own.settings.applications.run_as, "ada");
    assert_eq!(own.settings.server.data_dir, Path::new("/d"));
    assert!(!own.data_dir_is_personal);
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_the_environment_comes_before_the_file() {
    let file = "[Server]\nDataDir = /file\n[R]\nExecutable = /file/R\n[Database]\nDir = /filedb\n\
                [RPackageRepository \"My Repo\"]\nURL = https://a\n";
    let env = [
        ("OFFHOST_SERVER_DATADIR", "/env"),
        ("OFFHOST_R_EXECUTABLE", "/a/R:/b/R"),
        ("OFFHOST_PACKAGES_EXTERNAL", "rJava\nodd:name"),
        ("OFFHOST_RPACKAGEREPOSITORY_MY_REPO_URL", "https://b"),
        ("OFFHOST_RPACKAGEREPOSITORY_NEW_URL", "https://c"),
        ("OFFHOST_DATABASE_DIR", "/envdb"),
    ];
    let loaded = loaded(file, &env);
    let settings = &loaded.settings;
    let name = "OFFHOST_SERVER_DATADIR".to_owned();
    assert_eq!(
        origin_of(&loaded, "Server", "DataDir"),
        ("/env".to_owned(), Origin::Env { name })
    );
    assert_eq!(settings.r.executable, [Path::new("/a/R"), Path::new("/b/R")]);
    assert_eq!(settings.packages_external, ["rJava", "odd:name"]);
    assert_eq!(settings.sqlite_dir, Path::new("/envdb"));
    let repositories: Vec<_> = settings
        .r_repositories
        .iter()
        .map(|r| (r.name.as_str(), r.url.as_str()))
        .collect();
    assert_eq!(repositories, [("My Repo", "https://b"), ("NEW", "https://c")]);
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_each_value_says_where_it_comes_from() {
    let loaded = loaded("[Quarto]\nExecutable = /a\n\n[Quarto]\nExecutable = /b\n", &[]);
    let path = loaded.config_file.clone().expect("read");
    let rows: Vec<_> = loaded
        .provenance
        .iter()
        .filter(|row| row.section == "Quarto")
        .collect();
    assert_eq!((rows[1].key, rows[1].value.as_str()), ("Executable", "/a"));
    assert_eq!(
        rows[1].origin,
        Origin::File {
            path: path.clone(),
            line: 2
        }
    );
    assert_eq!(rows[2].origin, Origin::File { path, line: 5 });
    assert_eq!(
        origin_of(&loaded, "Server", "TempDir"),
        ("/tmp".to_owned(), Origin::Default)
    );
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_a_key_alone_empties_a_list() {
    let loaded = loaded(
        "[R]\nExecutable = /a\nExecutable\n[Python]\nExecutable = /a\nExecutable\nExecutable = /b",
        &[],
    );
    assert_eq!(loaded.settings.r.executable, Vec::<PathBuf>::new());
    assert_eq!(loaded.settings.python.executable, [Path::new("/b")]);
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_the_file_of_package_manager_is_read_too() {
    let machine = Machine::new();
    let text = "[Server]\nAddress =\nSockFileDir = /run/pm\n[Git]\nAllowUnsandboxedGitBuilds = 1\n\
                [FileStorage \"cran\"]\nLocation = /srv/cran\n[HttpRedirect]\nListen = :80\n";
    let options = options(Some(machine.file(text)), &[("OFFHOST_GIT_BUILDCONCURRENCY", "7")]);
    let resolved = load_values(Product::PackageManager, &options).expect("good");
    assert_eq!(resolved.one("Server", "SockFileDir").value, "/run/pm");
    assert_eq!(resolved.one("Git", "BuildConcurrency").value, "7");
    assert_eq!(resolved.one("SQLite", "Dir").value, "/var/lib/rstudio-pm");
    assert_eq!(
        resolved.named("FileStorage", "Location")[0].found.value,
        "/srv/cran"
    );
    assert!(
        resolved.notes.iter().any(|note| note.ends_with("[HTTPRedirect]")),
        "{:?}",
        resolved.notes
    );
}

/// Proves: SC2 (L, P), SC3 (L, P), PR1 (L, P)
#[test]
fn what_visitors_meet_is_read() {
    let file = "[Server]\nAddress = https://connect.example.org/\n[HTTP]\nListen = 127.0.0.1:80\n[Gateway]\n\
        AppDomain = apps.example.org\nTrustedProxies = 10.0.0.0/8\nTrustedProxies = 192.0.2.1\n[Scheduler]\n\
        LoadFactor = 0.25\nIdleTimeout = 2m\nMaxProcesses = 4\n";
    let settings = loaded(file, &[("OFFHOST_GATEWAY_QUEUELENGTH", "7")]).settings;
    let gateway = &settings.gateway;
    assert_eq!(gateway.address.as_deref(), Some("https://connect.example.org"));
    assert_eq!(
        gateway.http.map(|address| address.to_string()).as_deref(),
        Some("127.0.0.1:80")
    );
    assert_eq!((gateway.https, gateway.queue_length), (None, 7));
    assert_eq!(gateway.app_domain.as_deref(), Some("apps.example.org"));
    let networks: Vec<String> = gateway.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.1/32"]);
    let apps = &settings.scheduler.apps;
    assert_eq!((apps.load_factor_thousandths, apps.max_processes), (250, 4));
    assert_eq!(apps.idle_timeout.as_secs(), 120);
    assert_eq!(
        loaded("", &[]).settings.scheduler.apps,
        crate::settings::AppDefaults::default()
    );
}
