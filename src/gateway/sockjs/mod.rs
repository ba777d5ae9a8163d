//! The other ways of Shiny pages to their process, where WebSockets fail (PR2): the end points of SockJS, which lead to an
//! ordinary WebSocket of the process, and the page's client, which is put into its pages.

pub mod address;
mod answers;
mod bridge;
mod elsewhere;
pub mod form;
pub mod framing;
mod inject;
pub mod insert;
pub mod json;
pub mod layer;
mod line;
mod lines;
pub mod numbered;
pub mod protocols;
mod receive;
mod serve;
mod socket;
pub mod talk;
mod wire;

use std::time::Duration;

use crate::content::AppMode;
use crate::settings::AppDefaults;

pub(super) use answers::{CLIENT, client};
pub(super) use inject::inject;
pub use lines::Lines;
pub use protocols::Protocols;
pub(super) use serve::serve;

/// How the pages of an application may speak with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallbacks {
    /// By which protocols.
    pub protocols: Protocols,
    /// How long a broken connection may take to come back; zero where it can not.
    pub reconnect: Duration,
}

impl Fallbacks {
    /// Those of a kind of content; none where its pages speak by what the framework itself brings.
    #[must_use]
    pub fn of(mode: AppMode, defaults: &AppDefaults) -> Option<Self> {
        let protocols = Protocols::without(&defaults.disabled_protocols);
        // Where all are disabled, pages are left as Shiny made them.
        (mode.is_shiny() && !protocols.is_empty()).then_some(Self {
            protocols,
            reconnect: defaults.reconnect_timeout,
        })
    }
}
