//! Real content, rendered for real: the program is run as its users run it, as root, in the sandbox, with R, Python and
//! pip's own index. All tests share one data directory, as content does.

mod bundle;
mod node;
mod notebooks;
mod packages;
mod place;
mod reports;
mod sites;
