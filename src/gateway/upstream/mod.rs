//! Connections to processes: made, kept while they are idle, and driven by the request that uses them.

mod connect;
mod exchange;
mod idle;
mod stream;

pub use connect::{ConnectError, connect};
pub use exchange::{Answer, Live, SendError, handshake, send};
pub use idle::Idle;
pub use stream::Stream;
