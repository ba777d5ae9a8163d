//! `offhost audit`: what a job can see, reach and write, judged against what is promised. Pure: the probe in the sandbox
//! (`exec::probe`) finds facts, `local::audit` brings them here.

mod facts;
mod judge;
mod promises;
mod remarks;
mod score;
mod subject;

#[cfg(test)]
mod tests;

pub use facts::*;
pub use promises::{PROMISES, Promise};
pub use remarks::{Remark, remarks};
pub use score::{Finding, Process, Report, Score, Verdict, findings};
pub use subject::*;
