//! The controller's looks at jobs, against an API server in memory and a real volume: the world goes in, calls come out.

mod crashes;
mod fake_api;
mod leading;
mod place;
mod program;
mod rows;
mod stories;
mod watching;
