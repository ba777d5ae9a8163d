//! An index of content items, bundles and results, to look things up in. It follows the data directory, which alone says
//! what is served and kept: nothing is served, activated or removed because of what is written here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool, Row, Transaction};

use super::db::State;
use super::error::StateError;
use super::outcomes::time;

/// A content item with all that is kept of it. Times are whole milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its GUID, or the name that it has instead of one.
    pub content: String,
    /// Its name for people.
    pub name: String,
    /// When it was first deployed.
    pub created: Timestamp,
    /// The account that its jobs run as, unless they name another.
    pub run_as: String,
    /// Its bundles, oldest first.
    pub bundles: Vec<Bundle>,
    /// Its finished results, by variant and number.
    pub results: Vec<Made>,
}

/// A bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// Its number.
    pub bundle: u64,
    /// When it was deployed.
    pub deployed: Timestamp,
    /// SHA-256 over all of it.
    pub digest: String,
    /// What was found in it.
    #[serde(flatten)]
    pub facts: Facts,
    /// Whether it is the one in force.
    pub active: bool,
}

/// What was found in a bundle when it was first looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The kind of content, where the bundle says it.
    pub kind: Option<String>,
    /// SHA-256 of its manifest, if it has one.
    pub manifest: Option<String>,
    /// The size of its files.
    pub bytes: u64,
}

/// A finished result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// The variant of the report.
    pub variant: String,
    /// Its number.
    pub result: u64,
    /// The bundle it was made from.
    pub bundle: u64,
    /// The job that made it.
    pub job: String,
    /// When it was finished.
    pub finished: Timestamp,
    /// The size of its files.
    pub bytes: u64,
    /// Whether it is the one that is served.
    pub active: bool,
}

/// What a server says of an application that it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// The application.
    pub name: String,
    /// Its content item.
    pub content: String,
    /// Who may see it.
    pub access: String,
    /// The account that its processes run as.
    pub run_as: String,
}

/// All content items in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// The account of each content item.
    pub accounts: BTreeMap<String, String>,
    /// The kinds of bundles that say one, by content item and number.
    pub kinds: BTreeMap<(String, u64), String>,
}

/// Everything of a content item that is in the index.
const OF_CONTENT: [&str; 3] = [
    "DELETE FROM contents WHERE content = $1",
    "DELETE FROM bundles WHERE content = $1",
    "DELETE FROM results WHERE content = $1",
];

impl State {
    /// What the index says of a content item.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn item(&self, content: &str) -> Result<Option<Item>, StateError> {
        let (pool, content) = (self.pool(), content.to_owned());
        self.ask(async move { item(&pool, content).await })
    }

    /// What the index says of all content items, in short.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn overview(&self) -> Result<Overview, StateError> {
        let pool = self.pool();
        self.ask(async move {
            let contents = sqlx::query("SELECT content, run_as FROM contents");
            let contents = contents.fetch_all(&pool).await?;
            let bundles = sqlx::query("SELECT content, bundle, kind FROM bundles WHERE kind IS NOT NULL");
            let bundles = bundles.fetch_all(&pool).await?;
            let account = |row: &AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
            let kind = |row: &AnyRow| Ok(((row.try_get(0)?, unsigned(row.try_get(1)?)), row.try_get(2)?));
            Ok(Overview {
                accounts: contents.iter().map(account).collect::<sqlx::Result<_>>()?,
                kinds: bundles.iter().map(kind).collect::<sqlx::Result<_>>()?,
            })
        })
    }

    /// The content item is like this now: all of it in one step.
    ///
    /// # Errors
    /// [`StateError`]: then the index is what it was.
    pub fn put_item(&self, item: &Item) -> Result<(), StateError> {
        let (pool, item) = (self.pool(), item.clone());
        self.ask(async move {
            let mut transaction = pool.begin().await?;
            for sql in OF_CONTENT {
                let query = sqlx::query(sql).bind(item.content.clone());
                query.execute(&mut *transaction).await?;
            }
            put(&mut transaction, item).await?;
            transaction.commit().await
        })
    }

    /// The content items that anything is remembered of.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn contents(&self) -> Result<BTreeSet<String>, StateError> {
        let pool = self.pool();
        self.ask(async move {
            let sql = "SELECT content FROM contents UNION SELECT content FROM jobs";
            let rows = sqlx::query(sql).fetch_all(&pool).await?;
            rows.iter().map(|row| row.try_get(0)).collect()
        })
    }

    /// Forgets a content item that is gone, with its jobs.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget_content(&self, content: &str) -> Result<(), StateError> {
        let (pool, content) = (self.pool(), content.to_owned());
        self.ask(async move {
            let mut transaction = pool.begin().await?;
            for sql in OF_CONTENT
                .into_iter()
                .chain(["DELETE FROM jobs WHERE content = $1"])
            {
                let query = sqlx::query(sql).bind(content.clone());
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }

    /// An application is served like this.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn put_served(&self, served: &Served) -> Result<(), StateError> {
        let (pool, served) = (self.pool(), served.clone());
        self.ask(async move {
            let sql = "INSERT INTO apps (name, content, access, run_as) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (name) DO UPDATE SET content = excluded.content, access = excluded.access, \
                run_as = excluded.run_as";
            let query = sqlx::query(sql).bind(served.name).bind(served.content);
            let query = query.bind(served.access).bind(served.run_as);
            query.execute(&pool).await.map(drop)
        })
    }

    /// The applications that servers have said to serve.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn served(&self) -> Result<Vec<Served>, StateError> {
        let pool = self.pool();
        self.ask(async move {
            let sql = "SELECT name, content, access, run_as FROM apps ORDER BY name";
            let rows = sqlx::query(sql).fetch_all(&pool).await?;
            let served = |row: &AnyRow| {
                Ok(Served {
                    name: row.try_get(0)?,
                    content: row.try_get(1)?,
                    access: row.try_get(2)?,
                    run_as: row.try_get(3)?,
                })
            };
            rows.iter().map(served).collect()
        })
    }

    /// An application is served no more.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget_served(&self, name: &str) -> Result<(), StateError> {
        let (pool, name) = (self.pool(), name.to_owned());
        self.ask(async move {
            let query = sqlx::query("DELETE FROM apps WHERE name = $1").bind(name);
            query.execute(&pool).await.map(drop)
        })
    }
}

async fn put(transaction: &mut Transaction<'static, Any>, item: Item) -> sqlx::Result<()> {
    let sql = "INSERT INTO contents (content, name, created, run_as) VALUES ($1, $2, $3, $4)";
    let query = sqlx::query(sql).bind(item.content.clone()).bind(item.name);
    let query = query.bind(item.created.as_millisecond()).bind(item.run_as);
    query.execute(&mut **transaction).await?;
    for bundle in item.bundles {
        let sql = "INSERT INTO bundles (content, bundle, deployed, digest, kind, manifest, bytes, active) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let query = sqlx::query(sql)
            .bind(item.content.clone())
            .bind(signed(bundle.bundle))
            .bind(bundle.deployed.as_millisecond())
            .bind(bundle.digest)
            .bind(bundle.facts.kind)
            .bind(bundle.facts.manifest)
            .bind(signed(bundle.facts.bytes))
            .bind(i64::from(bundle.active));
        query.execute(&mut **transaction).await?;
    }
    for made in item.results {
        let sql = "INSERT INTO results (content, variant, result, bundle, job, finished, bytes, active) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let query = sqlx::query(sql)
            .bind(item.content.clone())
            .bind(made.variant)
            .bind(signed(made.result))
            .bind(signed(made.bundle))
            .bind(made.job)
            .bind(made.finished.as_millisecond())
            .bind(signed(made.bytes))
            .bind(i64::from(made.active));
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn item(pool: &AnyPool, content: String) -> sqlx::Result<Option<Item>> {
    let sql = "SELECT name, created, run_as FROM contents WHERE content = $1";
    let row = sqlx::query(sql)
        .bind(content.clone())
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let sql = "SELECT bundle, deployed, digest, kind, manifest, bytes, active FROM bundles WHERE content = $1 \
        ORDER BY bundle";
    let bundles = sqlx::query(sql).bind(content.clone()).fetch_all(pool).await?;
    let sql = "SELECT variant, result, bundle, job, finished, bytes, active FROM results WHERE content = $1";
    let results = sqlx::query(sql).bind(content.clone()).fetch_all(pool).await?;
    let mut results: Vec<Made> = results.iter().map(made).collect::<sqlx::Result<_>>()?;
    // Not by the database, whose order of letters is its own.
    results.sort_by(|a, b| (&a.variant, a.result).cmp(&(&b.variant, b.result)));
    Ok(Some(Item {
        content,
        name: row.try_get(0)?,
        created: time(row.try_get(1)?),
        run_as: row.try_get(2)?,
        bundles: bundles.iter().map(bundle).collect::<sqlx::Result<_>>()?,
        results,
    }))
}

fn bundle(row: &AnyRow) -> sqlx::Result<Bundle> {
    Ok(Bundle {
        bundle: unsigned(row.try_get(0)?),
        deployed: time(row.try_get(1)?),
        digest: row.try_get(2)?,
        facts: Facts {
            kind: row.try_get(3)?,
            manifest: row.try_get(4)?,
            bytes: unsigned(row.try_get(5)?),
        },
        active: row.try_get::<i64, _>(6)? != 0,
    })
}

fn made(row: &AnyRow) -> sqlx::Result<Made> {
    Ok(Made {
        variant: row.try_get(0)?,
        result: unsigned(row.try_get(1)?),
        bundle: unsigned(row.try_get(2)?),
        job: row.try_get(3)?,
        finished: time(row.try_get(4)?),
        bytes: unsigned(row.try_get(5)?),
        active: row.try_get::<i64, _>(6)? != 0,
    })
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
