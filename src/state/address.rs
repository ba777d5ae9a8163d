//! Where the database is. Pure.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::StateError;
use crate::settings::Settings;

/// Name of the SQLite database in its directory.
pub(super) const FILE: &str = "offhost.db";

/// Where the database is. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A directory of this machine.
    Sqlite(PathBuf),
    /// A server. With its password, if one is known.
    Postgres(String),
}

impl Address {
    /// What the settings say.
    ///
    /// # Errors
    /// `Postgres.URL` is no address.
    pub fn of(settings: &Settings) -> Result<Self, StateError> {
        let database = &settings.database;
        if database.is_postgres {
            return Self::postgres(&database.url.0, &database.password.0);
        }
        Ok(Self::Sqlite(settings.sqlite_dir.clone()))
    }

    /// That of a PostgreSQL server, by `Postgres.URL` and `Postgres.Password`.
    ///
    /// # Errors
    /// It is none.
    pub fn postgres(url: &str, password: &str) -> Result<Self, StateError> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or(StateError::Url)?;
        if password.is_empty() {
            return Ok(Self::Postgres(format!("postgres://{rest}")));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (user, host) = authority.rsplit_once('@').ok_or(StateError::NoUser)?;
        // A password in the address gives way to the one that is set for itself.
        let user = user.split_once(':').map_or(user, |(user, _)| user);
        let password = escaped(password.as_bytes(), b"");
        Ok(Self::Postgres(format!(
            "postgres://{user}:{password}@{host}{tail}"
        )))
    }

    /// Whether there is something: of a server this is not asked.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.directory()
            .is_none_or(|directory| directory.join(FILE).exists())
    }

    /// Whether several servers can share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// As the library asks for it.
    pub(super) fn url(&self) -> Result<String, StateError> {
        match self {
            Self::Postgres(url) => Ok(url.clone()),
            Self::Sqlite(directory) => {
                let file = directory.join(FILE);
                let path = file.to_str().ok_or_else(|| StateError::Name(directory.clone()))?;
                Ok(format!("sqlite://{}?mode=rwc", escaped(path.as_bytes(), b"/")))
            }
        }
    }

    /// The directory of SQLite.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(directory) => Some(directory),
            Self::Postgres(_) => None,
        }
    }
}

/// What of a text has a meaning in an address, escaped.
fn escaped(text: &[u8], plain: &[u8]) -> String {
    let mut escaped = String::new();
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || plain.contains(byte) {
            escaped.push(char::from(*byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(directory) => write!(f, "SQLite in {}", directory.display()),
            Self::Postgres(url) => {
                // Words behind '?' may hold secrets too.
                let place = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
                let place = place.split('?').next().unwrap_or_default();
                let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
                // A directory of sockets is written so in an address.
                write!(f, "PostgreSQL at {}", place.replace("%2F", "/"))
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_put_in_and_never_shown() {
        let address =
            Address::postgres("postgres://me:old@db:5433/state?sslmode=require", "p@ss/w:rd").unwrap();
        assert_eq!(
            address.url().unwrap(),
            "postgres://me:p%40ss%2Fw%3Ard@db:5433/state?sslmode=require"
        );
        assert_eq!(
            format!("{address} {address:?}")
                .matches("PostgreSQL at db:5433/state")
                .count(),
            2
        );
        assert!(!format!("{address:?}").contains("ss"));
        assert!(matches!(
            Address::postgres("mysql://me@db/x", ""),
            Err(StateError::Url)
        ));
        assert!(matches!(
            Address::postgres("postgres://db/x", "p"),
            Err(StateError::NoUser)
        ));
    }

    #[test]
    fn a_path_can_have_any_letters() {
        let address = Address::Sqlite(PathBuf::from("/srv/a b?#%"));
        assert_eq!(
            address.url().unwrap(),
            "sqlite:///srv/a%20b%3F%23%25/offhost.db?mode=rwc"
        );
    }
}
