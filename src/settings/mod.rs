//! Settings: the gcfg reader, the typed settings, overrides, and where each value came from (CN1).

mod decimal;
pub mod gcfg;
mod typed;
pub mod values;

pub use typed::*;
