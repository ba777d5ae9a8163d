//! Settings: the gcfg reader, the typed settings, overrides, and where each value came from (CN1).

mod typed;

pub use typed::*;
