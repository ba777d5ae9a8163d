//! `offhost` runs the processes of published data-science content under strict process-management rules,
//! in two modes from one description: as Kubernetes Pods (off-host) or in an `unshare(2)` sandbox (local).
//!
//! ```text
//! job file                         settings (gcfg, env)   runtimes.yaml   accounts
//!    \__ parse, deny unknown fields __/        \_______ parse, validate _____/
//!                   v                                        v
//!            gather (IO: the bundle, what is installed, what exists)
//!                   v
//!       plan::plan(&Task, &Settings, &Runtimes, &Accounts) -> Plan         pure, total, no clock
//!            /                                   \
//!      pod (next step)                   sandbox::build(&Plan) -> SandboxSpec   pure, infallible
//!                                                   v
//!                                       offhost-exec: namespaces, mounts, walls, exec
//! ```
//!
//! The pure core (`names`, `reason`, `api`, `plan`, `sandbox`, and the parsers of `settings`, `runtimes` and
//! `content`) never touches the file system, the clock or the environment; `tests/it/architecture.rs` holds that.

pub mod api;
pub mod apps;
pub mod asked;
pub mod audit;
pub mod builds;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod content;
pub mod controller;
pub mod data;
pub mod exec;
pub mod gateway;
pub mod gather;
pub mod hub;
pub mod identity;
pub mod local;
pub mod names;
pub mod pam;
pub mod plan;
pub mod pod;
pub mod reason;
pub mod runtimes;
pub mod sandbox;
pub mod schedule;
pub mod settings;
pub mod signals;
pub mod state;
pub mod status;
pub mod telemetry;
pub mod text;
pub mod visitors;
pub mod yaml;
