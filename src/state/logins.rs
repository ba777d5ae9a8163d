//! Log-ins of visitors: they outlive a server, and count at all servers that share the state.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::db::State;
use crate::gateway::{LoginStore, StoreError};
use crate::visitors::{Lifetimes, Login, LoginId, Visitor};

/// Between the names of groups, which have no line ends.
const BETWEEN: &str = "\n";

impl State {
    fn log_in<T: Send + 'static>(
        &self,
        question: impl Future<Output = sqlx::Result<T>> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let answer = self.answer(question);
        async move { answer.await.map_err(|error| StoreError(error.to_string())) }.boxed()
    }
}

impl LoginStore for State {
    fn begin(&self, login: Login) -> BoxFuture<'_, Result<(), StoreError>> {
        let pool = self.pool();
        self.log_in(async move {
            let sql = "INSERT INTO log_ins (id, name, group_names, since, seen, uid) VALUES ($1, $2, $3, $4, $5, $6)";
            let query = sqlx::query(sql)
                .bind(word(login.id))
                .bind(login.visitor.user.clone())
                .bind(login.visitor.groups.join(BETWEEN))
                .bind(signed(login.since))
                .bind(signed(login.seen))
                .bind(login.visitor.uid.map(i64::from));
            query.execute(&pool).await.map(drop)
        })
    }

    fn find(&self, id: LoginId) -> BoxFuture<'_, Result<Option<Login>, StoreError>> {
        let pool = self.pool();
        self.log_in(async move {
            let sql = "SELECT name, group_names, since, seen, uid FROM log_ins WHERE id = $1";
            let row = sqlx::query(sql).bind(word(id)).fetch_optional(&pool).await?;
            row.map(|row| login(id, &row)).transpose()
        })
    }

    fn seen(&self, id: LoginId, at: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        let pool = self.pool();
        self.log_in(async move {
            let sql = "UPDATE log_ins SET seen = $2 WHERE id = $1 AND seen < $2";
            let query = sqlx::query(sql).bind(word(id)).bind(signed(at));
            query.execute(&pool).await.map(drop)
        })
    }

    fn end(&self, id: LoginId) -> BoxFuture<'_, Result<(), StoreError>> {
        let pool = self.pool();
        self.log_in(async move {
            let query = sqlx::query("DELETE FROM log_ins WHERE id = $1").bind(word(id));
            query.execute(&pool).await.map(drop)
        })
    }

    fn of_user(&self, user: &str) -> BoxFuture<'_, Result<Vec<LoginId>, StoreError>> {
        let (pool, user) = (self.pool(), user.to_owned());
        self.log_in(async move {
            let query = sqlx::query("SELECT id FROM log_ins WHERE name = $1").bind(user);
            let rows = query.fetch_all(&pool).await?;
            let ids: sqlx::Result<Vec<String>> = rows.iter().map(|row| row.try_get(0)).collect();
            Ok(ids?
                .iter()
                .filter_map(|id| u128::from_str_radix(id, 16).ok())
                .map(LoginId)
                .collect())
        })
    }

    fn sweep(&self, lifetimes: Lifetimes, now: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        let pool = self.pool();
        self.log_in(async move {
            let sql = "SELECT name, group_names, since, seen, uid, id FROM log_ins";
            let rows = sqlx::query(sql).fetch_all(&pool).await?;
            for row in rows {
                let word: String = row.try_get(5)?;
                let id = LoginId(u128::from_str_radix(&word, 16).unwrap_or_default());
                if login(id, &row)?.stale(lifetimes, now).is_some() {
                    let query = sqlx::query("DELETE FROM log_ins WHERE id = $1").bind(word);
                    query.execute(&pool).await?;
                }
            }
            Ok(())
        })
    }
}

fn login(id: LoginId, row: &AnyRow) -> sqlx::Result<Login> {
    Ok(Login {
        id,
        visitor: visitor(row)?,
        since: unsigned(row.try_get(2)?),
        seen: unsigned(row.try_get(3)?),
    })
}

fn visitor(row: &AnyRow) -> sqlx::Result<Arc<Visitor>> {
    let groups: String = row.try_get(1)?;
    let groups = groups.split(BETWEEN).filter(|group| !group.is_empty());
    let uid: Option<i64> = row.try_get(4)?;
    Ok(Arc::new(Visitor {
        user: row.try_get(0)?,
        groups: groups.map(str::to_owned).collect(),
        uid: uid.and_then(|uid| u32::try_from(uid).ok()),
    }))
}

fn word(id: LoginId) -> String {
    format!("{:032x}", id.0)
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn unsigned(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0)
}
