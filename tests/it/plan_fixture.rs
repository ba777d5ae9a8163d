//! Inputs of the plan's tests: a small server, its accounts, its runtimes, and one bundle of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use offhost::api::job::{ContentJobSpec, EnvVar, EnvVarSource, KeyRef, Parameter};
use offhost::content::{
    AppMode, BundleFacts, LanguageFacts, PythonFormat, PythonRequirements, RLock, RPackage, RRequirements,
};
use offhost::identity::{Account, Accounts};
use offhost::plan::{Mode, Plan, PlanError, Task, plan};
use offhost::runtimes::{ImageMatching, Installation, LanguageName, Matching, Runtime, Runtimes};
use offhost::sandbox::{Place, SandboxMode};
use offhost::settings::{Applications, Language, PackageManager, Repository, Sandbox, Server, Settings};

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
        content: "sales".to_owned(),
        bundle: "7".to_owned(),
        job_key: "job1".to_owned(),
        rendering: "12".to_owned(),
        facts,
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
            r_version: Vec::new(),
        },
        sqlite_dir: PathBuf::from("/var/lib/rstudio-connect/db"),
        applications: Applications {
            run_as: "rstudio-connect".to_owned(),
            shared_run_as_unix_group: None,
            home_mounting: false,
            inherit_system_env_vars: true,
            prohibited_environment: Vec::new(),
            supervisor: Vec::new(),
            pandoc1_dir: None,
            pandoc2_dir: None,
            pandoc211_dir: None,
            bundle_retention_limit: 0,
            rendering_sweep_limit: 30,
            rendering_sweep_age_seconds: 0,
        },
        r: language(Matching::Nearest),
        r_config_active: "rsconnect".to_owned(),
        python: language(Matching::MajorMinor),
        python_package_manager: PackageManager::Pip,
        quarto: language(Matching::Nearest),
        packages_external: Vec::new(),
        r_repositories: vec![repository("CRAN", "https://packages.example/cran")],
        sandbox: Sandbox {
            mask_tmp: false,
            user_namespace: true,
            memory_limit: 0,
            cpu_limit_millis: 0,
            process_limit: 0,
            file_size_limit: 0,
            open_files_limit: 0,
        },
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

pub(crate) fn facts(app_mode: AppMode, entrypoint: &str) -> BundleFacts {
    BundleFacts {
        app_mode,
        entrypoint: (!entrypoint.is_empty()).then(|| entrypoint.to_owned()),
        category: None,
        is_site: false,
        site_output_dir: None,
        languages: BTreeMap::new(),
        image: None,
        python: None,
        r: None,
        parameters: None,
        hide_all_input: false,
        hide_tagged_input: false,
        inferred: Vec::new(),
    }
}

pub(crate) fn python(lines: &[&str]) -> PythonRequirements {
    PythonRequirements {
        file: "requirements.txt".to_owned(),
        format: PythonFormat::Requirements,
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        allow_uv: true,
    }
}

pub(crate) fn package(name: &str, version: &str, requires: &[&str]) -> RPackage {
    RPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        source: "CRAN".to_owned(),
        repository: Some("CRAN".to_owned()),
        requires: requires.iter().map(|need| (*need).to_owned()).collect(),
        remote: BTreeMap::new(),
    }
}

pub(crate) fn r(packages: Vec<RPackage>) -> RRequirements {
    RRequirements {
        source: RLock::Packrat,
        packages,
        repositories: vec![repository("CRAN", "https://elsewhere.example/cran")],
    }
}

/// A notebook with requirements.
pub(crate) fn notebook() -> World {
    let mut facts = facts(AppMode::JupyterStatic, "report.ipynb");
    facts.languages.insert(
        LanguageName::Python,
        LanguageFacts {
            version: Some("3.11.4".to_owned()),
            ..LanguageFacts::default()
        },
    );
    facts.python = Some(python(&["nbconvert==7.16.0", "pandas==2.2.0"]));
    facts.hide_tagged_input = true;
    World::of(facts)
}

/// An R Markdown report with packages, parameters, variables and limits.
pub(crate) fn report() -> World {
    let mut facts = facts(AppMode::RmdStatic, "report.Rmd");
    facts.parameters = Some(BTreeMap::from([
        ("year".to_owned(), 2023.into()),
        ("region".to_owned(), "north".into()),
    ]));
    facts.r = Some(r(vec![
        package("knitr", "1.42", &["xfun"]),
        package("rmarkdown", "2.20", &["knitr", "R"]),
        package("xfun", "0.37", &[]),
    ]));
    let mut world = World::of(facts);
    world.task.spec.parameters = vec![Parameter {
        name: "year".to_owned(),
        value: "2024".to_owned(),
    }];
    world.task.spec.env = vec![
        variable("GREETING", "hello"),
        EnvVar {
            name: "TOKEN".to_owned(),
            value: None,
            value_from: Some(EnvVarSource::SecretKeyRef(KeyRef {
                name: "tokens".to_owned(),
                key: "sales".to_owned(),
            })),
        },
    ];
    world.task.spec.timeout_seconds = Some(600);
    world.task.spec.resources.limits = env(&[("cpu", "1500m"), ("memory", "512Mi")]);
    world
}

/// An R Markdown site without packages of its own.
pub(crate) fn site() -> World {
    let mut facts = facts(AppMode::RmdStatic, "index.Rmd");
    facts.is_site = true;
    facts.site_output_dir = Some("_site".to_owned());
    World::of(facts)
}

/// A Quarto document with Python code and parameters.
pub(crate) fn quarto_document() -> World {
    let mut facts = facts(AppMode::QuartoStatic, "report.qmd");
    facts.parameters = Some(BTreeMap::from([("year".to_owned(), 2023.into())]));
    facts
        .languages
        .insert(LanguageName::Python, LanguageFacts::default());
    facts.python = Some(python(&["jupyter==1.0.0"]));
    let mut world = World::of(facts);
    world.task.spec.parameters = vec![Parameter {
        name: "year".to_owned(),
        value: "2024".to_owned(),
    }];
    world
}

/// A Quarto website with R code.
pub(crate) fn quarto_site() -> World {
    let mut facts = facts(AppMode::QuartoStatic, "index.qmd");
    facts.is_site = true;
    facts.site_output_dir = Some("public".to_owned());
    facts.languages.insert(LanguageName::R, LanguageFacts::default());
    World::of(facts)
}

/// A script.
pub(crate) fn script() -> World {
    let mut world = World::of(facts(AppMode::Script, ""));
    world.task.spec.command = vec!["./nightly.sh".to_owned(), "--all".to_owned()];
    world
}

pub(crate) fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    }
}
