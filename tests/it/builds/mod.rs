//! R packages built from directories and Git repositories, with the real programs: git, R, and a compiler.

mod escapes;
mod limits;
mod off;
mod place;
mod server;
mod sources;
mod ssh;
