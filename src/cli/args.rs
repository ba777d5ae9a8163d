//! Commands, flags and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::args_content::ContentArgs;

/// Runs published data-science content in a sandbox on this machine, or plans it as Pods.
#[derive(Debug, Parser)]
#[command(name = "offhost", version, about, max_term_width = 100)]
#[command(
    after_help = "Settings are read from /etc/rstudio-connect/rstudio-connect.gcfg, or from --config.\n\
    Run `offhost doctor` to see whether this machine is ready."
)]
pub struct Cli {
    /// Configuration file in gcfg form
    #[arg(long, global = true, env = "OFFHOST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a job: install packages if they are missing, then render, or run a command
    #[command(after_help = "The last line of standard output is the path of the result.\n\
        The exit code is the one of the process, 124 where its time was over and 137 where it met its memory limit; where \
        none ran it says what was wrong: 65 the input, 71 the sandbox or the Pod, 74 the data directory, 75 the cluster, 77 the account, 78 the \
        supervisor.")]
    Run(RunArgs),
    /// Print everything a job will do, without doing it
    Plan(PlanArgs),
    /// Deploy content and manage its results
    Content(ContentArgs),
    /// Translate paths between the machine and the sandbox
    Path(PathArgs),
    /// List interpreters and images, and explain the choice for a bundle
    Runtimes(RuntimesArgs),
    /// Print every setting, its value and where that came from
    Settings(OutputArgs),
    /// Show the output of a job
    #[command(
        after_help = "A job of a cluster is named as kubectl names it. A job that the data directory knows is named by \
        its key, as the end of a run and `offhost content jobs` tell it, or by CONTENT/KEY."
    )]
    Logs(super::logs::LogsArgs),
    /// Serve applications, documents and files of this machine over HTTP
    Serve(super::serve::ServeArgs),
    /// Build an R package from a directory or a Git repository, in a sandbox, as an account without rights
    Build(super::build::BuildArgs),
    /// Watch Git repositories and build the R packages in them
    Builder(super::build::BuilderArgs),
    /// Show what the server of this machine serves
    Apps(super::apps::AppsArgs),
    /// Show and move the database of the server of this machine
    Db(super::db::DbArgs),
    /// Show as which accounts content could run here, and why not
    Accounts(super::accounts::AccountsArgs),
    /// Check whether this machine or a cluster is ready, and say what to do
    Doctor(DoctorArgs),
    /// Show what a job can see, reach and write on this machine, and which promises of the sandbox are kept
    #[command(
        after_help = "Starts a probe as a job, as an installation and as an application. The exit code is 1 where a promise is not kept."
    )]
    Audit(OutputArgs),
    /// Make Pods of the jobs in a namespace of a cluster, and tell what becomes of them
    #[command(
        after_help = "Runs until it is told to end. Of several with one namespace one works; the others stand by."
    )]
    Controller(super::controller::ControllerArgs),
    /// Serve the applications of a namespace of a cluster to visitors
    #[command(
        after_help = "Runs until it is told to end. Any number run beside each other; the controller that leads tells them which process takes a visitor."
    )]
    Gateway(super::gateway::GatewayArgs),
    /// Print the definitions of the custom resources ContentJob and ContentApp
    #[command(after_help = "Apply it with: offhost crd | kubectl apply --server-side -f -")]
    Crd {
        /// Directory to write the definitions to, a file each
        #[arg(long, value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    /// Print a completion script for a shell
    Completions {
        /// Shell to print for
        shell: clap_complete::Shell,
    },
    /// Write manual pages
    Man {
        /// Directory to write to
        directory: PathBuf,
    },
}

/// A job, by its content or its file.
#[derive(Debug, Default, Args)]
pub struct JobArgs {
    /// Directory or archive with content, or a job file (.yaml)
    #[arg(value_name = "BUNDLE|JOB.yaml")]
    pub target: PathBuf,
    /// Parameter of the report, its value read as YAML; repeatable
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// Content item to deploy to; the directory's name when not given
    #[arg(long, value_name = "NAME")]
    pub content: Option<String>,
    /// Variant of the report whose result this makes
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// Account to run as, by name or number
    #[arg(long, value_name = "ACCOUNT")]
    pub run_as: Option<String>,
    /// Kind of content, as in a manifest's appmode
    #[arg(long, value_name = "KIND")]
    pub app_mode: Option<String>,
    /// File to render, relative to the content
    #[arg(long, value_name = "FILE")]
    pub entrypoint: Option<String>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job
    #[command(flatten)]
    pub job: JobArgs,
    /// Keep the result without serving it
    #[arg(long)]
    pub no_activate: bool,
    /// Where to run it
    #[command(flatten)]
    pub place: ClusterArgs,
    /// Print the ContentJob instead of making it
    #[arg(long, requires = "cluster")]
    pub dry_run: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The job
    #[command(flatten)]
    pub job: JobArgs,
    /// Which rendering of the job
    #[arg(long, value_enum, default_value_t = PlanMode::Local)]
    pub mode: PlanMode,
    /// Images for Pod mode; the configured file or ./runtimes.yaml when not given
    #[arg(long, value_name = "FILE")]
    pub runtimes: Option<PathBuf>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = PlanFormat::Yaml)]
    pub output: PlanFormat,
}

/// Which rendering of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanMode {
    /// The sandbox of this machine
    Local,
    /// A Kubernetes Pod
    Pod,
}

/// How to print a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// YAML
    Yaml,
    /// JSON
    Json,
    /// The Pods themselves, as kubectl reads them (Pod mode)
    Pod,
}

/// A cluster instead of this machine.
#[derive(Debug, Default, Args)]
pub struct ClusterArgs {
    /// On the cluster of the kubeconfig instead of this machine
    #[arg(long)]
    pub cluster: bool,
    /// Namespace of the cluster; that of the context when not given
    #[arg(short, long, value_name = "NAME", requires = "cluster")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; the current one when not given
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pub context: Option<String>,
    /// Service that takes uploads; found by its label when not given
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pub service: Option<String>,
    /// Do not wait for the end of the job
    #[arg(long, requires = "cluster")]
    pub no_wait: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Check the cluster of the kubeconfig instead of this machine
    #[arg(long)]
    pub cluster: bool,
    /// Namespace of the cluster; that of the context when not given
    #[arg(short, long, value_name = "NAME", requires = "cluster")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; the current one when not given
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pub context: Option<String>,
    /// Service account of the controller, whose permissions are checked instead of your own
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pub service_account: Option<String>,
    /// Check whether R packages can be built here, with the settings of `rstudio-pm.gcfg`
    #[arg(long, conflicts_with = "cluster")]
    pub builder: bool,
    /// File of builders; builders.yaml beside the settings file when not given
    #[arg(long, value_name = "FILE", requires = "builder")]
    pub builders: Option<PathBuf>,
    /// Check what you may do as a publisher, and nothing else
    #[arg(long, requires = "cluster", conflicts_with = "service_account")]
    pub as_user: bool,
    /// How to print it
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `path`.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// Path to translate; `-` translates every line of standard input
    pub path: String,
    /// Job that the path belongs to, as the end of a run and `offhost content jobs` tell it
    #[arg(long, value_name = "KEY")]
    pub job: Option<String>,
    /// Content item that the path belongs to
    #[arg(long, value_name = "NAME")]
    pub content: Option<String>,
}

/// Arguments of `runtimes`.
#[derive(Debug, Args)]
pub struct RuntimesArgs {
    /// What to do
    #[command(subcommand)]
    pub command: RuntimesCommand,
}

/// What to do with runtimes.
#[derive(Debug, Subcommand)]
pub enum RuntimesCommand {
    /// List the interpreters of this machine, or the images of a file
    List(RuntimesSource),
    /// Say for each candidate why it fits a bundle or why not
    Match {
        /// Directory or archive with content, or a job file (.yaml)
        target: PathBuf,
        /// Where the candidates come from
        #[command(flatten)]
        source: RuntimesSource,
    },
    /// Start an image, find its interpreters, and print its entry for runtimes.yaml
    #[command(
        after_help = "Runs docker, podman or nerdctl, the first that is on PATH. The image is started without network and rights, as \
        an account that owns nothing in it, and removed again."
    )]
    Probe {
        /// The image, as the entry is to name it
        image: String,
        /// Program that starts containers as docker does
        #[arg(long, value_name = "PROGRAM")]
        with: Option<PathBuf>,
        /// How to print it
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Where runtimes come from.
#[derive(Debug, Args)]
pub struct RuntimesSource {
    /// File with images; the interpreters of this machine when not given
    #[arg(long, value_name = "FILE")]
    pub runtimes: Option<PathBuf>,
    /// How to print them
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How to print something.
#[derive(Clone, Copy, Debug, Args)]
pub struct OutputArgs {
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// How to print something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}
