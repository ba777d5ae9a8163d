//! `[Database]` and `[Postgres]`: where a server without a cluster keeps its state (CN3).

use std::fmt;

/// Which database, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// Whether `Database.Provider` is `postgres`; `sqlite` otherwise.
    pub is_postgres: bool,
    /// `Postgres.URL`. It may hold a password.
    pub url: Hidden,
    /// `Postgres.Password`.
    pub password: Hidden,
}

/// A text that is not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { "(set)" })
    }
}
