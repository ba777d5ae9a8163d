//! `offhost db`: the database of a server without a cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::args::Format;
use super::args::OutputArgs;
use super::failure::Failure;
use super::printer;
use crate::local::error::LocalError;
use crate::reason::Reason;
use crate::settings::{Loaded, Settings};
use crate::state::{Address, Count, SqliteLock, State, counts, move_all};

/// Arguments of `db`.
#[derive(Debug, Args)]
pub struct DbArgs {
    #[command(subcommand)]
    pub(super) command: DbCommand,
}

/// What is done with the database.
#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Show where the state is kept, and how much of it there is
    Status(OutputArgs),
    /// Copy everything from one database into the other
    #[command(
        after_help = "The server has to be ended before. What the other database has already stays as it is there. Afterwards set \
        Database.Provider, and start the server again. The old database is left as it is."
    )]
    Migrate {
        /// Database to copy into
        #[arg(long, value_enum, value_name = "DATABASE")]
        to: Provider,
    },
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Provider {
    /// The one of Postgres.URL
    Postgres,
    /// The one in SQLite.Dir
    Sqlite,
}

pub(super) fn run(config: Option<PathBuf>, args: DbArgs) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    match args.command {
        DbCommand::Status(args) => status(&loaded, args.output),
        DbCommand::Migrate { to } => migrate(&loaded.settings, to),
    }
}

/// What `db status` shows.
#[derive(Serialize)]
struct Status {
    state: String,
    rows: std::collections::BTreeMap<&'static str, i64>,
}

fn status(loaded: &Loaded, format: Format) -> Result<u8, Failure> {
    let address = Address::of(&loaded.settings).map_err(LocalError::from)?;
    let state = State::open(&address).map_err(LocalError::from)?;
    let counts = counts(&state).map_err(LocalError::from)?;
    if format == Format::Json {
        let rows = counts.iter().map(|count| (count.table, count.rows)).collect();
        printer::json(&Status {
            state: address.to_string(),
            rows,
        });
        return Ok(0);
    }
    printer::line(&address);
    table(&counts);
    Ok(0)
}

fn table(counts: &[Count]) {
    let mut rows = vec![["TABLE", "ROWS"].map(str::to_owned).to_vec()];
    rows.extend(
        counts
            .iter()
            .map(|count| vec![count.table.to_owned(), count.rows.to_string()]),
    );
    printer::table(&rows);
}

fn migrate(settings: &Settings, to: Provider) -> Result<u8, Failure> {
    let sqlite = Address::Sqlite(settings.sqlite_dir.clone());
    let database = &settings.database;
    if database.url.0.is_empty() {
        return Err(Failure::new(
            Reason::InvalidInput,
            "Postgres.URL is empty; set it to postgres://USER@HOST/DATABASE",
        ));
    }
    let postgres = Address::postgres(&database.url.0, &database.password.0).map_err(LocalError::from)?;
    // No server may write there meanwhile.
    let _lock = SqliteLock::take(&settings.sqlite_dir).map_err(LocalError::from)?;
    let (from, to) = match to {
        Provider::Postgres => (sqlite, postgres),
        Provider::Sqlite => (postgres, sqlite),
    };
    let old = State::open(&from).map_err(LocalError::from)?;
    let new = State::open(&to).map_err(LocalError::from)?;
    let counts = move_all(&old, &new).map_err(LocalError::from)?;
    printer::line(format!("{from} copied into {to}"));
    table(&counts);
    Ok(0)
}
