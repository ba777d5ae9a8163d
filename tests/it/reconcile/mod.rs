//! The controller's looks at jobs and applications, against an API server in memory and a real volume: the world goes in, calls come out.

mod apps;
mod builds;
mod crashes;
mod fake_api;
mod forms;
mod given;
mod leading;
mod place;
mod program;
mod recurring;
mod rows;
mod stories;
mod watching;
