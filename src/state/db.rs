//! The database: opened, brought to this program's form, and asked.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, ConnectOptions, Executor};
use tokio::runtime::Runtime;

use super::address::{Address, FILE};
use super::error::StateError;
use super::place;
use crate::data::{DataDir, FileLock, new_key};

/// Locked while SQLite is brought to the form, beside it.
const MAKING: &str = ".offhost.db.making";
/// How long a connection is waited for.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(15);
/// How long it may take to copy everything.
pub(super) const COPY: Duration = Duration::from_secs(3600);
/// How long another program may hold SQLite, in milliseconds.
const BUSY: u32 = 5000;
/// Connections at a time.
const CONNECTIONS: u32 = 4;
/// The forms of the database, oldest first. One that was released never changes.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "first", include_str!("migrations/1.sql")),
    (2, "index", include_str!("migrations/2.sql")),
    (3, "accounts of log-ins", include_str!("migrations/3.sql")),
];

/// What a server remembers; cheap to clone.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    address: Address,
    pool: AnyPool,
    runtime: Option<Runtime>,
    server: String,
    /// What this program works on.
    held: Mutex<BTreeSet<String>>,
    /// Whether it is there and in this program's form; until then, the data directory that it has to be of, if any.
    made: OnceLock<()>,
    making: Mutex<Option<DataDir>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // This may be dropped where nobody may wait.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({})", self.0.address)
    }
}

impl State {
    /// Opens the database, and brings it to the form of this program. Blocks.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(address: &Address) -> Result<Self, StateError> {
        Self::open_with(address, "")
    }

    /// The database of a data directory, which is opened when something is first asked of it: what is refused before that
    /// leaves no trace.
    ///
    /// # Errors
    /// [`StateError::Url`], or what there is no memory for.
    pub fn of_data(address: &Address, data: &DataDir) -> Result<Self, StateError> {
        Self::later(address, Some(data.clone()), "")
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.0.made.get().is_some()
    }

    /// Opens it now, for who wants to know whether that can be done. Blocks.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn make(&self) -> Result<(), StateError> {
        if self.0.made.get().is_some() {
            return Ok(());
        }
        let making = self.0.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.made.get().is_some() {
            return Ok(());
        }
        let _alone = match self.0.address.directory() {
            Some(directory) => {
                place::check(directory)?;
                place::make_private(&directory.join(FILE))?;
                // Of programs that begin at once, one brings SQLite to the form; PostgreSQL sees to that itself.
                Some(FileLock::exclusive(&directory.join(MAKING))?)
            }
            None => None,
        };
        self.bring_to_form()?;
        if let Some(data) = &*making {
            self.belongs_to(data)?;
        }
        self.0.made.get_or_init(|| ());
        Ok(())
    }

    /// As [`Self::open`], with words of SQLite that are said to every connection.
    pub(crate) fn open_with(address: &Address, words: &'static str) -> Result<Self, StateError> {
        let state = Self::later(address, None, words)?;
        state.make()?;
        Ok(state)
    }

    fn later(address: &Address, data: Option<DataDir>, words: &'static str) -> Result<Self, StateError> {
        let fault = |said: String| StateError::Other {
            address: address.clone(),
            said,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("state")
            .enable_all()
            .build()
            .map_err(|error| fault(error.to_string()))?;
        let pool = {
            let _inside = runtime.enter();
            pool(address, words)?
        };
        Ok(Self(Arc::new(Inner {
            address: address.clone(),
            pool,
            runtime: Some(runtime),
            server: new_key(),
            held: Mutex::default(),
            made: OnceLock::new(),
            making: Mutex::new(data),
        })))
    }

    fn bring_to_form(&self) -> Result<(), StateError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let pool = self.0.pool.clone();
        self.spawn(async move {
            let migrated = async {
                // By itself, so that a database that can not be reached is told as that.
                drop(
                    pool.acquire()
                        .await
                        .map_err(sqlx::migrate::MigrateError::Execute)?,
                );
                migrator().run(&pool).await
            };
            drop(sender.send(migrated.await));
        });
        match receiver.recv_timeout(ANSWER * 4) {
            Ok(migrated) => migrated.map_err(|error| StateError::of_migration(&self.0.address, error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// The name by which this program claims work; each start has another.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// What this program works on.
    pub(super) fn held(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool of connections.
    pub(super) fn pool(&self) -> AnyPool {
        self.0.pool.clone()
    }

    /// The present time in milliseconds as a word of the database, whose clock is the same for all servers.
    pub(super) fn now(&self) -> &'static str {
        if self.0.address.is_shared() {
            "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
        } else {
            "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
        }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0.runtime {
            runtime.spawn(work);
        }
    }

    fn silent(&self) -> StateError {
        StateError::Away {
            address: self.0.address.clone(),
            said: "no answer".to_owned(),
        }
    }

    /// Asks; for those who may not block, in a server that has opened the database at its start.
    pub(super) fn answer<T: Send + 'static>(
        &self,
        question: impl Future<Output = sqlx::Result<T>> + Send + 'static,
    ) -> impl Future<Output = Result<T, StateError>> + Send + 'static {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.spawn(async move {
            drop(sender.send(tokio::time::timeout(ANSWER, question).await));
        });
        let state = self.clone();
        async move {
            match receiver.await {
                Ok(Ok(answer)) => answer.map_err(|error| StateError::of(&state.0.address, &error)),
                Ok(Err(_)) | Err(_) => Err(state.silent()),
            }
        }
    }

    /// Asks, and waits for the answer: for threads that may block.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = sqlx::Result<T>> + Send + 'static,
    ) -> Result<T, StateError> {
        self.make()?;
        self.ask_made(question)
    }

    /// As [`Self::ask`], with another limit of time.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn ask_within<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl Future<Output = sqlx::Result<T>> + Send + 'static,
    ) -> Result<T, StateError> {
        self.make()?;
        self.wait_for(limit, question)
    }

    /// As [`Self::ask`], while it is being opened.
    pub(super) fn ask_made<T: Send + 'static>(
        &self,
        question: impl Future<Output = sqlx::Result<T>> + Send + 'static,
    ) -> Result<T, StateError> {
        self.wait_for(ANSWER, question)
    }

    fn wait_for<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl Future<Output = sqlx::Result<T>> + Send + 'static,
    ) -> Result<T, StateError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.spawn(async move {
            drop(sender.send(tokio::time::timeout(limit, question).await));
        });
        match receiver.recv() {
            Ok(Ok(answer)) => answer.map_err(|error| StateError::of(&self.0.address, &error)),
            Ok(Err(_)) | Err(_) => Err(self.silent()),
        }
    }
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        let kind = MigrationType::Simple;
        Migration::new(
            version,
            Cow::Borrowed(name),
            kind,
            sqlx::SqlStr::from_static(sql),
            false,
        )
    });
    Migrator::with_migrations(migrations.to_vec())
}

/// A pool of connections, of which none is made yet.
fn pool(address: &Address, words: &'static str) -> Result<AnyPool, StateError> {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
    let options = AnyConnectOptions::from_str(&address.url()?).map_err(|_| StateError::Url)?;
    let is_sqlite = !address.is_shared();
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if is_sqlite {
                    let said = format!(
                        "PRAGMA busy_timeout = {BUSY}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {words}"
                    );
                    connection.execute(sqlx::AssertSqlSafe(said)).await?;
                }
                Ok(())
            })
        });
    Ok(pool.connect_lazy_with(options.disable_statement_logging()))
}
