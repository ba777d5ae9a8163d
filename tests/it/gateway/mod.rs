//! The gateway with real sockets, a scripted process behind it, and clients that also send nonsense.

mod bodies;
mod client;
mod fallbacks;
mod files;
mod http2;
mod input;
mod limits;
mod login;
mod login_ends;
mod login_page;
mod login_proxied;
mod pages;
mod peers;
mod process;
pub(crate) mod rig;
mod seats;
mod sockets;
mod tls;
mod visits;
