//! Prints the Pods of random jobs, one a line as JSON, for a server-side dry run:
//!
//! ```text
//! cargo run --example random-pods -- COUNT NAMESPACE | while read -r pod; do
//!     kubectl create --dry-run=server --validate=strict -f - <<<"$pod"
//! done
//! ```
//!
//! The API server wants the priority class, the service account and the runtime class `offhost-random` to be there.
#![allow(clippy::unwrap_used, reason = "the modules of the tests fail by panicking")]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../it/plan_fixture/mod.rs"]
mod plan_fixture;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../common/random_jobs.rs"]
mod random_jobs;

use std::io::{BufWriter, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(5_000), |count| count.parse())?;
    let namespace = arguments.next();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for mut pod in random_jobs::pods_of(count) {
        if namespace.is_some() {
            pod.metadata.namespace.clone_from(&namespace);
        }
        serde_json::to_writer(&mut out, &pod)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}
