//! `offhost build` and `offhost builder`: R packages from directories and Git repositories.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::{Because, Failure};
use super::printer;
use crate::builds::deliver;
use crate::builds::error::BuildError;
use crate::builds::file::{Access, BUILD_LIMIT, Products};
use crate::builds::server::{self, Options};
use crate::builds::source::{Source, check_reference, check_subdirectory};
use crate::builds::workshop::{From, Order, Workshop};
use crate::local::signals;
use crate::reason::Reason;
use crate::settings::values::parse_duration;
use crate::settings::{LoadOptions, LoadedBuilds, load_builds};
use crate::telemetry::logs::{self, LogFormat};

/// Arguments of `build`.
#[derive(Debug, Args)]
#[command(
    after_help = "Settings are read from /etc/rstudio-pm/rstudio-pm.gcfg, or from --config. It is never run as root. What R says goes to standard \
    error; each line of standard output is the path of an archive.\n\
    The exit code is 0, 65 where the input is wrong, 71 where there is no sandbox, 74 where a directory can not be used, 77 for root, 124 where the \
    time was over, 137 where the memory was used up, and 1 where the package can not be built."
)]
pub struct BuildArgs {
    /// Directory of a package, or address of a Git repository (file:, http:, https:, ssh:)
    #[arg(allow_hyphen_values = false)]
    pub source: String,
    /// Branch, tag or whole commit of the repository; its main branch when not given
    #[arg(long = "ref", value_name = "NAME")]
    pub reference: Option<String>,
    /// Where the package lies in the source
    #[arg(long, value_name = "DIR")]
    pub subdir: Option<String>,
    /// Directory in which the archive appears
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
    /// Make a binary archive as well
    #[arg(long)]
    pub binary: bool,
    /// Build vignettes too, which needs the packages that they use
    #[arg(long)]
    pub vignettes: bool,
    /// Time that each step may take
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// File with `username=` and `password=` for http: and https:, readable for its owner alone
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Private key for ssh:
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<PathBuf>,
}

/// Arguments of `builder`.
#[derive(Debug, Args)]
#[command(
    after_help = "Settings are read from /etc/rstudio-pm/rstudio-pm.gcfg, or from --config. It is never run as root. SIGTERM ends it and the builds \
    that run; they are done again after the next start. See docs/git-builds.md for the file of builders."
)]
pub struct BuilderArgs {
    /// File of builders; builders.yaml beside the settings file when not given
    #[arg(long, value_name = "FILE")]
    pub builders: Option<PathBuf>,
    /// Address that answers /livez, /readyz and /metrics
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3937")]
    pub admin_listen: SocketAddr,
    /// Form of log lines; text on a terminal and JSON elsewhere when not given
    #[arg(long, value_enum, value_name = "FORM")]
    pub log_format: Option<LogFormat>,
}

impl std::convert::From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::new(error.reason(), error)
    }
}

/// Loads `rstudio-pm.gcfg` as this process sees it.
pub(super) fn loaded(config: Option<PathBuf>) -> Result<LoadedBuilds, Failure> {
    let options = LoadOptions {
        config,
        env: std::env::vars().collect(),
        ordinary_user: super::settings::person(),
    };
    load_builds(&options).because(Reason::InvalidInput)
}

pub(super) fn builder(config: Option<PathBuf>, args: BuilderArgs) -> Result<u8, Failure> {
    logs::init(args.log_format.unwrap_or_else(LogFormat::usual));
    server::run(Options {
        loaded: loaded(config)?,
        builders: args.builders,
        admin: args.admin_listen,
    })?;
    Ok(0)
}

pub(super) fn build(config: Option<PathBuf>, args: BuildArgs) -> Result<u8, Failure> {
    logs::init(LogFormat::Text);
    let loaded = loaded(config)?;
    let source = Source::parse(&args.source).map_err(BuildError::from)?;
    let subdirectory =
        check_subdirectory(args.subdir.as_deref().unwrap_or_default()).map_err(BuildError::from)?;
    let limit = args.timeout.as_deref().map_or(Ok(BUILD_LIMIT), parse_duration);
    let limit = limit
        .map_err(|error| format!("--timeout: {error}"))
        .because(Reason::InvalidInput)?;
    let access = access(&args, &source)?;
    signals::take().map_err(BuildError::Begin)?;
    let workshop = Workshop::open(&loaded, access.secrets())?;
    let log = tempfile::NamedTempFile::new().because(Reason::DataUnavailable)?;
    let destination = std::path::absolute(&args.output).because(Reason::InvalidInput)?;
    let products = Products {
        binary: args.binary,
        vignettes: args.vignettes,
    };
    let order = |from| Order {
        from,
        subdirectory: &subdirectory,
        products,
        limit,
        limits: loaded.settings.limits,
        destination: &destination,
        log: log.path(),
        is_shown: true,
    };
    let archives = match &source {
        Source::Directory(directory) => workshop.build(&order(From::Directory(directory)))?,
        Source::Git(url) => {
            let refs = workshop.remote(url, &access).refs()?;
            let state = &refs.find(args.reference.as_deref()).map_err(BuildError::from)?;
            let access = &access;
            workshop.build(&order(From::Git { url, access, state }))?
        }
    };
    for path in deliver::place(&destination, &archives).map_err(BuildError::from)? {
        printer::line(path.display());
    }
    Ok(0)
}

/// What the repository is asked with, where the source is one.
fn access(args: &BuildArgs, source: &Source) -> Result<Access, Failure> {
    let wrong = |message: &str| Err(Failure::new(Reason::InvalidInput, message));
    let absolute = |path: &Option<PathBuf>| {
        path.as_deref()
            .map(std::path::absolute)
            .transpose()
            .because(Reason::InvalidInput)
    };
    args.reference
        .as_deref()
        .map(check_reference)
        .transpose()
        .map_err(BuildError::from)?;
    let access = Access {
        credentials: absolute(&args.credentials)?,
        ssh_key: absolute(&args.ssh_key)?,
    };
    match source {
        Source::Directory(_) if args.reference.is_some() => wrong(
            "--ref is of Git repositories, and the source is a directory; leave it out, or name the repository as file:///PATH",
        ),
        Source::Directory(_) if access != Access::default() => wrong(
            "--credentials and --ssh-key are for Git repositories, and the source is a directory; leave them out",
        ),
        Source::Git(url) if access.credentials.is_some() && !url.is_http() => {
            wrong("--credentials is for http: and https: alone; leave it out, or use --ssh-key for ssh:")
        }
        Source::Git(url) if access.ssh_key.is_some() && url.scheme() != "ssh" => {
            wrong("--ssh-key is for ssh: alone; leave it out, or use --credentials for https:")
        }
        _ => Ok(access),
    }
}

/// What `doctor --builder` looks at.
pub(super) fn checks(
    config: Option<PathBuf>,
    builders: Option<&Path>,
) -> Result<Vec<crate::check::Check>, Failure> {
    let loaded = loaded(config)?;
    let file = server::builders_file(&loaded, builders);
    let read = server::read_builders(&file, &loaded.settings);
    Ok(crate::builds::doctor::examine(&loaded, read.as_deref()))
}
