//! The typed settings, from the resolved values. Pure.

mod authentication;
mod builds;
mod gateway;
mod kubernetes;
mod pam;

use std::path::{Path, PathBuf};

pub(super) use builds::builds;

use super::error::SettingsError;
use super::layer::Found;
use super::resolve::Resolved;
use super::typed::{Applications, Jobs, Language, PackageManager, Repository, Sandbox, Server, Settings};
use super::typed_database::{Database, Hidden};
use super::values::{self, ValueError};
use crate::runtimes::Matching;

type Built<T> = Result<T, SettingsError>;

/// Builds [`Settings`]; `config` is the settings file.
pub(super) fn build(resolved: &Resolved, config: Option<&Path>) -> Built<Settings> {
    let from = Reader(resolved);
    Ok(Settings {
        server: Server {
            data_dir: from.path("Server", "DataDir"),
            temp_dir: from.path("Server", "TempDir"),
            manifest_dir: from.optional_path("Server", "ManifestDir"),
            r_version: from.paths("Server", "RVersion"),
        },
        sqlite_dir: from.path("SQLite", "Dir"),
        database: from.database(),
        applications: from.applications()?,
        r: from.language("R")?,
        r_config_active: from.text("R", "ConfigActive"),
        python: from.language("Python")?,
        python_package_manager: from.package_manager(),
        quarto: from.language("Quarto")?,
        nodejs: from.language("NodeJs")?,
        packages_external: from.texts("Packages", "External"),
        r_repositories: from.repositories(),
        jobs: from.jobs()?,
        sandbox: from.sandbox()?,
        scheduler: from.scheduler()?,
        kubernetes: from.kubernetes()?,
        gateway: from.gateway()?,
        pam: from.pam()?,
        authentication: from.authentication()?,
        runtimes_file: from.optional_path("ExecutionEnvironments", "ConfigFilePath"),
        config_dir: config.and_then(Path::parent).map(Path::to_owned),
    })
}

struct Reader<'a>(&'a Resolved);

impl Reader<'_> {
    fn applications(&self) -> Built<Applications> {
        const SECTION: &str = "Applications";
        Ok(Applications {
            most_permissive_access: self.most_permissive_access(),
            run_as: self.text(SECTION, "RunAs"),
            shared_run_as_unix_group: Some(self.text(SECTION, "SharedRunAsUnixGroup"))
                .filter(|group| !group.is_empty()),
            run_as_current_user: self.switch(SECTION, "RunAsCurrentUser")?,
            home_mounting: self.switch(SECTION, "HomeMounting")?,
            inherit_system_env_vars: self.switch(SECTION, "InheritSystemEnvVars")?,
            prohibited_environment: self.texts(SECTION, "ProhibitedEnvironment"),
            supervisor: self.parsed(SECTION, "Supervisor", values::parse_command)?,
            pandoc1_dir: self.optional_path(SECTION, "Pandoc1Dir"),
            pandoc2_dir: self.optional_path(SECTION, "Pandoc2Dir"),
            pandoc211_dir: self.optional_path(SECTION, "Pandoc211Dir"),
            max_log_size: self.parsed(SECTION, "MaxLogSize", values::parse_size)?,
            bundle_retention_limit: self.parsed(SECTION, "BundleRetentionLimit", parse_small)?,
            rendering_sweep_limit: self.parsed(SECTION, "RenderingSweepLimit", parse_small)?,
            rendering_sweep_age_seconds: self
                .parsed(SECTION, "RenderingSweepAge", values::parse_duration)?
                .as_secs(),
            parameter_result_limit: self.parsed(SECTION, "ParameterResultLimit", parse_small)?,
            parameter_result_age_seconds: self
                .parsed(SECTION, "ParameterResultAge", values::parse_duration)?
                .as_secs(),
        })
    }

    fn jobs(&self) -> Built<Jobs> {
        Ok(Jobs {
            max_completed: self.parsed("Jobs", "MaxCompleted", parse_small)?,
            max_running: self.parsed("Jobs", "MaxRunning", parse_small)?.max(1),
            oldest_completed_seconds: self
                .parsed("Jobs", "OldestCompleted", values::parse_duration)?
                .as_secs(),
        })
    }

    fn language(&self, section: &'static str) -> Built<Language> {
        Ok(Language {
            enabled: self.switch(section, "Enabled")?,
            executable: self.paths(section, "Executable"),
            executable_scanning: self.switch(section, "ExecutableScanning")?,
            version_matching: match self
                .text(section, "VersionMatching")
                .to_ascii_lowercase()
                .as_str()
            {
                "exact" => Matching::Exact,
                "major-minor" => Matching::MajorMinor,
                _ => Matching::Nearest,
            },
        })
    }

    fn package_manager(&self) -> PackageManager {
        match self.text("Python", "PackageManager").eq_ignore_ascii_case("uv") {
            true => PackageManager::Uv,
            false => PackageManager::Pip,
        }
    }

    fn repositories(&self) -> Vec<Repository> {
        let entries = self.0.named("RPackageRepository", "URL").into_iter();
        let repository = entries.map(|entry| Repository {
            name: entry.name.clone(),
            url: entry.found.value.clone(),
        });
        repository
            .filter(|repository| !repository.url.is_empty())
            .collect()
    }

    fn sandbox(&self) -> Built<Sandbox> {
        const SECTION: &str = "Sandbox";
        Ok(Sandbox {
            mask_tmp: self.switch(SECTION, "MaskTmp")?,
            user_namespace: !self.text(SECTION, "UserNamespace").eq_ignore_ascii_case("never"),
            memory_limit: self.parsed(SECTION, "MemoryLimit", values::parse_size)?,
            cpu_limit_millis: self.parsed(SECTION, "CPULimit", values::parse_thousandths)?,
            process_limit: self.parsed(SECTION, "ProcessLimit", values::parse_count)?,
            file_size_limit: self.parsed(SECTION, "FileSizeLimit", values::parse_size)?,
            open_files_limit: self.parsed(SECTION, "OpenFilesLimit", values::parse_count)?,
        })
    }

    fn database(&self) -> Database {
        Database {
            is_postgres: self.0.choice("Database", "Provider") == Some("postgres"),
            url: Hidden(self.text("Postgres", "URL")),
            password: Hidden(self.text("Postgres", "Password")),
        }
    }

    fn parsed<T>(
        &self,
        section: &'static str,
        key: &'static str,
        parse: fn(&str) -> Result<T, ValueError>,
    ) -> Built<T> {
        let found = self.0.one(section, key);
        read(found, &format!("{section}.{key}"), parse)
    }

    fn switch(&self, section: &'static str, key: &'static str) -> Built<bool> {
        self.parsed(section, key, values::parse_bool)
    }

    fn text(&self, section: &'static str, key: &'static str) -> String {
        self.0.one(section, key).value.trim().to_owned()
    }

    fn texts(&self, section: &'static str, key: &'static str) -> Vec<String> {
        self.0
            .all(section, key)
            .iter()
            .map(|found| found.value.clone())
            .collect()
    }

    fn path(&self, section: &'static str, key: &'static str) -> PathBuf {
        PathBuf::from(&self.0.one(section, key).value)
    }

    fn optional_path(&self, section: &'static str, key: &'static str) -> Option<PathBuf> {
        Some(self.path(section, key)).filter(|path| !path.as_os_str().is_empty())
    }

    fn paths(&self, section: &'static str, key: &'static str) -> Vec<PathBuf> {
        let path = |found: &Found| PathBuf::from(&found.value);
        self.0.all(section, key).iter().map(path).collect()
    }
}

/// The meaning of one entry.
fn read<T>(found: &Found, setting: &str, parse: fn(&str) -> Result<T, ValueError>) -> Built<T> {
    parse(&found.value).map_err(|problem| SettingsError::Value {
        origin: found.origin.clone(),
        setting: setting.to_owned(),
        problem,
    })
}

fn parse_small(text: &str) -> Result<u32, ValueError> {
    u32::try_from(values::parse_count(text)?).map_err(|_| ValueError::TooLarge(text.to_owned()))
}
