//! The command line from end to end, with the real programs.

mod audit;
mod bad_accounts;
mod bad_bundles;
mod bad_places;
mod bad_supervisors;
mod bad_words;
mod content;
mod deploy_task;
mod forms;
mod help;
mod inside;
mod links;
mod ordinary;
mod place;
mod plan;
mod private;
mod show;
mod terminal;
