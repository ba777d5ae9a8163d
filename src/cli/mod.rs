//! The command line.

mod accounts;
mod apps;
mod args;
mod args_content;
mod audit;
mod build;
mod cluster;
mod content;
mod content_index;
mod content_jobs;
mod controller;
mod crd;
mod db;
mod doctor;
mod failure;
mod gateway;
mod logs;
mod path;
mod plan;
mod plan_pods;
mod printer;
mod run;
mod runtimes;
mod serve;
mod settings;

use clap::CommandFactory;

pub use args::Cli;
pub use failure::Failure;

use args::Command;
use failure::Because;

use crate::reason::Reason;

/// Runs a command and gives the program's exit code.
#[must_use]
pub fn run(cli: Cli) -> std::process::ExitCode {
    // Directories are made with the mode they are to have, whatever the administrator's shell had set: a kill between
    // making one and opening it would leave it closed to the accounts that content runs as.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    match dispatch(cli) {
        Ok(code) => code.into(),
        Err(failure) => {
            printer::note(format!("error: {}", failure.message));
            failure.code().into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let config = cli.config;
    match cli.command {
        Command::Run(args) if args.place.cluster => cluster::run(&args),
        Command::Run(args) => run::run(config, &args),
        Command::Plan(args) => plan::run(config, &args),
        Command::Content(args) => content::run(config, args.command),
        Command::Path(args) => path::run(config, &args),
        Command::Runtimes(args) => runtimes::run(config, args.command),
        Command::Settings(args) => settings::run(config, args.output),
        Command::Logs(args) => logs::run(config, &args),
        Command::Doctor(args) => doctor::run(config, &args),
        Command::Audit(args) => audit::run(config, args.output),
        Command::Serve(args) => serve::run(config, args),
        Command::Build(args) => build::build(config, args),
        Command::Builder(args) => build::builder(config, args),
        Command::Accounts(args) => accounts::run(config, args),
        Command::Apps(args) => apps::run(config, args),
        Command::Db(args) => db::run(config, args),
        Command::Controller(args) => controller::run(config, args),
        Command::Gateway(args) => gateway::run(config, args),
        Command::Crd { directory } => crd::run(directory.as_deref()),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "offhost", &mut std::io::stdout());
            Ok(0)
        }
        Command::Man { directory } => man(&directory),
    }
}

fn man(directory: &std::path::Path) -> Result<u8, Failure> {
    let written =
        std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
    written
        .map_err(|error| {
            format!(
                "{}: {error}; name a directory that can be written",
                directory.display()
            )
        })
        .because(Reason::InvalidInput)?;
    printer::line(directory.display());
    Ok(0)
}
