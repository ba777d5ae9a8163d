//! What became of the jobs of manifests: each is run once for what its manifest says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{Any, Row, Transaction};

use super::claims::{Claim, Written};
use super::db::State;
use super::error::StateError;

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Digest of what its manifest said.
    pub digest: String,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// When it ended.
    pub finished: Timestamp,
    /// The content item that it worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What became of it, in one sentence.
    pub message: String,
}

const PUT: &str = "INSERT INTO outcomes (name, digest, succeeded, finished, content, message) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, \
    succeeded = excluded.succeeded, finished = excluded.finished, content = excluded.content, \
    message = excluded.message";

impl State {
    /// What became of the job of this name.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn outcome(&self, name: &str) -> Result<Option<Outcome>, StateError> {
        let (pool, name) = (self.pool(), name.to_owned());
        self.ask(async move {
            let sql = "SELECT digest, succeeded, finished, content, message FROM outcomes WHERE name = $1";
            let row = sqlx::query(sql).bind(name).fetch_optional(&pool).await?;
            row.map(|row| {
                Ok(Outcome {
                    digest: row.try_get(0)?,
                    succeeded: row.try_get::<i64, _>(1)? != 0,
                    finished: time(row.try_get(2)?),
                    content: row.try_get(3)?,
                    message: row.try_get(4)?,
                })
            })
            .transpose()
        })
    }

    /// Writes it down and gives up the claim, in one step.
    ///
    /// # Errors
    /// [`StateError`]: also where another server has claimed the job meanwhile.
    pub fn finish_job(&self, claim: &Claim, name: &str, outcome: &Outcome) -> Result<(), StateError> {
        self.finish(claim, Written::Outcome(name.to_owned(), outcome.clone()))
    }

    /// Takes over what a server has written of a job in a file. What another has found out later stays.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn import_outcome(&self, name: &str, outcome: &Outcome) -> Result<(), StateError> {
        let (pool, name, outcome) = (self.pool(), name.to_owned(), outcome.clone());
        self.ask(async move {
            let mut transaction = pool.begin().await?;
            let sql = "DELETE FROM outcomes WHERE name = $1 AND finished < $2";
            let query = sqlx::query(sql)
                .bind(name.clone())
                .bind(outcome.finished.as_millisecond());
            query.execute(&mut *transaction).await?;
            let sql = "SELECT name FROM outcomes WHERE name = $1";
            let later = sqlx::query(sql).bind(name.clone());
            if later.fetch_optional(&mut *transaction).await?.is_none() {
                put(&mut transaction, name, outcome).await?;
            }
            transaction.commit().await
        })
    }

    /// Forgets a job of which no manifest speaks any more: one that comes back is run again.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget_job(&self, name: &str) -> Result<(), StateError> {
        let (pool, name) = (self.pool(), name.to_owned());
        self.ask(async move {
            let sql = "DELETE FROM outcomes WHERE name = $1";
            sqlx::query(sql).bind(name).execute(&pool).await.map(drop)
        })
    }

    /// The names of all jobs of which an outcome is known.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn outcome_names(&self) -> Result<Vec<String>, StateError> {
        let pool = self.pool();
        self.ask(async move {
            let rows = sqlx::query("SELECT name FROM outcomes").fetch_all(&pool).await?;
            rows.iter().map(|row| row.try_get(0)).collect()
        })
    }
}

pub(super) async fn put(
    transaction: &mut Transaction<'static, Any>,
    name: String,
    outcome: Outcome,
) -> sqlx::Result<()> {
    let put = sqlx::query(PUT)
        .bind(name)
        .bind(outcome.digest)
        .bind(i64::from(outcome.succeeded))
        .bind(outcome.finished.as_millisecond())
        .bind(outcome.content)
        .bind(outcome.message);
    put.execute(&mut **transaction).await.map(drop)
}

/// A time as it is kept.
pub(super) fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
