//! Jobs and what became of them (PK10).

use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row};

use super::db::State;
use super::error::StateError;
use super::outcomes::time;
use super::place;
use crate::data::{DataDir, JobRecord, JobState};

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its content item.
    pub content: String,
    /// Its key.
    pub key: String,
    /// What became of it.
    pub record: JobRecord,
}

const PUT: &str = "INSERT INTO jobs (content, key, name, tag, bundle, variant, rendering, started, finished, \
    state, exit_code, reason, message) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
    ON CONFLICT (content, key) DO UPDATE SET rendering = excluded.rendering, finished = excluded.finished, \
    state = excluded.state, exit_code = excluded.exit_code, reason = excluded.reason, message = excluded.message";
const COLUMNS: &str = "content, key, name, tag, bundle, variant, rendering, started, finished, state, \
    exit_code, reason, message";

impl State {
    /// A job is like this now.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn put_job(&self, content: &str, key: &str, record: &JobRecord) -> Result<(), StateError> {
        let job = Remembered {
            content: content.to_owned(),
            key: key.to_owned(),
            record: record.clone(),
        };
        let pool = self.pool();
        self.ask(async move { put(&pool, job).await })
    }

    /// A job that was called running is like this now; one that is over or forgotten stays so.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn close_job(&self, content: &str, key: &str, record: &JobRecord) -> Result<(), StateError> {
        let sql = "UPDATE jobs SET rendering = $3, finished = $4, state = $5, exit_code = $6, reason = $7, \
            message = $8 WHERE content = $1 AND key = $2 AND state = 'running'";
        let (pool, record) = (self.pool(), record.clone());
        let (content, key) = (content.to_owned(), key.to_owned());
        self.ask(async move {
            let query = sqlx::query(sql)
                .bind(content)
                .bind(key)
                .bind(record.rendering)
                .bind(record.finished.map(|finished| finished.as_millisecond()))
                .bind(word(record.state))
                .bind(record.exit_code.map(i64::from))
                .bind(record.reason)
                .bind(record.message);
            query.execute(&pool).await.map(drop)
        })
    }

    /// The jobs of a content item, oldest first.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn jobs(&self, content: &str) -> Result<Vec<Remembered>, StateError> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE content = $1 ORDER BY started, key");
        let (pool, content) = (self.pool(), content.to_owned());
        self.ask(async move {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(content);
            query.fetch_all(&pool).await?.iter().map(remembered).collect()
        })
    }

    /// The jobs that were not over when they were last written down.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open_jobs(&self) -> Result<Vec<Remembered>, StateError> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE state = 'running'");
        let pool = self.pool();
        self.ask(async move {
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&pool).await?;
            rows.iter().map(remembered).collect()
        })
    }

    /// Forgets jobs.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget_jobs(&self, content: &str, keys: &[String]) -> Result<(), StateError> {
        let (pool, content, keys) = (self.pool(), content.to_owned(), keys.to_vec());
        self.ask(async move {
            for key in keys {
                let sql = "DELETE FROM jobs WHERE content = $1 AND key = $2";
                sqlx::query(sql)
                    .bind(content.clone())
                    .bind(key)
                    .execute(&pool)
                    .await?;
            }
            Ok(())
        })
    }

    /// Looks whether it is the state of this data directory, which it is from now on if it was of none.
    ///
    /// # Errors
    /// [`StateError`]: it is that of another one.
    pub(super) fn belongs_to(&self, data: &DataDir) -> Result<(), StateError> {
        let (pool, id) = (self.pool(), place::id_of(data)?);
        let own = id.clone();
        let known: String = self.ask_made(async move {
            let sql =
                "INSERT INTO marks (name, value) VALUES ('data directory', $1) ON CONFLICT (name) DO NOTHING";
            sqlx::query(sql).bind(id).execute(&pool).await?;
            let sql = "SELECT value FROM marks WHERE name = 'data directory'";
            sqlx::query(sql).fetch_one(&pool).await?.try_get(0)
        })?;
        if known == own {
            return Ok(());
        }
        Err(StateError::Foreign {
            address: self.address().clone(),
            data_dir: data.root().to_owned(),
        })
    }

    /// Whether it is known to be the state of this data directory. Of a directory that is not what it was, as one whose
    /// file system was taken away, it is not.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn is_of(&self, data: &DataDir) -> Result<bool, StateError> {
        let Some(id) = place::known_id(data)? else {
            return Ok(false);
        };
        let pool = self.pool();
        self.ask(async move {
            let sql = "SELECT value FROM marks WHERE name = 'data directory' AND value = $1";
            Ok(sqlx::query(sql).bind(id).fetch_optional(&pool).await?.is_some())
        })
    }

    /// Whether something was marked as done.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn is_marked(&self, name: &str) -> Result<bool, StateError> {
        let (pool, name) = (self.pool(), name.to_owned());
        self.ask(async move {
            let query = sqlx::query("SELECT value FROM marks WHERE name = $1").bind(name);
            Ok(query.fetch_optional(&pool).await?.is_some())
        })
    }

    /// Marks something as done.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn mark(&self, name: &str) -> Result<(), StateError> {
        let (pool, name) = (self.pool(), name.to_owned());
        self.ask(async move {
            let sql = "INSERT INTO marks (name, value) VALUES ($1, 'done') ON CONFLICT (name) DO NOTHING";
            sqlx::query(sql).bind(name).execute(&pool).await.map(drop)
        })
    }
}

async fn put(pool: &AnyPool, job: Remembered) -> sqlx::Result<()> {
    let record = job.record;
    let query = sqlx::query(PUT)
        .bind(job.content)
        .bind(job.key)
        .bind(record.name)
        .bind(record.tag)
        .bind(i64::try_from(record.bundle).unwrap_or(i64::MAX))
        .bind(record.variant)
        .bind(record.rendering)
        .bind(record.started.as_millisecond())
        .bind(record.finished.map(|finished| finished.as_millisecond()))
        .bind(word(record.state))
        .bind(record.exit_code.map(i64::from))
        .bind(record.reason)
        .bind(record.message);
    query.execute(pool).await.map(drop)
}

fn word(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::CutOff => "cutOff",
    }
}

fn remembered(row: &AnyRow) -> sqlx::Result<Remembered> {
    let state: String = row.try_get(9)?;
    let exit_code: Option<i64> = row.try_get(10)?;
    Ok(Remembered {
        content: row.try_get(0)?,
        key: row.try_get(1)?,
        record: JobRecord {
            name: row.try_get(2)?,
            tag: row.try_get(3)?,
            bundle: u64::try_from(row.try_get::<i64, _>(4)?).unwrap_or(0),
            variant: row.try_get(5)?,
            rendering: row.try_get(6)?,
            started: time(row.try_get(7)?),
            finished: row.try_get::<Option<i64>, _>(8)?.map(time),
            state: match state.as_str() {
                "running" => JobState::Running,
                "succeeded" => JobState::Succeeded,
                "failed" => JobState::Failed,
                _ => JobState::CutOff,
            },
            exit_code: exit_code.and_then(|code| u8::try_from(code).ok()),
            reason: row.try_get(11)?,
            message: row.try_get(12)?,
        },
    })
}
