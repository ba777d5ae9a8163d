//! Everything that one database holds, taken over by another.

use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row, ValueRef};

use super::db::{COPY, State};
use super::error::StateError;

/// The tables, and how many of their first columns are the key. Claims are those of servers that run, and do not move.
const TABLES: [(&str, &[&str]); 10] = [
    ("marks", &["name", "value"]),
    (
        "jobs",
        &[
            "content",
            "key",
            "name",
            "tag",
            "bundle",
            "variant",
            "rendering",
            "started",
            "finished",
            "state",
            "exit_code",
            "reason",
            "message",
        ],
    ),
    (
        "outcomes",
        &["name", "digest", "succeeded", "finished", "content", "message"],
    ),
    ("schedules", &["name", "since", "last", "last_successful"]),
    ("runs", &["schedule", "time", "finished", "succeeded", "message"]),
    ("log_ins", &["id", "name", "group_names", "since", "seen", "uid"]),
    ("contents", &["content", "name", "created", "run_as"]),
    (
        "bundles",
        &[
            "content", "bundle", "deployed", "digest", "kind", "manifest", "bytes", "active",
        ],
    ),
    (
        "results",
        &[
            "content", "variant", "result", "bundle", "job", "finished", "bytes", "active",
        ],
    ),
    ("apps", &["name", "content", "access", "run_as"]),
];

/// How many rows a table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: i64,
}

/// What a database holds.
///
/// # Errors
/// [`StateError`].
pub fn counts(state: &State) -> Result<Vec<Count>, StateError> {
    let pool = state.pool();
    state.ask(async move {
        let mut counts = Vec::new();
        for (table, _) in TABLES {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&pool).await?;
            counts.push(Count {
                table,
                rows: row.try_get(0)?,
            });
        }
        Ok(counts)
    })
}

/// Takes everything over, in one step. What the new database has of the same name stays as it is there.
///
/// # Errors
/// [`StateError`]: then the new one is what it was.
pub fn move_all(from: &State, to: &State) -> Result<Vec<Count>, StateError> {
    let old = from.pool();
    let tables = from.ask_within(COPY, async move {
        let mut tables = Vec::new();
        for (table, columns) in TABLES {
            tables.push((table, columns, read(&old, table, columns).await?));
        }
        Ok(tables)
    })?;
    let new = to.pool();
    to.ask_within(COPY, async move {
        let mut transaction = new.begin().await?;
        let mut counts = Vec::new();
        for (table, columns, rows) in tables {
            let places: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
            let sql = format!(
                "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
                columns.join(", "),
                places.join(", ")
            );
            let mut count = 0;
            for row in rows {
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
                for cell in row {
                    query = match cell {
                        Cell::Number(number) => query.bind(number),
                        Cell::Text(text) => query.bind(text),
                    };
                }
                query.execute(&mut *transaction).await?;
                count += 1;
            }
            counts.push(Count { table, rows: count });
        }
        transaction.commit().await?;
        Ok(counts)
    })
}

/// A value, which may be missing: of each column the type is known.
#[derive(Debug)]
enum Cell {
    Number(Option<i64>),
    Text(Option<String>),
}

/// The columns that hold numbers.
const NUMBERS: [&str; 18] = [
    "active",
    "bytes",
    "created",
    "deployed",
    "result",
    "bundle",
    "started",
    "finished",
    "exit_code",
    "succeeded",
    "since",
    "last",
    "last_successful",
    "time",
    "seen",
    "uid",
    "epoch",
    "until",
];

async fn read(pool: &AnyPool, table: &str, columns: &'static [&'static str]) -> sqlx::Result<Vec<Vec<Cell>>> {
    let sql = format!("SELECT {} FROM {table}", columns.join(", "));
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await?;
    rows.iter().map(|row| cells(row, columns)).collect()
}

fn cells(row: &AnyRow, columns: &[&str]) -> sqlx::Result<Vec<Cell>> {
    let cell = |(at, name): (usize, &&str)| {
        let is_none = row.try_get_raw(at)?.is_null();
        if NUMBERS.contains(name) {
            Ok(Cell::Number(if is_none { None } else { Some(row.try_get(at)?) }))
        } else {
            Ok(Cell::Text(if is_none { None } else { Some(row.try_get(at)?) }))
        }
    };
    columns.iter().enumerate().map(cell).collect()
}
