//! Which server works on what. A claim is a lease: it ends when its server says nothing for a while, and another may take it
//! over. Each claim of the same work has a number above that of the one before, and only the holder of the last one can
//! finish: a server that was away for too long finds its work taken, and what it made is not used.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Any, Row, Transaction};

use super::db::State;
use super::error::StateError;
use super::outcomes::{self, Outcome};
use super::schedules::{self, End};

/// For how long a server may say nothing.
pub const LEASE: Duration = Duration::from_secs(30);

/// No claim goes on for so long: of one that says so the clock was set back since.
const IMPOSSIBLE: Duration = Duration::from_secs(2 * LEASE.as_secs());

/// A claim on a piece of work. It is renewed until it is dropped.
#[derive(Debug)]
pub struct Claim {
    /// What was claimed.
    pub work: String,
    epoch: i64,
    state: State,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.state.held().remove(&self.work);
    }
}

/// The job that a server has begun for a piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Its content item.
    pub content: String,
    /// Its key.
    pub key: String,
    /// Of what it was begun for; unknown of what a former version has begun.
    pub digest: Option<String>,
}

/// What asking for a claim gave.
#[derive(Debug)]
pub enum Claimed {
    /// It is this server's now. What a server before it had begun may live still, or may have ended without a word.
    Mine(Claim, Option<Before>),
    /// Another server's, or another part's of this one.
    Elsewhere,
}

impl State {
    /// Asks for a claim, for so long without a word.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn claim(&self, work: &str, lease: Duration) -> Result<Claimed, StateError> {
        // One that this server could not give up, when the database was away, is its own.
        if !self.held().insert(work.to_owned()) {
            return Ok(Claimed::Elsewhere);
        }
        let mut claim = Claim {
            work: work.to_owned(),
            epoch: 0,
            state: self.clone(),
        };
        let (now, impossible) = (self.now(), milliseconds(IMPOSSIBLE));
        let sql = format!(
            "INSERT INTO claims (work, server, epoch, until) VALUES ($1, $2, 1, {now} + $3) \
             ON CONFLICT (work) DO UPDATE SET server = excluded.server, epoch = claims.epoch + 1, \
             until = excluded.until, stop = 0 WHERE claims.until < {now} OR claims.until > {now} + {impossible} \
             OR claims.server = excluded.server RETURNING epoch, content, key, digest"
        );
        let (pool, server) = (self.pool(), self.server().to_owned());
        let (name, lease) = (work.to_owned(), milliseconds(lease));
        let row = self.ask(async move {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql));
            let row = query
                .bind(name)
                .bind(server)
                .bind(lease)
                .fetch_optional(&pool)
                .await?;
            row.map(|row| {
                let known: (Option<String>, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
                let digest = row.try_get(3)?;
                let before = known.0.zip(known.1);
                let before = before.map(|(content, key)| Before { content, key, digest });
                Ok((row.try_get::<i64, _>(0)?, before))
            })
            .transpose()
        })?;
        Ok(match row {
            None => Claimed::Elsewhere,
            Some((epoch, before)) => {
                claim.epoch = epoch;
                Claimed::Mine(claim, before)
            }
        })
    }

    /// Says that this server lives: all that it holds goes on for so long. Gives what of it is to end.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn renew(&self, lease: Duration) -> Result<Vec<String>, StateError> {
        let now = self.now();
        let sql =
            format!("UPDATE claims SET until = {now} + $3 WHERE work = $1 AND server = $2 RETURNING stop");
        let (pool, server, lease) = (self.pool(), self.server().to_owned(), milliseconds(lease));
        let held = self.held().clone();
        self.ask(async move {
            let mut stopped = Vec::new();
            for work in held {
                let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).bind(work.clone());
                let row = query
                    .bind(server.clone())
                    .bind(lease)
                    .fetch_optional(&pool)
                    .await?;
                if row
                    .map(|row| row.try_get::<i64, _>(0))
                    .transpose()?
                    .is_some_and(|stop| stop != 0)
                {
                    stopped.push(work);
                }
            }
            Ok(stopped)
        })
    }

    /// Asks whichever server works on it to end it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn ask_to_stop(&self, work: &str) -> Result<(), StateError> {
        let (pool, work) = (self.pool(), work.to_owned());
        self.ask(async move {
            let sql = "UPDATE claims SET stop = 1 WHERE work = $1";
            sqlx::query(sql).bind(work).execute(&pool).await.map(drop)
        })
    }

    /// Notes which job is begun for it, so that whoever takes over knows whose end to wait for, and what that end was of.
    /// Refused where it is another server's by now.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn note_job(&self, claim: &Claim, begun: Before) -> Result<(), StateError> {
        let sql = "UPDATE claims SET content = $4, key = $5, digest = $6 \
            WHERE work = $1 AND server = $2 AND epoch = $3";
        let (pool, server) = (self.pool(), self.server().to_owned());
        let (work, epoch) = (claim.work.clone(), claim.epoch);
        let changed = self.ask(async move {
            let query = sqlx::query(sql).bind(work).bind(server).bind(epoch);
            let query = query.bind(begun.content).bind(begun.key).bind(begun.digest);
            let done = query.execute(&pool).await?;
            Ok(done.rows_affected())
        })?;
        still(changed, claim)
    }

    /// Whether it is still this server's. Then it goes on for as long as a new one: what it was asked for takes time.
    ///
    /// # Errors
    /// [`StateError`]: [`StateError::Lost`] where it is not.
    pub fn confirm(&self, claim: &Claim) -> Result<(), StateError> {
        let now = self.now();
        let sql =
            format!("UPDATE claims SET until = {now} + $4 WHERE work = $1 AND server = $2 AND epoch = $3");
        let (pool, server) = (self.pool(), self.server().to_owned());
        let (work, epoch) = (claim.work.clone(), claim.epoch);
        let changed = self.ask(async move {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(work).bind(server);
            let query = query.bind(epoch).bind(milliseconds(LEASE));
            Ok(query.execute(&pool).await?.rows_affected())
        })?;
        still(changed, claim)
    }

    /// Writes what came of it and gives it up, in one step, if it is this server's still. What was given up can be claimed
    /// again at once.
    ///
    /// # Errors
    /// [`StateError`]: [`StateError::Lost`] where it is not.
    pub(super) fn finish(&self, claim: &Claim, result: Written) -> Result<(), StateError> {
        let sql = "DELETE FROM claims WHERE work = $1 AND server = $2 AND epoch = $3";
        let (pool, server) = (self.pool(), self.server().to_owned());
        let (work, epoch) = (claim.work.clone(), claim.epoch);
        let changed = self.ask(async move {
            let mut transaction = pool.begin().await?;
            let query = sqlx::query(sql).bind(work).bind(server).bind(epoch);
            let changed = query.execute(&mut *transaction).await?.rows_affected();
            if changed == 1 {
                result.write(&mut transaction).await?;
                transaction.commit().await?;
            }
            Ok(changed)
        })?;
        still(changed, claim)
    }

    /// Gives it up, and nothing came of it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn give_up(&self, claim: &Claim) -> Result<(), StateError> {
        self.finish(claim, Written::Nothing)
    }
}

/// What came of claimed work.
#[derive(Debug)]
pub(super) enum Written {
    /// Nothing.
    Nothing,
    /// A job of a manifest is over.
    Outcome(String, Outcome),
    /// A run of a schedule is over.
    End(String, Timestamp, End),
}

impl Written {
    async fn write(self, transaction: &mut Transaction<'static, Any>) -> sqlx::Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Outcome(name, outcome) => outcomes::put(transaction, name, outcome).await,
            Self::End(schedule, time, end) => schedules::put_end(transaction, schedule, time, end).await,
        }
    }
}

fn still(changed: u64, claim: &Claim) -> Result<(), StateError> {
    if changed == 1 {
        return Ok(());
    }
    Err(StateError::Lost {
        work: claim.work.clone(),
    })
}

fn milliseconds(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)
}
