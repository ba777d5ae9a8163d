//! Entry of `offhost`.

use clap::Parser;

fn main() -> std::process::ExitCode {
    offhost::cli::run(offhost::cli::Cli::parse())
}
