//! Inputs of the plan's tests: a small server, its accounts, its runtimes, and one bundle of each kind.

mod bundles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use offhost::api::job::ContentJobSpec;
use offhost::content::BundleFacts;
use offhost::identity::{Account, Accounts};
use offhost::plan::{Mode, Plan, PlanError, Task, plan};
use offhost::runtimes::{ImageMatching, Installation, LanguageName, Matching, Runtime, Runtimes};
use offhost::sandbox::{Place, SandboxMode};
use offhost::settings::{
    Applications, Kubernetes, Language, PackageManager, Repository, Sandbox, Scheduler, Server, Settings,
};

pub(crate) use bundles::*;

/// Everything `plan` takes.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) task: Task,
    pub(crate) settings: Settings,
    pub(crate) runtimes: Runtimes,
    pub(crate) accounts: Accounts,
}

impl World {
    /// A world for `facts`, in local mode.
    pub(crate) fn of(facts: BundleFacts) -> Self {
        Self {
            task: task(facts),
            settings: settings(),
            runtimes: runtimes("local"),
            accounts: accounts(),
        }
    }

    /// The same in Pod mode.
    pub(crate) fn in_pod(mut self) -> Self {
        self.task.mode = Mode::Pod;
        self.task.server_env = BTreeMap::new();
        self.runtimes = runtimes("registry.example/content:r4.2-py3.11");
        self.runtimes.runtimes[0].supervisor = vec!["/opt/image/supervise".to_owned()];
        self
    }

    pub(crate) fn plan(&self) -> Result<Plan, PlanError> {
        plan(&self.task, &self.settings, &self.runtimes, &self.accounts)
    }

    /// The message of the error that planning gives.
    pub(crate) fn refusal(&self) -> String {
        self.plan().expect_err("this can not be planned").to_string()
    }
}

pub(crate) fn place() -> Place {
    Place {
        data_dir: PathBuf::from("/var/lib/rstudio-connect"),
        runtime_dir: PathBuf::from("/usr/share/offhost/runtime"),
        inputs_dir: PathBuf::from("/run/offhost/job1/inputs"),
        mode: SandboxMode::RootUserns,
        secrets: BTreeMap::from([("TOKEN".to_owned(), "resolved".to_owned())]),
    }
}

fn task(facts: BundleFacts) -> Task {
    Task {
        mode: Mode::Local,
        spec: ContentJobSpec::default(),
        serve: None,
        content: "sales".to_owned(),
        bundle: "7".to_owned(),
        job_key: "job1".to_owned(),
        rendering: "12".to_owned(),
        facts,
        content_image: None,
        server_env: env(&[
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HTTPS_PROXY", "http://proxy.example:3128"),
            ("OFFHOST_POSTGRES_PASSWORD", "secret"),
            ("HOME", "/root"),
            ("USER", "root"),
        ]),
        installed: Vec::new(),
        r_cache: BTreeSet::new(),
        uv: None,
    }
}

pub(crate) fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn language(matching: Matching) -> Language {
    Language {
        enabled: true,
        executable: Vec::new(),
        executable_scanning: true,
        version_matching: matching,
    }
}

fn settings() -> Settings {
    Settings {
        server: Server {
            data_dir: PathBuf::from("/var/lib/rstudio-connect"),
            temp_dir: PathBuf::from("/tmp"),
            manifest_dir: None,
            r_version: Vec::new(),
        },
        sqlite_dir: PathBuf::from("/var/lib/rstudio-connect/db"),
        database: offhost::settings::Database::default(),
        applications: Applications {
            run_as: "rstudio-connect".to_owned(),
            most_permissive_access: offhost::api::access::AccessType::All,
            shared_run_as_unix_group: None,
            run_as_current_user: false,
            home_mounting: false,
            inherit_system_env_vars: true,
            prohibited_environment: Vec::new(),
            supervisor: Vec::new(),
            pandoc1_dir: None,
            pandoc2_dir: None,
            pandoc211_dir: None,
            max_log_size: 50 << 20,
            bundle_retention_limit: 0,
            rendering_sweep_limit: 30,
            rendering_sweep_age_seconds: 0,
            parameter_result_limit: 10,
            parameter_result_age_seconds: 0,
        },
        authentication: offhost::settings::Authentication::default(),
        r: language(Matching::Nearest),
        r_config_active: "rsconnect".to_owned(),
        python: language(Matching::MajorMinor),
        python_package_manager: PackageManager::Pip,
        quarto: language(Matching::Nearest),
        nodejs: language(Matching::Nearest),
        packages_external: Vec::new(),
        r_repositories: vec![repository("CRAN", "https://packages.example/cran")],
        jobs: offhost::settings::Jobs {
            max_running: 2,
            max_completed: 1000,
            oldest_completed_seconds: 0,
        },
        sandbox: Sandbox {
            mask_tmp: false,
            user_namespace: true,
            memory_limit: 0,
            cpu_limit_millis: 0,
            process_limit: 0,
            file_size_limit: 0,
            open_files_limit: 0,
        },
        scheduler: Scheduler::default(),
        kubernetes: Kubernetes::default(),
        gateway: offhost::settings::Gateway::default(),
        pam: offhost::settings::Pam::default(),
        runtimes_file: None,
        config_dir: Some(PathBuf::from("/etc/rstudio-connect")),
    }
}

pub(crate) fn repository(name: &str, url: &str) -> Repository {
    Repository {
        name: name.to_owned(),
        url: url.to_owned(),
    }
}

fn runtimes(name: &str) -> Runtimes {
    let installation = |version: &str, path: &str| {
        vec![Installation {
            version: version.to_owned(),
            path: path.to_owned(),
        }]
    };
    Runtimes {
        runtimes: vec![Runtime {
            name: name.to_owned(),
            title: None,
            description: None,
            matching: ImageMatching::Any,
            supervisor: Vec::new(),
            installations: BTreeMap::from([
                (LanguageName::R, installation("4.2.2", "/usr/bin/R")),
                (
                    LanguageName::Python,
                    installation("3.11.2", "/opt/python/3.11.2/bin/python3"),
                ),
                (
                    LanguageName::Quarto,
                    installation("1.4.553", "/opt/quarto/1.4.553/bin/quarto"),
                ),
                (
                    LanguageName::Nodejs,
                    installation("22.12.0", "/opt/nodejs/22.12.0/bin/node"),
                ),
            ]),
            volume_mounts: Vec::new(),
        }],
    }
}

pub(crate) fn account(name: &str, uid: u32, gid: u32, groups: &[u32], home: Option<&str>) -> Account {
    Account {
        name: name.to_owned(),
        uid,
        gid,
        groups: groups.to_vec(),
        home: home.map(PathBuf::from),
    }
}

fn accounts() -> Accounts {
    let known = [
        (
            "rstudio-connect",
            account("rstudio-connect", 999, 998, &[998], Some("/home/rstudio-connect")),
        ),
        (
            "hadley",
            account("hadley", 1001, 1001, &[27, 998, 1001], Some("/home/hadley")),
        ),
        (
            "1001",
            account("hadley", 1001, 1001, &[27, 998, 1001], Some("/home/hadley")),
        ),
        ("outsider", account("outsider", 1002, 1002, &[1002], None)),
        ("svc", account("svc", 990, 990, &[990, 998], None)),
        ("toor", account("toor", 0, 1003, &[1003], None)),
        ("wheel", account("wheel", 1004, 0, &[0], None)),
        ("sneaky", account("sneaky", 1005, 1005, &[0, 998, 1005], None)),
    ];
    Accounts {
        accounts: known
            .into_iter()
            .map(|(name, account)| (name.to_owned(), account))
            .collect(),
        groups: BTreeMap::from([("data-scientists".to_owned(), 1002)]),
        ordinary_user: None,
    }
}
