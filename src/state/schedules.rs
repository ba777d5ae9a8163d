//! Schedules: until when the times of each are over, and its runs.

use jiff::Timestamp;
use sqlx::{Any, AnyPool, Row, Transaction};

use super::claims::{Claim, Written};
use super::db::State;
use super::error::StateError;
use super::outcomes::time;

/// What is known of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Since when there is the schedule.
    pub since: Timestamp,
    /// The latest time of which a run was begun.
    pub last: Option<Timestamp>,
    /// When a run has last succeeded.
    pub last_successful: Option<Timestamp>,
    /// The runs that are not over, and the last of those that are, oldest first.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its time.
    pub time: Timestamp,
    /// What became of it; nothing while it is not over.
    pub end: Option<End>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// When.
    pub finished: Timestamp,
    /// Whether it has succeeded.
    pub succeeded: bool,
    /// What became of it in one sentence.
    pub message: String,
}

impl State {
    /// What is known of a schedule; it is there from now on if it was not.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn ledger(&self, name: &str, now: Timestamp) -> Result<Ledger, StateError> {
        let (pool, name) = (self.pool(), name.to_owned());
        self.ask(async move {
            let sql = "INSERT INTO schedules (name, since) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
            let there = "SELECT since, last, last_successful FROM schedules WHERE name = $1";
            let row = match sqlx::query(there)
                .bind(name.clone())
                .fetch_optional(&pool)
                .await?
            {
                Some(row) => row,
                None => {
                    let new = sqlx::query(sql).bind(name.clone()).bind(now.as_millisecond());
                    new.execute(&pool).await?;
                    sqlx::query(there).bind(name.clone()).fetch_one(&pool).await?
                }
            };
            Ok(Ledger {
                since: time(row.try_get(0)?),
                last: row.try_get::<Option<i64>, _>(1)?.map(time),
                last_successful: row.try_get::<Option<i64>, _>(2)?.map(time),
                runs: runs(&pool, name).await?,
            })
        })
    }

    /// The time by which schedules are followed: that of the database where several servers share it, so that no two of them
    /// have another one, else the one that is given.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn clock(&self, own: Timestamp) -> Result<Timestamp, StateError> {
        if !self.address().is_shared() {
            return Ok(own);
        }
        let (pool, sql) = (self.pool(), format!("SELECT {}", self.now()));
        self.ask(async move {
            let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&pool).await?;
            row.try_get(0).map(time)
        })
    }

    /// The times of a schedule until this one are over, and no later one is: what was written of those came from a clock that
    /// was ahead.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn set_back(&self, name: &str, to: Timestamp) -> Result<(), StateError> {
        let (pool, name, to) = (self.pool(), name.to_owned(), to.as_millisecond());
        self.ask(async move {
            let sql = "UPDATE schedules SET last = $2, since = CASE WHEN since > $2 THEN $2 ELSE since END WHERE name = $1";
            sqlx::query(sql).bind(name).bind(to).execute(&pool).await.map(drop)
        })
    }

    /// The run of this time is begun; whoever comes second finds it. Gives whether it was new.
    ///
    /// # Errors
    /// [`StateError`]: then it was not begun.
    pub fn begin_run(&self, name: &str, time: Timestamp) -> Result<bool, StateError> {
        let (pool, name, time) = (self.pool(), name.to_owned(), time.as_millisecond());
        self.ask(async move {
            let mut transaction = pool.begin().await?;
            // Only upwards: a time that is over stays over, and its run may be forgotten already.
            let sql = "UPDATE schedules SET last = $2 WHERE name = $1 AND (last IS NULL OR last < $2)";
            let query = sqlx::query(sql).bind(name.clone()).bind(time);
            let mut is_new = query.execute(&mut *transaction).await?.rows_affected() == 1;
            if is_new {
                // It may have been done by a clock that was ahead.
                let sql = "INSERT INTO runs (schedule, time) VALUES ($1, $2) ON CONFLICT (schedule, time) DO NOTHING";
                let query = sqlx::query(sql).bind(name).bind(time);
                is_new = query.execute(&mut *transaction).await?.rows_affected() == 1;
            }
            transaction.commit().await?;
            Ok(is_new)
        })
    }

    /// What became of a run; none while it is not over, or is forgotten.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn run_end(&self, name: &str, time: Timestamp) -> Result<Option<End>, StateError> {
        let (pool, name, time) = (self.pool(), name.to_owned(), time.as_millisecond());
        self.ask(async move {
            let sql = "SELECT time, finished, succeeded, message FROM runs WHERE schedule = $1 AND time = $2";
            let row = sqlx::query(sql)
                .bind(name)
                .bind(time)
                .fetch_optional(&pool)
                .await?;
            Ok(row.map(|row| run(&row)).transpose()?.and_then(|run| run.end))
        })
    }

    /// A run is over: writes it down and gives up the claim, in one step.
    ///
    /// # Errors
    /// [`StateError`]: also where another server has claimed the run meanwhile.
    pub fn finish_run(
        &self,
        claim: &Claim,
        name: &str,
        time: Timestamp,
        end: &End,
    ) -> Result<(), StateError> {
        self.finish(claim, Written::End(name.to_owned(), time, end.clone()))
    }

    /// Takes over the end of a run that its server could not write down. A run that has ended since stays as it ended.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn import_end(&self, name: &str, time: Timestamp, end: &End) -> Result<(), StateError> {
        let (pool, name, end) = (self.pool(), name.to_owned(), end.clone());
        self.ask(async move {
            let mut transaction = pool.begin().await?;
            put_end(&mut transaction, name, time, end).await?;
            transaction.commit().await
        })
    }

    /// The names of all schedules.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn schedule_names(&self) -> Result<Vec<String>, StateError> {
        let pool = self.pool();
        self.ask(async move {
            let rows = sqlx::query("SELECT name FROM schedules").fetch_all(&pool).await?;
            rows.iter().map(|row| row.try_get(0)).collect()
        })
    }

    /// Forgets runs that are over.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget_runs(&self, name: &str, times: &[Timestamp]) -> Result<(), StateError> {
        let (pool, name, times) = (self.pool(), name.to_owned(), times.to_vec());
        self.ask(async move {
            let sql = "DELETE FROM runs WHERE schedule = $1 AND time = $2 AND finished IS NOT NULL";
            for time in times {
                let query = sqlx::query(sql).bind(name.clone()).bind(time.as_millisecond());
                query.execute(&pool).await?;
            }
            Ok(())
        })
    }

    /// Forgets a schedule of which no manifest speaks any more.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget_schedule(&self, name: &str) -> Result<(), StateError> {
        let (pool, name) = (self.pool(), name.to_owned());
        self.ask(async move {
            let mut transaction = pool.begin().await?;
            for sql in [
                "DELETE FROM runs WHERE schedule = $1",
                "DELETE FROM schedules WHERE name = $1",
            ] {
                sqlx::query(sql)
                    .bind(name.clone())
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        })
    }
}

async fn runs(pool: &AnyPool, name: String) -> sqlx::Result<Vec<Run>> {
    let sql = "SELECT time, finished, succeeded, message FROM runs WHERE schedule = $1 ORDER BY time";
    let rows = sqlx::query(sql).bind(name).fetch_all(pool).await?;
    rows.iter().map(run).collect()
}

fn run(row: &sqlx::any::AnyRow) -> sqlx::Result<Run> {
    let finished: Option<i64> = row.try_get(1)?;
    let end = match finished {
        None => None,
        Some(finished) => Some(End {
            finished: time(finished),
            succeeded: row.try_get::<Option<i64>, _>(2)?.unwrap_or(0) != 0,
            message: row.try_get::<Option<String>, _>(3)?.unwrap_or_default(),
        }),
    };
    Ok(Run {
        time: time(row.try_get(0)?),
        end,
    })
}

pub(super) async fn put_end(
    transaction: &mut Transaction<'static, Any>,
    schedule: String,
    time: Timestamp,
    end: End,
) -> sqlx::Result<()> {
    let finished = end.finished.as_millisecond();
    let sql = "UPDATE runs SET finished = $3, succeeded = $4, message = $5 WHERE schedule = $1 AND time = $2 \
        AND finished IS NULL";
    let query = sqlx::query(sql)
        .bind(schedule.clone())
        .bind(time.as_millisecond());
    let query = query
        .bind(finished)
        .bind(i64::from(end.succeeded))
        .bind(end.message);
    query.execute(&mut **transaction).await?;
    if end.succeeded {
        let sql = "UPDATE schedules SET last_successful = $2 WHERE name = $1 \
            AND (last_successful IS NULL OR last_successful < $2)";
        let query = sqlx::query(sql).bind(schedule).bind(finished);
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}
