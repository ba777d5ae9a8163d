//! Why the state can not be read or written.

use std::path::PathBuf;

use super::address::Address;
use crate::data::IoFailure;

/// Why the state can not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not the address of a PostgreSQL server.
    #[error("Postgres.URL is no address of a PostgreSQL database; write it as postgres://USER@HOST/DATABASE")]
    Url,
    /// A password of nobody.
    #[error(
        "Postgres.Password is set and Postgres.URL names no user; write it as postgres://USER@HOST/DATABASE"
    )]
    NoUser,
    /// A path that the database's library can not be told.
    #[error("SQLite.Dir '{}' is not valid UTF-8; choose another directory", .0.display())]
    Name(PathBuf),
    /// SQLite on a file system of another machine.
    #[error(
        "SQLite.Dir '{directory}' is on a network file system ({kind}), where SQLite loses data; set SQLite.Dir to a directory of a local disk, or Database.Provider to postgres",
        directory = directory.display()
    )]
    Network {
        /// The directory.
        directory: PathBuf,
        /// Of what kind the file system is.
        kind: &'static str,
    },
    /// A second server.
    #[error(
        "another offhost serve keeps its state in SQLite.Dir '{}'; end that one, or set Database.Provider to postgres for both", .0.display()
    )]
    Taken(PathBuf),
    /// The state of another data directory.
    #[error(
        "the database, {address}, has the state of another data directory than '{data_dir}'; servers that share a database share Server.DataDir too: give this one a database of its own, or that directory",
        data_dir = data_dir.display()
    )]
    Foreign {
        /// Where it is.
        address: Address,
        /// The data directory of this server.
        data_dir: PathBuf,
    },
    /// The directory.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// Somebody holds it for too long.
    #[error("the database, {address}, is locked by another program; end that one, or wait for it")]
    Locked {
        /// Where it is.
        address: Address,
    },
    /// No space.
    #[error("the database, {address}, is full; make room on its disk")]
    Full {
        /// Where it is.
        address: Address,
    },
    /// Nobody answers.
    #[error("the database, {address}, can not be reached: {said}; start it, or correct Postgres.URL")]
    Away {
        /// Where it is.
        address: Address,
        /// What was said.
        said: String,
    },
    /// Another version of this program has changed it.
    #[error("the database, {address}, was written by a newer offhost; use that one")]
    Newer {
        /// Where it is.
        address: Address,
    },
    /// Anything else.
    #[error("the database, {address}: {said}")]
    Other {
        /// Where it is.
        address: Address,
        /// What was said.
        said: String,
    },
    /// What was claimed is another server's now.
    #[error(
        "another server has taken '{work}' over, since this one said nothing for too long; its result is not used"
    )]
    Lost {
        /// What was claimed.
        work: String,
    },
}

impl StateError {
    /// What an error of the library means.
    pub(super) fn of(address: &Address, error: &sqlx::Error) -> Self {
        let address = address.clone();
        let said = error.to_string();
        match error {
            sqlx::Error::Database(fault) => match meaning(fault.code().as_deref(), address.is_shared()) {
                Meaning::Locked => Self::Locked { address },
                Meaning::Full => Self::Full { address },
                Meaning::Away => Self::Away {
                    address,
                    said: fault.message().to_owned(),
                },
                Meaning::Other => Self::Other {
                    address,
                    said: fault.message().to_owned(),
                },
            },
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => Self::Away { address, said },
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Away {
                address,
                said: "no answer".to_owned(),
            },
            _ => Self::Other { address, said },
        }
    }

    /// What went wrong with a migration means.
    pub(super) fn of_migration(address: &Address, error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Self::Newer {
                address: address.clone(),
            },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::of(address, &error)
            }
            other => Self::Other {
                address: address.clone(),
                said: other.to_string(),
            },
        }
    }

    /// Whether the settings are at fault.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        matches!(
            self,
            Self::Url
                | Self::NoUser
                | Self::Name(_)
                | Self::Network { .. }
                | Self::Taken(_)
                | Self::Foreign { .. }
        )
    }

    /// Whether it may be over in a while without anybody's doing.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Locked { .. } | Self::Full { .. } | Self::Away { .. } | Self::Other { .. }
        )
    }
}

enum Meaning {
    Locked,
    Full,
    Away,
    Other,
}

/// What the code of a database means: a number of SQLite, whose lowest byte is the kind, or a SQLSTATE.
fn meaning(code: Option<&str>, is_postgres: bool) -> Meaning {
    let code = code.unwrap_or_default();
    if is_postgres {
        return match code {
            "53100" => Meaning::Full,
            "55P03" => Meaning::Locked,
            _ if ["08", "53", "57", "28", "3D"]
                .iter()
                .any(|class| code.starts_with(class)) =>
            {
                Meaning::Away
            }
            _ => Meaning::Other,
        };
    }
    match code.parse::<u32>().unwrap_or(0) & 0xff {
        5 | 6 => Meaning::Locked,
        13 => Meaning::Full,
        _ => Meaning::Other,
    }
}
